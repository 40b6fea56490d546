"""The reflex: 20 ms blocks against limits, at once, and actions that never delay anything."""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_node.config import ReflexSection
from edge_node.node import Node
from edge_node.reflex import QUEUED, Actuator, Reflex, RunProgram, Trip, action_of, dry_run
from tests.edge_node.plants import (
    MACHINE,
    RATE,
    SCALE,
    T0,
    ArraySource,
    config,
    healthy,
    spool_of,
)
from vibro.errors import BadInputError
from vibro.features.setup import ChannelSetup
from vibro.features.stream import MachineFeatures
from vibro.records import SampleBlock, StreamInfo

BLOCK = round(0.02 * RATE)
INFO = StreamInfo(MACHINE.channels, float(RATE), np.full(2, SCALE, np.float32), 0, 2)
TRIP = Trip("harbour/motor-1/de-h", "peak", 12.5, 10.0, 0, T0)


def fed(reflex, counts, sizes=(BLOCK,), first=0):
    """Trips of a stretch that is handed on in blocks of the given sizes, again and again."""
    trips, at, i = [], 0, 0
    while at < counts.shape[1]:
        part = counts[:, at : at + sizes[i % len(sizes)]]
        t0_ns = T0 + round((first + at) * 1e9 / RATE)
        trips += reflex.push(SampleBlock(first + at, t0_ns, part, 1480.0))
        at, i = at + part.shape[1], i + 1
    return trips


def with_knock(at: int, m_s2: float = 40.0, seconds: float = 1.0):
    counts = healthy(seconds)
    counts[1, at] = round(m_s2 / SCALE)
    return counts


def test_one_bad_sample_trips_at_the_end_of_its_block_and_names_itself():
    (trip,) = fed(Reflex(ReflexSection(peak_m_s2=(30.0,)), INFO), with_knock(300))
    first = 300 // BLOCK * BLOCK
    assert (trip.channel, trip.quantity, trip.limit) == ("harbour/motor-1/de-v", "peak", 30.0)
    assert trip.value == pytest.approx(40.0, abs=SCALE)
    assert trip.first_sample == first
    assert abs(trip.t0_ns - (T0 + first * 1e9 / RATE)) <= 1
    assert str(trip).startswith("harbour/motor-1/de-v: peak 40 m/s2 is above 30, sample 286")


def test_what_is_judged_is_what_the_features_know_of_a_block():
    """Peak, RMS and slope are those of the reflex path, measured by lowering a limit to each."""
    counts = with_knock(300)
    batch = MachineFeatures(float(RATE), [ChannelSetup()] * 2).push(
        counts.astype(np.float32) * np.float32(SCALE), 1480.0
    )
    for column, name in enumerate(("peak_m_s2", "rms_m_s2", "slope_m_s2_s")):
        section = ReflexSection(hold_s=0.0, **{name: (1e-6,)})
        found = {
            (t.first_sample, t.channel[-4:]): t.value for t in fed(Reflex(section, INFO), counts)
        }
        for first, row in zip(batch.reflex_first, batch.reflex, strict=True):
            for channel, values in zip(("de-h", "de-v"), row, strict=True):
                if values[column] > 1e-6:
                    value = found[int(first), channel]
                    assert value == pytest.approx(values[column], rel=2e-4, abs=2e-3)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=8))
def test_how_samples_are_cut_changes_no_trip(sizes):
    section = ReflexSection(peak_m_s2=(1.6,), rms_m_s2=(0.6, 0.0), hold_s=0.1)
    counts = with_knock(777)
    whole = fed(Reflex(section, INFO), counts)
    assert len(whole) > 3
    for a, b in zip(whole, fed(Reflex(section, INFO), counts, sizes), strict=True):
        assert abs(a.t0_ns - b.t0_ns) <= 1
        assert b.value == pytest.approx(a.value, rel=1e-6)
        assert replace(a, t0_ns=0, value=0.0) == replace(b, t0_ns=0, value=0.0)


