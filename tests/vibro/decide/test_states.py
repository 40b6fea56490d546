"""Operating states: standstill, transients, blanking, regimes that do not chatter, restarts."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.decide import RUNNING, STOPPED, TRANSIENT, UNJUDGED, OperatingStates, StateRules

NAN = math.nan
HOP_S, SPAN_S = 0.08, 0.16
FIELD = StateRules(speed_slope=0.01, level_slope_db_s=1.5, blanking_s=3.0)
"""What a node is told by default."""


def run(states: OperatingStates, rpm, level=None, first: int = 0) -> list[str]:
    """States of successive fast windows of the given speeds, or levels."""
    found = []
    for k, speed in enumerate(rpm, start=first):
        loud = 1.0 if level is None else level[k - first]
        found.append(states.window(round(k * HOP_S * 1e9), ns(k), speed, loud))
    return found


def ns(k: int) -> int:
    """End of the k-th window."""
    return round((k * HOP_S + SPAN_S) * 1e9)


def seconds(state: str, found: list[str]) -> float:
    return found.count(state) * HOP_S


def steady(s: float, rpm: float) -> list[float]:
    return [rpm] * round(s / HOP_S)


def ramp(s: float, a: float, b: float) -> list[float]:
    return list(np.linspace(a, b, round(s / HOP_S)))


def test_a_machine_that_runs_when_the_stream_begins_is_judged_at_once():
    assert run(OperatingStates(FIELD), steady(10, 1480.0)) == [RUNNING] * 125


@pytest.mark.parametrize("run_up_s", [2.0, 10.0, 60.0])
def test_a_run_up_is_transient_from_standstill_to_steady_speed(run_up_s):
    speeds = steady(5, 0.0) + ramp(run_up_s, 0.0, 1480.0) + steady(20, 1480.0)
    found = run(OperatingStates(FIELD), speeds)
    up = found[found.index(TRANSIENT) :]
    settled = up.index(RUNNING)
    assert up == [TRANSIENT] * settled + [RUNNING] * (len(up) - settled)
    # The speed must hold for 3 s, within a tenth of a slow ramp's last per cents.
    assert run_up_s - 3.0 <= settled * HOP_S <= run_up_s + 3.5


@pytest.mark.parametrize("coast_s", [3.0, 20.0, 60.0])
def test_a_coast_down_is_noticed_before_the_speed_has_fallen_far(coast_s):
    speeds = steady(10, 1480.0) + ramp(coast_s, 1480.0, 0.0) + steady(5, 0.0)
    found = run(OperatingStates(FIELD), speeds)
    noticed = found.index(TRANSIENT)
    assert speeds[noticed] > 0.93 * 1480.0
    assert RUNNING not in found[noticed:]
    assert found[-1] == STOPPED


def test_blanking_lasts_its_time_after_a_start_that_was_at_once():
    found = run(OperatingStates(FIELD), steady(5, 0.0) + steady(20, 1480.0))
    assert seconds(TRANSIENT, found) == pytest.approx(FIELD.blanking_s, abs=2 * HOP_S)
    none = StateRules(blanking_s=0.0)
    assert seconds(TRANSIENT, run(OperatingStates(none), steady(5, 0.0) + steady(9, 1480.0))) == 0.0


@settings(max_examples=40, deadline=None)
@given(st.floats(600.0, 3600.0), st.floats(0.0, 0.004), st.floats(0.02, 0.5))
def test_a_speed_that_wanders_as_drives_do_is_no_transient(rpm, share, hz):
    t = HOP_S * np.arange(400)
    speeds = rpm * (1.0 + share * np.sin(2 * np.pi * hz * t))
    assert set(run(OperatingStates(FIELD), speeds)) == {RUNNING}


# -- regimes -----------------------------------------------------------------------------------


def test_regimes_are_named_by_the_speed_they_begin_at():
    rules = StateRules(rpm_edges=(1200.0, 2400.0))
    for rpm, name in ((500.0, "r0"), (1199.0, "r0"), (1200.0, "r1200"), (3000.0, "r2400")):
        assert run(OperatingStates(rules), [rpm]) == [name]
    # A regime is a speed's; the level does not tell one from another.
    assert run(OperatingStates(rules), [NAN], [5.0]) == [RUNNING]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-0.019, 0.0195), min_size=1, max_size=80))
def test_a_speed_that_hovers_about_an_edge_does_not_chatter(shares):
    rules = StateRules(rpm_edges=(1200.0,))
    found = run(OperatingStates(rules), [1200.0 * (1.0 + s) for s in shares])
    assert len(set(found)) == 1
    assert run(OperatingStates(rules), [1150.0, 1210.0, 1230.0, 1190.0, 1170.0]) == [
        *("r0", "r0", "r1200", "r1200", "r0")
    ]


def test_outside_the_registers_range_a_machine_is_in_another_regime():
    rules = StateRules(rpm_range=(1400.0, 1500.0))
    for rpm, name in ((1480.0, RUNNING), (1300.0, RUNNING), (1000.0, "slow"), (2000.0, "fast")):
        assert run(OperatingStates(rules), [rpm]) == [name]
    assert run(OperatingStates(StateRules(rpm_range=(1400.0, NAN))), [9000.0]) == [RUNNING]


# -- without a speed ---------------------------------------------------------------------------


def heard(db) -> tuple[list[float], list[float]]:
    """Unknown speeds and the levels of a machine that is so loud, with 0.3 dB of scatter."""
    noise = np.random.default_rng(3).normal(0.0, 0.3, len(db))
    return [NAN] * len(db), list(10.0 ** ((np.array(db) + noise) / 20.0))


def test_without_a_speed_the_level_tells_and_it_is_said():
    states = OperatingStates(FIELD)
    quiet, loud = steady(4, -40.0), steady(60, 6.0)
    found = run(states, *heard(quiet + ramp(5, -40.0, 6.0) + loud + ramp(8, 6.0, -40.0) + quiet))
    assert states.by == "level"
    assert found[0] == found[-1] == STOPPED
    first, last = found.index(RUNNING), len(found) - found[::-1].index(RUNNING)
    assert set(found[first:last]) == {RUNNING}
    assert seconds(RUNNING, found) == pytest.approx(60, abs=4)
    run(states, [1480.0], first=len(found))
    assert states.by == "speed"


def test_a_fault_that_raises_the_level_is_no_transient():
    """A jump by 12 dB, and a rise at 3 dB a second, of a machine that has run for a while."""
    levels = steady(40, 0.0) + steady(10, 12.0) + ramp(5, 12.0, 27.0) + steady(10, 27.0)
    assert set(run(OperatingStates(FIELD), *heard(levels))) == {RUNNING}


# -- windows that straddle, restarts -----------------------------------------------------------


def test_a_long_window_counts_only_if_one_state_held_over_all_of_it():
    states = OperatingStates(StateRules(rpm_edges=(1200.0,)))
    run(states, steady(8, 1000.0))
    assert states.held_over(0)
    run(states, steady(4, 1400.0), first=100)
    changed = round(100 * HOP_S * 1e9)
    assert states.held_over(changed)
    assert not states.held_over(changed - 1)
    run(states, steady(1, 0.0), first=150)
    assert not states.held_over(round(150 * HOP_S * 1e9))


SPEEDS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 25.0, 1000.0, 1190.0, 1230.0, 1480.0, NAN]), st.integers(1, 60)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(SPEEDS, st.integers(0, 200), st.booleans())
def test_a_restart_at_any_window_changes_nothing(parts, cut, ranged):
    speeds = [rpm for rpm, n in parts for _ in range(n)]
    level = [0.01 if k % 37 < 9 else 1.0 for k in range(len(speeds))]
    rules = StateRules(
        rpm_edges=() if ranged else (1200.0,),
        rpm_range=(1100.0, 1300.0),
        speed_slope=0.01,
        level_slope_db_s=1.5,
        blanking_s=1.0,
    )
    whole = OperatingStates(rules)
    expected = run(whole, speeds, level)
    first, second = OperatingStates(rules), OperatingStates(rules)
    found = run(first, speeds[:cut], level[:cut])
    second.restore(json.loads(json.dumps(first.snapshot())))
    found += run(second, speeds[cut:], level[cut:], first=min(cut, len(speeds)))
    assert found == expected
    assert second.snapshot() == whole.snapshot()


def test_an_older_snapshot_knows_only_the_state():
    states = OperatingStates(FIELD)
    states.restore({"state": STOPPED})
    assert states.state == STOPPED
    assert states.state in UNJUDGED
    assert run(states, [1480.0]) == [RUNNING]


def test_a_clock_that_is_set_back_leaves_nothing_waiting_for_its_old_time():
    states = OperatingStates(FIELD)
    run(states, steady(5, 0.0) + steady(1, 1480.0), first=100_000)
    found = run(states, steady(10, 1480.0))
    assert found[-1] == RUNNING
    assert seconds(TRANSIENT, found) <= FIELD.blanking_s + HOP_S
    assert states.held_over(ns(len(found) - 20))
    assert len(states.snapshot()["track"]) < 20
