"""The edge's bench: what its sources hand on is what its figures are counted from."""

from __future__ import annotations

import numpy as np
import pytest

from edge_node.config import load
from edge_node.sources.port import AsFastAsPossible
from vibro.assets import Machine, Point
from vibro.cli.bench import edge_day
from vibro.cli.bench.edge import ALL, QUANTILES, _delays, _quantiles
from vibro.cli.bench.edge_plant import CHANNELS, MACHINES, Again, Knocked, Plant, _config, _machine

RATE = 25600.0
BLOCK = 512


@pytest.fixture
def plant() -> Plant:
    """A second and a bit of noise, far below any limit."""
    counts = np.random.default_rng(1).integers(-300, 300, (2, 30_000)).astype(np.int16)
    return Plant((), counts, np.full(2, 490.0 / 32768.0, np.float32), 1480.0)


def machine() -> Machine:
    points = tuple(Point(f"p{i}", "DE", "H", rate_hz=RATE) for i in range(2))
    return Machine("s", "m", "c", points=points)


def read(kind: type[Again], plant: Plant, seconds: float) -> np.ndarray:
    source = kind(plant, machine(), 0, seconds, BLOCK / RATE, AsFastAsPossible())
    parts = []
    while (block := source.read()) is not None:
        assert block.first_sample == sum(p.shape[1] for p in parts)
        assert block.counts.dtype == np.int16
        parts.append(block.counts)
    assert source.finished
    return np.concatenate(parts, axis=1)


def test_the_stretch_comes_again_and_again_without_a_seam_that_is_longer_or_shorter(plant):
    found = read(Again, plant, 3.0)
    assert found.shape == (2, 76_800)
    np.testing.assert_array_equal(found, np.tile(plant.counts, 3)[:, :76_800])


def test_a_knock_is_one_sample_in_each_stretch_and_anywhere_in_a_block(plant):
    plain, knocked = (read(kind, plant, 20.0) for kind in (Again, Knocked))
    source = Knocked(plant, machine(), 0, 20.0, BLOCK / RATE, AsFastAsPossible())
    channel, at = np.nonzero(plain != knocked)
    assert sorted(at) == [source.knock(k) for k in range(80)]
    assert set(channel) == {0, 1}
    assert (knocked[channel, at] == Knocked.COUNTS).all()
    # Delays are those of samples that are bad at all times within a block.
    assert np.histogram(np.array(at) % BLOCK, 8, (0, BLOCK))[0].min() >= 3


def test_the_nodes_are_told_to_do_everything_in_real_time(tmp_path):
    """The share of a core and the delays are those of the defaults, and of a reflex with limits."""
    config = load(_config(tmp_path, _machine(1)))
    assert (config.source.pace, config.source.block_s) == ("real", 0.02)
    assert config.reporting == type(config.reporting)()
    assert config.reflex.peak_m_s2
    assert config.reflex.rms_m_s2
    assert config.reflex.slope_m_s2_s
    assert config.reflex.peak_m_s2[0] < Knocked.COUNTS * 490.0 / 32768.0
    assert MACHINES * CHANNELS == ALL == 32


def test_delays_are_told_by_quantile_with_their_spread_over_the_runs():
    runs = [_quantiles([k * 10**6 for k in range(101 * r)][::-1]) for r in (1, 2)]
    assert runs[0].tolist() == pytest.approx([50.0, 90.0, 99.0, 100.0])
    cases = _delays("x", runs)
    assert [c["case"] for c in cases] == [f"x, {q}" for q in QUANTILES]
    assert cases[0]["vibro"]["median"] == pytest.approx((50.0 + 100.5) / 2, rel=1e-3)


@pytest.mark.slow_nojit
def test_a_day_is_weighed_by_kind_and_its_parts_are_the_whole(monkeypatch):
    monkeypatch.setattr(edge_day, "CHANNELS", (1,))
    monkeypatch.setattr(edge_day, "JUDGED", 1)
    cases, (day,) = edge_day.run()
    weighed = {c["case"]: c["vibro"]["median"] for c in cases}
    whole = "a channel and day in steady health, 1 channels"
    parts = {c.removeprefix(f"{whole}: "): n for c, n in weighed.items() if f"{whole}:" in c}
    assert {"daily spectrum", "daily waveform", "heartbeat", "keys and framing"} < set(parts)
    assert sum(parts.values()) == pytest.approx(weighed[whole], rel=1e-3)
    assert (day["name"], day["op"], day["target"]) == ("edge_bytes_per_channel_day", "<=", 47_000.0)
