"""Sources behind one port: the simulator and replayed recordings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_node.config import (
    NodeConfig,
    NodeSection,
    ReportingSection,
    ShipSection,
    SourceSection,
    SpoolSection,
)
from edge_node.sources import open_source
from edge_node.sources.port import AsFastAsPossible, PlantClock, WallClock
from edge_node.sources.replay import ReplayOptions, ReplaySource
from edge_node.sources.simulator import SimulatorOptions, SimulatorSource
from tests.edge_node.plants import MACHINE, RATE, Now, S
from vibro.errors import BadInputError
from vibro.files import Recording, write_recording
from vibro.simulate import Scenario, SimulatedMachine

T0 = 1_700_000_000 * S
SECONDS = 2.3
PLAIN = ReplayOptions()
SCENARIO = Scenario(SECONDS, 1.0, 4)
X = np.random.default_rng(0).standard_normal((2, round(SECONDS * RATE))).astype(np.float32)


def recorded(folder, x=X, rate=float(RATE), name="a.npy"):
    path = folder / name
    names = tuple(f"c{i}" for i in range(len(x)))
    write_recording(path, Recording(x, names, rate, float("nan"), True, ""))
    return path


@pytest.fixture(params=["simulator", "replay", "replay of two files"])
def opened(request, tmp_path):
    """Opens the same stream again and again."""
    if request.param == "simulator":

        def open_it(pace=None, block_s=0.5):
            pace = pace or AsFastAsPossible()
            return SimulatorSource(MACHINE, SCENARIO, t0_ns=T0, block_s=block_s, pace=pace)

    else:
        cut = 777 if request.param == "replay of two files" else X.shape[1]
        files = [recorded(tmp_path, X[:, :cut])]
        if cut < X.shape[1]:
            files.append(recorded(tmp_path, X[:, cut:], name="b.npy"))

        def open_it(pace=None, block_s=0.5):
            pace = pace or AsFastAsPossible()
            return ReplaySource(MACHINE, files, PLAIN, t0_ns=T0, block_s=block_s, pace=pace)

    return open_it


def everything(source) -> np.ndarray:
    return np.concatenate([b.counts for b in iter(source.read, None)], axis=1)


def test_blocks_follow_each_other_without_gap_or_overlap(opened):
    source, at = opened(), 0
    assert source.info.channels == MACHINE.channels
    assert source.info.rate_hz == RATE
    assert source.info.stream_epoch == T0
    while (block := source.read()) is not None:
        assert block.first_sample == at
        assert block.t0_ns == T0 + round(at * 1e9 / RATE)
        assert block.rpm == pytest.approx(1480.0, rel=0.01)
        at += block.counts.shape[1]
        assert source.next_sample == at
    assert at == round(SECONDS * RATE)
    assert source.finished
    assert source.read() is None


@pytest.mark.parametrize("block_s", [0.1, 0.77, 9.0])
def test_the_length_of_blocks_changes_nothing(opened, block_s):
    np.testing.assert_array_equal(everything(opened(block_s=block_s)), everything(opened()))


@pytest.mark.parametrize("first", [0, 1, 640, 1999, round(SECONDS * RATE)])
def test_it_can_be_taken_up_anywhere(opened, first):
    whole = everything(opened())
    source = opened()
    source.seek(first)
    assert source.next_sample == first
    if first < whole.shape[1]:
        np.testing.assert_array_equal(everything(source), whole[:, first:])
    assert source.finished


@pytest.mark.parametrize(("to", "at"), [(-5, 0), (10**9, round(SECONDS * RATE))])
def test_seeking_stays_inside(opened, to, at):
    source = opened()
    source.seek(to)
    assert source.next_sample == at


def test_a_block_comes_when_its_last_sample_has_happened(opened):
    pace = Now(T0 + S // 2 - 1)
    source = opened(pace)
    assert source.read() is None
    assert not source.finished
    pace.now_ns += 1
    assert source.read().first_sample == 0
    assert source.read() is None


def test_paces(tmp_path):
    clock = PlantClock(tmp_path / "clock")
    assert clock.until_ns() == 0
    clock.set(T0)
    assert clock.until_ns() == T0
    (tmp_path / "clock").write_text("noon")
    with pytest.raises(BadInputError, match="write one integer into it"):
        clock.until_ns()
    assert WallClock().until_ns() > T0
    assert AsFastAsPossible().until_ns() > 4 * T0


def test_replayed_samples_are_the_recordings(tmp_path):
    source = ReplaySource(
        MACHINE,
        [recorded(tmp_path)],
        PLAIN,
        t0_ns=T0,
        block_s=0.5,
        pace=AsFastAsPossible(),
    )
    assert (everything(source) == X).all()
    assert source.info.scale.tolist() == [1.0, 1.0]


def test_simulated_samples_are_the_machines():
    source = SimulatorSource(MACHINE, SCENARIO, t0_ns=T0, block_s=0.5, pace=AsFastAsPossible())
    n = round(SECONDS * RATE)
    assert (everything(source) == SimulatedMachine(MACHINE, SCENARIO).render(0, n)[0]).all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: [], "source.files is empty: name at least one recording"),
        (lambda folder: [folder / "gone.npy"], r"gone\.npy: there is no such file"),
        (
            lambda folder: [recorded(folder, X[:1])],
            r"a\.npy: has 1 channels at 1280 Hz; needed are 2 at 1280 Hz",
        ),
        (
            lambda folder: [
                recorded(folder),
                recorded(folder, rate=640.0, name="b.npy"),
            ],
            None,
        ),
    ],
)
def test_recordings_that_do_not_fit(tmp_path, make, said):
    def open_it():
        return ReplaySource(
            MACHINE,
            make(tmp_path),
            PLAIN,
            t0_ns=T0,
            block_s=0.5,
            pace=AsFastAsPossible(),
        )

    with pytest.raises(
        BadInputError, match=said or r"b\.npy: has 2 channels at 640 Hz; needed are 2 at 1280 Hz"
    ):
        open_it()


def test_a_recording_that_knows_no_rate_has_the_machines_or_the_named_one(tmp_path):
    np.save(tmp_path / "plain.npy", X)
    for named, rate in ((0.0, RATE), (500.0, 500.0)):
        source = ReplaySource(
            MACHINE,
            [tmp_path / "plain.npy"],
            ReplayOptions(rate_hz=named),
            t0_ns=T0,
            block_s=0.5,
            pace=AsFastAsPossible(),
        )
        assert source.info.rate_hz == rate


@pytest.mark.parametrize(
    ("known", "options", "m_s2"),
    [
        (True, {}, (1.0, 1.0)),
        (True, {"unit": "mV", "sensitivity_mv_g": (100.0,)}, (1.0, 1.0)),
        (True, {"sign": (1.0, -1.0)}, (1.0, -1.0)),
        (False, {}, (9.80665, 9.80665)),
        (False, {"unit": "m/s2", "sign": (-1.0,)}, (-1.0, -1.0)),
        (False, {"unit": "V", "sensitivity_mv_g": (100.0, 50.0)}, (98.0665, 196.133)),
    ],
)
def test_units_sensitivities_and_signs_of_recordings(tmp_path, known, options, m_s2):
    if known:
        recorded(tmp_path)
    else:
        np.savetxt(tmp_path / "a.csv", X.T, delimiter=",")
    source = ReplaySource(
        MACHINE,
        [tmp_path / ("a.npy" if known else "a.csv")],
        ReplayOptions(**options),
        t0_ns=T0,
        block_s=0.5,
        pace=AsFastAsPossible(),
    )
    got = everything(source) * source.info.scale[:, None]
    assert got == pytest.approx(X * np.array(m_s2)[:, None], rel=1e-4)


@pytest.mark.parametrize("pace", ["real", "fast", "clock"])
@pytest.mark.parametrize("kind", ["simulator", "replay"])
def test_what_a_configuration_names_is_opened(tmp_path, kind, pace):
    recorded(tmp_path)
    (tmp_path / "clock").write_text(str(T0 + S))
    section = SourceSection(kind=kind, pace=pace, clock="clock")
    options = {
        "replay": ReplayOptions(files=("a.npy",)),
        "simulator": SimulatorOptions(duration_s=10.0, commissioning_s=5.0),
    }[kind]
    config = NodeConfig(
        tmp_path,
        NodeSection("n", "harbour", "motor-1"),
        section,
        ReportingSection(),
        SpoolSection(),
        ShipSection(),
        "assets.csv",
        source_options=options,
    )
    source = open_source(config, MACHINE, T0)
    block = source.read()
    assert block.t0_ns == T0
    assert block.counts.shape == (2, RATE)
    assert (source.read() is None) == (pace == "clock")
    dated = open_source(replace(config, source=replace(section, t0_ns=T0 - S)), MACHINE, T0)
    assert dated.read().t0_ns == T0 - S
