"""Faults of the sensor in the decisions: what they blind, how they are told, and for how long."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vibro.decide.test_channel import FULL, HOP, ISO, LONG_HOP, RATE, RULES, fast, long, run
from vibro.decide import ChannelDecider
from vibro.decide.signs import sensor_signs
from vibro.decide.triggers import SENSOR_FAULTS
from vibro.faults import Fault, Severity

FLAT = {"rms_m_s2": 0.0, "peak_m_s2": 0.0, "repeat_share": 1.0}
CLIPPED = {"peak_m_s2": FULL, "rms_m_s2": 200.0}
SPIKE = {"peak_m_s2": FULL, "rms_m_s2": 8.0, "crest_share": 0.95}


def decider() -> ChannelDecider:
    return ChannelDecider(RULES, FULL, ISO)


FACTS = st.fixed_dictionaries(
    {
        "rms_m_s2": st.floats(0.0, 300.0),
        "peak_m_s2": st.floats(0.0, 600.0),
        "mean_m_s2": st.floats(-300.0, 300.0),
        "repeat_share": st.floats(0.0, 1.0),
        "crest_share": st.floats(0.0, 1.0),
        "fallen": st.booleans(),
    }
)


@given(FACTS)
@settings(max_examples=300)
def test_a_window_shows_at_most_one_fault_of_its_sensor(facts):
    assert sum(sensor_signs(fast(0, **facts), RULES, FULL)) <= 1


@given(FACTS, st.floats(1e-30, 1e-9))
@settings(max_examples=100, deadline=None)
def test_what_a_faulty_sensor_shows_is_never_held_against_the_machine(facts, p):
    signs = sensor_signs(fast(0, **facts), RULES, FULL)
    changes = run(decider(), [fast(k, p, **facts) for k in range(30)])
    causes = {c for change in changes for c in change.causes}
    if any(signs):
        named = SENSOR_FAULTS[signs.index(True)]
        assert {c.sensor_fault for c in changes} == {named}
        assert causes == {f"sensor:{named}"}
    else:
        assert causes == {"forest_fast"}


def test_clipping_that_lasts_is_the_loss_of_monitoring_an_alarm_of_its_own():
    """Fifty-six of sixty-four windows, five seconds: a calm one now and then changes nothing."""
    d = decider()
    changes = run(d, [fast(k, **({} if k % 9 == 8 else CLIPPED)) for k in range(70)])
    assert [(c.severity, c.causes) for c in changes] == [
        (Severity.ALERT, ("sensor:clipping",)),
        (Severity.ALARM, ("monitoring_lost", "sensor:clipping")),
    ]
    assert {c.sensor_fault for c in changes} == {Fault.CLIPPING}
    seldom = run(decider(), [fast(k, **({} if k % 4 == 3 else CLIPPED)) for k in range(300)])
    assert max(c.severity for c in seldom) is Severity.ALERT


def test_a_spike_must_be_seen_in_fewer_windows_than_other_faults():
    """Single samples, one in five windows, each in two of them as windows overlap."""
    changes = run(decider(), [fast(k, **(SPIKE if k % 5 < 2 else {})) for k in range(40)])
    assert {c.sensor_fault for c in changes} == {Fault.SPIKE}
    assert run(decider(), [fast(k, **(SPIKE if k % 16 < 2 else {})) for k in range(160)]) == []


def test_a_long_window_that_a_fault_lies_in_is_not_judged():
    """One flat fast window blinds the long ones over it, and none after."""
    d = decider()
    at = 3 * LONG_HOP // HOP
    run(d, [fast(k) for k in range(at)])
    run(d, [fast(at, **FLAT)])
    blinded = [k for k in range(8) if d.blind(long(k))]
    assert blinded == [0, 1, 2, 3]  # all that began before the flat window's end
    assert run(d, [long(k, mm_s=9.0) for k in blinded]) == []
    (change,) = run(d, [long(k, mm_s=9.0) for k in range(4, 4 + RULES.long_n)])
    assert change.severity is Severity.DANGER


def test_after_a_fault_the_sensor_may_settle():
    d = decider()
    run(d, [fast(k, **FLAT) for k in range(20)])
    settling = round(RULES.settle_s * RATE / HOP)
    changes = run(d, [fast(20 + k, 1e-20) for k in range(settling - 2)])
    assert all(c.causes == ("sensor:flatline",) for c in changes)
    later = run(d, [fast(20 + settling + k, 1e-20) for k in range(60)])
    assert "forest_fast" in later[-1].causes


def test_a_machine_that_had_given_cause_is_not_excused_by_its_sensor():
    """A fault that grows until it clips stays the machine's, and becomes an alarm."""
    d = decider()
    run(d, [fast(k, 1e-12) for k in range(20)])
    changes = run(d, [fast(20 + k, 1e-12, **CLIPPED) for k in range(80)])
    assert changes[-1].sensor_fault is None
    assert changes[-1].severity is Severity.ALARM
    assert set(changes[-1].causes) == {"forest_fast", "monitoring_lost", "sensor:clipping"}


def test_a_snapshot_from_before_triggers_had_names_is_understood():
    d = decider()
    d.restore(
        {
            "hits": {
                "fast": [0, 0b111111111, 0, 0, 0, 0],
                "long": [0, 0b11, 0, 0, 0, 0, 0],
                "block": [0, 0],
            },
            "event": None,
            "reference_mm_s": 1.0,
        }
    )
    again = decider()
    again.restore(json.loads(json.dumps(d.snapshot())))
    for one in (d, again):
        assert [c.causes for c in run(one, [long(0, mm_s=2.9)])] == [("iso_velocity",)]
        (change,) = run(one, [fast(30, **CLIPPED)])
        assert "sensor:clipping" in change.causes


def test_a_clock_that_is_set_back_leaves_no_channel_blind():
    d = decider()
    run(d, [fast(10_000 + k, **FLAT) for k in range(20)])
    back = fast(0)
    d.rewind(back.t0_ns)
    assert not d.blind(back)
    changes = run(d, [fast(k) for k in range(120)])
    assert [c.what for c in changes] == ["cleared"]