def test_a_channel_that_tripped_is_silent_for_a_while_and_the_other_is_not():
    counts = np.full((2, 2 * RATE), round(50.0 / SCALE), np.int16)
    counts[0, :RATE] = 0
    trips = fed(Reflex(ReflexSection(peak_m_s2=(30.0,), hold_s=0.8), INFO), counts)
    at = {
        c: [t.first_sample // BLOCK for t in trips if t.channel[-4:] == c] for c in ("de-h", "de-v")
    }
    held = -(-round(0.8 * RATE) // BLOCK)
    assert at["de-v"] == [0, held, 2 * held]
    assert len(at["de-h"]) == 2
    assert min(at["de-h"]) == RATE // BLOCK


def test_limits_are_for_all_channels_or_each_and_none_is_none():
    assert not Reflex(ReflexSection(), INFO).armed
    assert not Reflex(ReflexSection(peak_m_s2=(0.0,)), INFO).armed
    only_first = ReflexSection(peak_m_s2=(30.0, 0.0))
    assert fed(Reflex(only_first, INFO), with_knock(300)) == []
    with pytest.raises(BadInputError, match=r"reflex\.peak_m_s2 has 3 limits, the machine 2"):
        Reflex(ReflexSection(peak_m_s2=(1.0, 2.0, 3.0)), INFO)


@pytest.mark.parametrize("start", [0, 299, 301, 1000])
def test_what_an_earlier_life_has_judged_is_not_judged_again(start):
    reflex = Reflex(ReflexSection(peak_m_s2=(30.0,)), INFO, start)
    trips = fed(reflex, with_knock(300), (64,))
    assert len(trips) == (start <= 300 // BLOCK * BLOCK)


def test_a_gap_is_no_rise():
    """After a gap there is no block before: a louder one is no slope."""
    low, high = (np.full((2, 20 * BLOCK), round(a / SCALE), np.int16) for a in (1.0, 9.0))
    section = ReflexSection(slope_m_s2_s=(20.0,))
    for gap, trips in ((0, 2), (1, 0), (7 * BLOCK, 0)):
        reflex = Reflex(section, INFO)
        assert fed(reflex, low) == []
        assert len(fed(reflex, high, first=20 * BLOCK + gap)) == trips


def test_an_action_that_hangs_delays_nothing_and_what_does_not_fit_is_counted():
    release, ran = threading.Event(), []

    def hang(trip: Trip) -> None:
        release.wait(10.0)
        ran.append(trip)

    actuator = Actuator(hang)
    for _ in range(QUEUED + 9):
        actuator(TRIP)
    assert actuator.trips == QUEUED + 9
    assert actuator.dropped in {8, 9}
    assert ran == []
    release.set()
    actuator.close(10.0)
    assert len(ran) == actuator.trips - actuator.dropped


def test_an_action_that_fails_is_told_and_the_next_one_runs(caplog):
    calls = []

    def fail(trip: Trip) -> None:
        calls.append(trip)
        raise ValueError("no such relay")

    actuator = Actuator(fail)
    actuator(TRIP)
    actuator(TRIP)
    actuator.close(10.0)
    assert len(calls) == actuator.failed == 2
    assert "no such relay" in caplog.text


def test_a_dry_run_is_one_line(caplog):
    with caplog.at_level(logging.WARNING):
        action_of(ReflexSection(), Path())(TRIP)
    assert caplog.messages == [f"reflex (dry run): {TRIP}"]
    assert action_of(ReflexSection(), Path()) is dry_run


def test_a_program_is_told_channel_quantity_value_and_limit(tmp_path):
    out = tmp_path / "told"
    code = f"import sys; open({str(out)!r}, 'w').write(' '.join(sys.argv[1:]))"
    section = ReflexSection(action="program", program=(sys.executable, "-c", code))
    assert action_of(section, tmp_path) is dry_run
    action_of(replace(section, armed=True), tmp_path)(TRIP)
    assert out.read_text() == "harbour/motor-1/de-h peak 12.5 10"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ((sys.executable, "-c", "import time; time.sleep(60)"), "was killed after 0.2 s"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "ended with 3"),
        (("/no/such/program",), "cannot be run (No such file or directory)"),
    ],
)
def test_how_a_program_fails_is_one_line_and_counted(program, said, caplog):
    actuator = Actuator(RunProgram(program, 0.2 if "60" in program[-1] else 10.0))
    actuator(TRIP)
    actuator.close(20.0)
    assert said in caplog.messages[-1]
    assert actuator.failed == 1


def test_a_program_must_be_named():
    with pytest.raises(BadInputError, match=r"reflex\.program is empty"):
        action_of(ReflexSection(action="program"), Path())


def test_the_node_hands_trips_on_before_any_window_is_complete(tmp_path):
    """A fast window takes 0.2 s here, a hop 0.1 s: the trip does not wait for either."""
    trips = []
    plan = replace(config(tmp_path), reflex=ReflexSection(peak_m_s2=(30.0,)))
    source = ArraySource(with_knock(30), block_s=BLOCK / RATE)
    spool = spool_of(tmp_path)
    node = Node(plan, MACHINE, source, spool, None, lambda: 0.0, trips.append)
    node.step()
    assert trips == []
    node.step()
    assert [t.first_sample for t in trips] == [BLOCK]
    spool.close()
