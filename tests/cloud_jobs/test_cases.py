"""When events and clips amount to a case, what it says, and that arrival never changes it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_jobs.cases import Case, CaseRules, cases_of
from tests.cloud_jobs.builders import M, S, diagnosis_fact, event_fact, shock
from vibro.faults import Fault, Severity

DAY_S = 86_400.0
WATCH, ALERT, ALARM, DANGER = Severity.WATCH, Severity.ALERT, Severity.ALARM, Severity.DANGER


def cases(events=(), diagnoses=(), explained=None, **rules) -> list[Case]:
    return cases_of(M, list(events), list(diagnoses), explained or {}, CaseRules(**rules))


# -- what opens a case


@pytest.mark.parametrize(
    ("events", "diagnoses"),
    [
        ([], []),
        ([event_fact(0, 39.9)], []),
        ([event_fact(0, 1e5, WATCH)], []),
        ([event_fact(60.0 * i, 30) for i in range(200)], []),
        ([event_fact(0, 1.9, sensor=Fault.FLATLINE)], []),
        ([e := event_fact(0, 3.9, WATCH)], [diagnosis_fact(3, of=e)]),
        ([e := event_fact(0, 30, WATCH)], [diagnosis_fact(3, probability=0.49, of=e)]),
        ([e := event_fact(0, 30, WATCH)], [diagnosis_fact(3, Fault.UNKNOWN, of=e)]),
        ([event_fact(0, 30, WATCH)], [diagnosis_fact(3, of=event_fact(9000))]),
        ([], [diagnosis_fact(3, probability=0.49)]),
        ([], [diagnosis_fact(3, Fault.UNKNOWN, severity=WATCH)]),
    ],
)
def test_what_is_short_mild_or_uncertain_stays_an_event(events, diagnoses):
    assert cases(events, diagnoses) == []


def test_what_is_serious_and_lasts_is_a_case_whatever_it_is():
    (case,) = cases([event_fact(100, 40, delay_s=3)])
    assert (case.fault, case.probability, case.severity) == (Fault.UNKNOWN, 0.0, ALERT)
    assert (case.t_onset_ns, case.t_detected_ns, case.t_opened_ns) == (100 * S, 103 * S, 140 * S)
    assert case.events == (event_fact(100).thing,)
    assert cases([event_fact(100, 40, delay_s=50)])[0].t_opened_ns == 150 * S


def test_what_is_diagnosed_and_lasts_a_little_is_a_case_however_mild():
    e = event_fact(100, 4, WATCH)
    (case,) = cases([e], [diagnosis_fact(102, of=e)])
    assert (case.fault, case.probability, case.severity) == (Fault.BEARING_OUTER, 0.9, WATCH)
    assert case.t_opened_ns == 104 * S
    (case,) = cases([e], [diagnosis_fact(110, of=e), diagnosis_fact(120, of=e)])
    assert case.t_opened_ns == 110 * S


def test_the_first_reason_that_holds_opens_it():
    e = event_fact(100, 500)
    assert cases([e], [diagnosis_fact(400, of=e)])[0].t_opened_ns == 140 * S
    assert cases([e], [diagnosis_fact(120, of=e)])[0].t_opened_ns == 120 * S
    two = [e, event_fact(101, 60, sensor=Fault.BIAS, channel="de-v")]
    assert cases(two, [diagnosis_fact(120, of=e)])[0].t_opened_ns == 103 * S


def test_a_sensor_fault_that_lasts_is_a_case_of_the_sensor():
    faulty = event_fact(100, 2, sensor=Fault.DROPOUT)
    lines = [diagnosis_fact(100 + t, Fault.DROPOUT, strength_db=9.0 * t, of=faulty) for t in (1, 2)]
    (case,) = cases([faulty], lines)
    assert (case.fault, case.probability, case.t_opened_ns) == (Fault.DROPOUT, 1.0, 102 * S)
    assert not case.growing
    assert case.clip == lines[-1].clip


def test_a_machine_fault_beside_a_sensor_fault_is_named():
    faulty = event_fact(100, 60, sensor=Fault.DROPOUT)
    bearing = event_fact(90, 60, channel="de-v")
    (case,) = cases([faulty, bearing], [diagnosis_fact(110, of=bearing)])
    assert case.fault is Fault.BEARING_OUTER
    assert case.events == (bearing.thing, faulty.thing)


def test_a_clip_that_no_event_asked_for_opens_a_case_by_itself():
    (case,) = cases([], [diagnosis_fact(100, seconds=10)])
    assert (case.fault, case.state, case.events) == (Fault.BEARING_OUTER, "open", ())
    assert (case.t_onset_ns, case.t_detected_ns, case.t_opened_ns) == (90 * S, 100 * S, 100 * S)
    (case,) = cases([], [diagnosis_fact(100, Fault.UNKNOWN, 0.6, severity=ALERT)])
    assert (case.fault, case.probability, case.severity) == (Fault.UNKNOWN, 0.6, ALERT)


def test_severity_is_the_worst_of_what_opened_it_and_mild_company_is_left_out():
    mild = event_fact(0, 10, WATCH, channel="nde-h")
    short = event_fact(5, 10, DANGER, channel="nde-v")
    (case,) = cases([event_fact(10, 50), event_fact(20, 50, ALARM), mild, short])
    assert case.severity is ALARM
    assert case.events == (short.thing, event_fact(10).thing, event_fact(20).thing)
    assert case.t_onset_ns == 10 * S


# -- common causes


def test_what_a_common_cause_explains_is_no_case():
    e = event_fact(100, 50)
    assert cases([e], [diagnosis_fact(104, of=e)], shock(100, 150, e)) == []


def test_a_clip_cut_during_the_shock_shows_the_shock_and_a_later_one_the_machine():
    shaken, own = event_fact(100, 8), event_fact(101, 300, channel="de-v")
    why = shock(100, 108, shaken)
    during = diagnosis_fact(110, Fault.LOOSENESS, 0.99, own)
    after = diagnosis_fact(130, Fault.IMBALANCE, 0.6, own)
    (case,) = cases([shaken, own], [during, after], why)
    assert (case.fault, case.events) == (Fault.IMBALANCE, (own.thing,))
    (case,) = cases([shaken, own], [during], why)
    assert (case.fault, case.t_opened_ns) == (Fault.UNKNOWN, 141 * S)
    assert cases([shaken], [replace(during, event="")], why) == []


# -- what it is called

NAMED = (Fault.IMBALANCE, Fault.MISALIGNMENT, Fault.LOOSENESS)
verdicts = st.lists(
    st.tuples(st.sampled_from((*NAMED, Fault.UNKNOWN)), st.integers(0, 8)), min_size=1, max_size=8
)


def heaviest(clips: list[tuple[Fault, int]]) -> set[Fault]:
    """Faults of the greatest weight, in exact arithmetic: eighths, halved from clip to clip."""
    weight = {
        fault: sum(
            (Fraction(p, 8) / 2**age for age, (f, p) in enumerate(reversed(clips)) if f is fault),
            Fraction(0),
        )
        for fault in NAMED
        if any(f is fault and p >= 4 for f, p in clips)
    }
    return {f for f, w in weight.items() if w == max(weight.values())} or {Fault.UNKNOWN}


@given(verdicts)
def test_newer_clips_count_more(clips):
    e = event_fact(0, 1000)
    found = [(f, p if p >= 4 or f is Fault.UNKNOWN else 0) for f, p in clips]
    diagnoses = [diagnosis_fact(20 * (i + 1), f, p / 8, e) for i, (f, p) in enumerate(found)]
    (case,) = cases([e], diagnoses, recency=0.5)
    assert case.fault in heaviest(found)
    of_it = [d for d in diagnoses if d.fault is case.fault]
    assert case.probability == max((d.probability for d in of_it), default=0.0)
    if case.fault is not Fault.UNKNOWN:
        best = [d.clip for d in of_it if d.probability == case.probability]
        assert case.clip == best[-1]


@pytest.mark.parametrize(
    ("fault", "lines_db", "grows", "severity"),
    [
        (Fault.BEARING_OUTER, (10.0, 13.0), True, ALARM),
        (Fault.BEARING_OUTER, (10.0, 30.0, 12.9), False, ALERT),
        (Fault.BEARING_OUTER, (20.0, 10.0), False, ALERT),
        (Fault.BEARING_OUTER, (40.0,), False, ALERT),
        (Fault.UNKNOWN, (10.0, 13.0), True, ALERT),
    ],
)
def test_a_diagnosed_fault_that_grows_is_an_alarm(fault, lines_db, grows, severity):
    e = event_fact(0, 1000)
    clips = [diagnosis_fact(20 * (i + 1), fault, 0.8, e, strength_db=s) for i, s in
             enumerate(lines_db)]  # fmt: skip
    (case,) = cases([e], clips)
    assert (case.growing, case.severity) == (grows, severity)
    (worse,) = cases([replace(e, severity=DANGER)], clips)
    assert worse.severity is DANGER


# -- one open matter a machine


def test_a_case_is_open_while_an_event_of_it_stands_and_quiet_after():
    past, stands = event_fact(0, 50), event_fact(100, 5, WATCH, standing=True)
    assert [c.state for c in cases([past, stands])] == ["open"]
    (case,) = cases([past, replace(stands, t_clear_ns=106 * S)])
    assert (case.state, case.t_last_ns) == ("quiet", 105 * S)


def test_a_day_of_quiet_separates_matters_and_a_standing_event_joins_them():
    first, later = event_fact(0, 50), event_fact(50 + DAY_S, 50)
    assert len(cases([first, later])) == 1
    one, two = cases([first, replace(later, t_onset_ns=later.t_onset_ns + 1)])
    assert one.id != two.id
    assert [one.t_onset_ns, two.t_onset_ns] == [0, later.t_onset_ns + 1]
    assert len(cases([replace(first, t_clear_ns=None), event_fact(9 * DAY_S, 50)])) == 1


def test_clips_name_only_the_matter_of_their_time():
    first, later = event_fact(0, 50), event_fact(5 * DAY_S, 50)
    old = diagnosis_fact(30, Fault.IMBALANCE, of=first)
    new = diagnosis_fact(5 * DAY_S + 30, Fault.LOOSENESS, of=later)
    found = cases([first, later], [new, old])
    assert [c.fault for c in found] == [Fault.IMBALANCE, Fault.LOOSENESS]


# -- any order, any portion

some_events = st.lists(
    st.builds(
        event_fact,
        st.sampled_from([0.0, 5.0, 9.0, 30.0, 2 * DAY_S]),
        st.sampled_from([1.0, 4.0, 45.0, 300.0]),
        st.sampled_from([WATCH, ALERT, DANGER]),
        standing=st.booleans(),
        sensor=st.sampled_from([None, None, Fault.BIAS, Fault.SPIKE]),
        delay_s=st.sampled_from([1.0, 10.0]),
        channel=st.sampled_from(["de-h", "de-v", "nde-h"]),
    ),
    max_size=6,
    unique_by=lambda e: e.thing,
)
some_diagnoses = st.lists(
    st.tuples(
        st.sampled_from([3.0, 8.0, 20.0, 60.0, 2 * DAY_S + 7]),
        st.sampled_from([*NAMED, Fault.UNKNOWN, Fault.CLIPPING, Fault.BIAS]),
        st.sampled_from([0.4, 0.5, 0.55, 0.7, 0.9]),
        st.integers(-1, 5),
        st.sampled_from([5.0, 8.0, 11.0]),
        st.sampled_from(["", "b"]),
    ),
    max_size=8,
)


def facts_of(events, drawn):
    """Events, and diagnoses of clips at a few instants of which some are of two clips."""
    diagnoses = [
        diagnosis_fact(
            t,
            fault,
            p,
            events[i] if 0 <= i < len(events) else None,
            strength_db=db,
            clip=f"clip:{M}:{t}{name}",
        )
        for t, fault, p, i, db, name in drawn
    ]
    return events, diagnoses


@given(some_events, some_diagnoses, st.randoms(), st.integers(0, 2))
def test_the_order_of_arrival_does_not_matter(events, drawn, random, explained):
    events, diagnoses = facts_of(events, drawn)
    why = shock(0, 6, *events[:explained])
    found = cases(events, diagnoses, why)
    random.shuffle(events := list(events))
    random.shuffle(diagnoses)
    assert cases(events, diagnoses, why) == found


@given(some_events, some_diagnoses)
def test_only_the_last_case_is_open_and_none_overlaps(events, drawn):
    found = cases(*facts_of(events, drawn))
    assert all(c.state == "quiet" for c in found[:-1])
    for before, after in pairwise(found):
        assert after.t_onset_ns > before.t_last_ns + DAY_S * S
    grouped = [thing for c in found for thing in c.events]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= {e.thing for e in events}
    for c in found:
        assert c.t_onset_ns <= c.t_detected_ns <= c.t_opened_ns


def known_at(t_s: float, events, diagnoses):
    """What had been learned by an instant: events as far as they had lasted, clips that ended."""
    now = round(t_s * S)
    seen = [
        replace(
            e,
            t_last_ns=min(e.t_last_ns, now),
            t_clear_ns=e.t_clear_ns if e.t_clear_ns and e.t_clear_ns <= now else None,
        )
        for e in events
        if e.t_detected_ns <= now
    ]
    return seen, [d for d in diagnoses if d.t_ns <= now]


@given(some_events, some_diagnoses)
def test_a_case_keeps_its_identity_and_its_opening_while_it_unfolds(events, drawn):
    events, diagnoses = facts_of(events, drawn)
    before: dict[str, int] = {}
    for t_s in (1, 4, 6, 9, 13, 20, 45, 60, 80, 400, 2 * DAY_S + 60, 2 * DAY_S + 500):
        now = {c.id: c.t_opened_ns for c in cases(*known_at(t_s, events, diagnoses))}
        assert before.items() <= now.items()
        before = now
