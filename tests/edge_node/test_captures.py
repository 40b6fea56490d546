"""When clips of events are due."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from edge_node.clips.captures import DAY_NS, CaptureRules
from vibro.faults import Fault, Severity
from vibro.records import LIVE, Event, Origin, RecordId

S = 10**9
NAN = float("nan")


def event(thing: int, at_s: float, revision: int = 0, **other) -> Event:
    values = {"t_clear_ns": None, "severity": Severity.ALERT, **other}
    return Event(
        id=RecordId("event", "a/m/de-h", 0, thing, revision),
        origin=Origin("n", "a", "m", LIVE, 0, 0),
        channel="de-h",
        t_onset_ns=thing * S,
        t_last_ns=round(at_s * S),
        t_decided_ns=round(at_s * S),
        causes=(),
        state="running",
        score=NAN,
        p_value=NAN,
        velocity_rms_mm_s=NAN,
        rpm=NAN,
        bundle="",
        **values,
    )


def stay(rules: CaptureRules, start_s: int, end_s: int) -> list[int]:
    """Seconds at which an event that stays calls for a clip."""
    return [t for t in range(start_s, end_s) if rules.later(t * S) is not None]


def test_an_event_that_stays_is_captured_again_ever_more_rarely():
    rules = CaptureRules(60 * S, 24)
    assert rules.event(event(10, 10)).event == event(10, 10).id.thing
    assert stay(rules, 11, 2000) == [70, 70 + 240, 70 + 240 + 960]


def test_growth_is_captured_at_once_and_starts_the_waiting_anew():
    rules = CaptureRules(60 * S, 24)
    rules.event(event(10, 10))
    assert rules.event(event(10, 24, 1)) is None  # nearer than a quarter of the spacing
    assert rules.event(event(10, 25, 2)).revision == 2
    assert stay(rules, 26, 200) == [85]
    assert rules.event(event(10, 110, 3)).revision == 3
    assert stay(rules, 111, 300) == [170]


def test_another_event_is_no_growth_and_keeps_the_whole_spacing():
    rules = CaptureRules(60 * S, 24)
    rules.event(event(10, 10))
    assert rules.event(event(12, 40)) is None
    assert rules.event(event(12, 41, 1)).event == event(12, 41).id.thing  # now it has grown


def test_nothing_follows_once_all_events_are_over_or_where_the_sensor_is_at_fault():
    rules = CaptureRules(60 * S, 24)
    rules.event(event(10, 10))
    rules.event(event(11, 11))
    rules.event(event(10, 20, 1, t_clear_ns=20 * S))
    assert stay(rules, 21, 80) == [70]
    rules.event(event(11, 85, 1, t_clear_ns=85 * S))
    assert stay(rules, 86, 5000) == []
    dead = CaptureRules(60 * S, 24)
    assert dead.event(event(10, 10)) is not None
    dead.event(event(10, 11, 1, sensor_fault=Fault.FLATLINE))
    assert stay(dead, 11, 5000) == []


@pytest.mark.parametrize("severity", [Severity.OK, Severity.WATCH])
def test_only_what_is_worth_watching_is_captured(severity):
    found = CaptureRules(60 * S, 24).event(event(10, 10, severity=severity))
    assert (found is None) == (severity is Severity.OK)


@given(
    steps=st.lists(st.tuples(st.integers(1, 9000), st.sampled_from(["new", "grow", "stay"]))),
    spacing_s=st.integers(0, 4000),
    per_day=st.integers(0, 5),
)
def test_clips_keep_their_spacing_and_their_number_whatever_happens(steps, spacing_s, per_day):
    rules, now, taken, grown = CaptureRules(spacing_s * S, per_day), 0, [], set()
    for i, (gap, what) in enumerate(steps):
        now += gap
        if i % 3 == 2:
            # A restart changes nothing.
            state, rules = rules.snapshot(), CaptureRules(spacing_s * S, per_day)
            rules.restore(state)
        due = {
            "new": lambda: rules.event(event(now, now)),  # noqa: B023
            "grow": lambda: rules.event(event(0, now, 1)),  # noqa: B023
            "stay": lambda: rules.later(now * S),  # noqa: B023
        }[what]()
        taken += [now * S] if due else []
        grown |= {now * S} if what == "grow" else set()
    assert all(b - a >= spacing_s * S // (4 if b in grown else 1) for a, b in pairwise(taken))
    assert all(sum(t <= u < t + DAY_NS for u in taken) <= per_day for t in taken)
