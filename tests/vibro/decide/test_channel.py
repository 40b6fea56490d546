"""The decisions on one channel: persistence, hysteresis, severities, NaN and restarts."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.decide import ChannelDecider, DecisionRules, Window
from vibro.faults import Fault, Severity
from vibro.iso10816 import limits

NAN = math.nan
RATE = 25600
HOP, FAST, LONG_HOP, LONG = 2048, 4096, 40960, 81920
FULL = 490.0
ISO = limits(75.0, 2, "rigid")
RULES = DecisionRules()


def ns(sample: int) -> int:
    return round(sample * 1e9 / RATE)


def fast(k: int, p: float = 0.5, **facts) -> Window:
    """The k-th fast window: healthy unless said otherwise."""
    first = k * HOP
    given = {"rms_m_s2": 2.0, "peak_m_s2": 8.0, "mean_m_s2": 0.1, "repeat_share": 0.01}
    score = facts.pop("score", 0.4)
    return Window("fast", first, ns(first), ns(first + FAST), score, p, 1480.0, **given | facts)


def long(k: int, p: float = 0.5, mm_s: float = 1.0, um: float = 5.0, score: float = 0.4) -> Window:
    first = k * LONG_HOP
    return Window(
        "long",
        first,
        ns(first),
        ns(first + LONG),
        score,
        p,
        1480.0,
        velocity_mm_s=mm_s,
        displacement_um=um,
    )


def decider(iso=ISO, **rules) -> ChannelDecider:
    return ChannelDecider(DecisionRules(**rules), FULL, iso)


def run(d: ChannelDecider, windows) -> list:
    return [c for w in windows if (c := d.window(w)) is not None]


def test_healthy_windows_change_nothing():
    d = decider()
    assert run(d, [fast(k) for k in range(100)]) == []
    assert run(d, [long(k) for k in range(20)]) == []
    assert d.severity is Severity.OK


@pytest.mark.parametrize("odd", range(17))
def test_n_of_the_last_m_windows_make_an_event(odd):
    """Whatever their order, exactly ``fast_n`` odd windows among ``fast_m`` are needed."""
    d = decider()
    windows = [fast(k, 1e-5 if k < odd else 0.5) for k in range(RULES.fast_m)]
    changes = run(d, windows)
    assert [c.what for c in changes] == ["opened"] * (odd >= RULES.fast_n)
    assert d.severity is (Severity.WATCH if odd >= RULES.fast_n else Severity.OK)


def test_odd_windows_spread_too_thin_never_add_up():
    d = decider()
    assert run(d, [fast(k, 1e-12 if k % 2 else 0.5) for k in range(400)]) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), max_size=60), st.integers(1, 8), st.integers(0, 8))
def test_persistence_is_a_sliding_count(odd, n, more):
    m = n + more
    d = decider(fast_n=n, fast_m=m, clear_s=1e9)
    opened = next((i for i, w in enumerate(odd) if run(d, [fast(i, 1e-5 if w else 0.5)])), None)
    counts = [sum(odd[max(0, i - m + 1) : i + 1]) for i in range(len(odd))]
    assert opened == next((i for i, c in enumerate(counts) if c >= n), None)


def test_the_paths_count_apart():
    d = decider()
    windows = [fast(k, 1e-5) for k in range(RULES.fast_n - 1)]
    windows += [long(k, 1e-5) for k in range(RULES.long_n - 1)]
    assert run(d, windows) == []
    (change,) = run(d, [long(RULES.long_n - 1, 1e-5)])
    assert change.causes == ("forest_long",)


def test_a_score_alone_never_exceeds_alert():
    d = decider()
    windows = [fast(k, 1e-30, score=1.0) for k in range(40)]
    windows += [long(k, 1e-30, score=1.0) for k in range(40)]
    changes = run(d, windows)
    assert max(c.severity for c in changes) is d.severity is Severity.ALERT


@pytest.mark.parametrize(
    ("p", "severity"),
    [(RULES.p_watch, None), (9.9e-5, Severity.WATCH), (9.9e-9, Severity.ALERT), (NAN, None)],
)
def test_how_unlikely_decides_how_urgent(p, severity):
    changes = run(decider(), [fast(k, p) for k in range(30)])
    assert (changes[0].severity if changes else None) is severity


@pytest.mark.parametrize(
    ("mm_s", "um", "severity", "causes"),
    [
        (1.4, 22.0, None, None),  # A
        (2.8, 45.0, None, None),  # B, on its boundary
        (2.9, 5.0, Severity.ALERT, ("iso_velocity",)),  # C
        (4.6, 5.0, Severity.DANGER, ("iso_velocity",)),  # D
        (1.0, 46.0, Severity.ALERT, ("iso_displacement",)),
        (1.0, 72.0, Severity.DANGER, ("iso_displacement",)),
        (2.9, 72.0, Severity.DANGER, ("iso_displacement",)),
        (2.9, NAN, Severity.ALERT, ("iso_velocity",)),
        (NAN, 72.0, Severity.DANGER, ("iso_displacement",)),
        (NAN, NAN, None, None),
    ],
)
def test_iso_zones_are_severities_of_their_own(mm_s, um, severity, causes):
    d = decider()
    changes = run(d, [long(k, NAN, mm_s, um, NAN) for k in range(6)])
    assert [(c.severity, c.causes) for c in changes] == ([(severity, causes)] if severity else [])
    assert run(decider(iso=None), [long(k, NAN, mm_s, um, NAN) for k in range(6)]) == []


@pytest.mark.parametrize(("now", "severity"), [(1.69, None), (1.71, "watch"), (0.29, "watch")])
def test_a_change_of_a_quarter_of_b_c_either_way_is_watch(now, severity):
    d = decider()
    d.reference_mm_s = 1.0  # B/C of this machine is 2.8 mm/s
    changes = run(d, [long(k, mm_s=now) for k in range(6)])
    assert [c.severity.word for c in changes] == [severity] * bool(severity)
    assert [c.causes for c in changes] == [("iso_change",)] * bool(severity)


def test_without_a_reference_there_is_no_change():
    assert run(decider(), [long(k, mm_s=2.7) for k in range(9)]) == []


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        ({"rms_m_s2": 1e-4, "peak_m_s2": 2e-4}, Fault.FLATLINE),
        ({"repeat_share": 1.0, "rms_m_s2": 0.0}, Fault.FLATLINE),
        ({"repeat_share": 0.99}, Fault.FLATLINE),
        ({"peak_m_s2": 489.9}, Fault.CLIPPING),
        ({"peak_m_s2": 400.0, "mean_m_s2": -89.0}, Fault.CLIPPING),
        ({"mean_m_s2": 100.0}, Fault.BIAS),
        ({"mean_m_s2": -100.0}, Fault.BIAS),
        ({"repeat_share": 0.4}, Fault.DROPOUT),
    ],
)
def test_sensor_faults_are_told_from_the_machines(facts, fault):
    d = decider()
    (change,) = run(d, [fast(k, 1e-30, **facts) for k in range(20)])
    assert change.sensor_fault is fault
    assert change.causes == (f"sensor:{fault.value}",)
    assert fault.is_sensor_fault


@pytest.mark.parametrize(
    "facts", [{"peak_m_s2": 480.0}, {"mean_m_s2": 97.0}, {"repeat_share": 0.24}, {}]
)
def test_what_a_sound_sensor_may_do(facts):
    assert run(decider(), [fast(k, **facts) for k in range(40)]) == []


def test_windows_of_nothing_but_nan_are_no_reason_to_worry():
    d = decider()
    blank = dict.fromkeys(("rms_m_s2", "peak_m_s2", "mean_m_s2", "repeat_share"), NAN)
    windows = [fast(k, NAN, score=NAN, **blank) for k in range(40)]
    assert run(d, windows) == []


def test_an_event_grows_and_clears_and_its_revisions_say_so():
    d = decider(iso=None)
    changes = run(d, [fast(k, 1e-5, score=0.6) for k in range(20)])
    changes += run(d, [fast(k, 1e-12, score=0.8) for k in range(20, 60)])
    changes += run(d, [fast(k, score=0.4) for k in range(60, 160)])
    assert [c.what for c in changes] == ["opened", "grown", "cleared"]
    assert [c.revision for c in changes] == [0, 1, 2]
    assert len({(c.onset_sample, c.t_onset_ns) for c in changes}) == 1
    assert [c.severity for c in changes] == [Severity.WATCH, Severity.ALERT, Severity.ALERT]
    opened, grown, cleared = changes
    assert (opened.t_clear_ns, grown.t_clear_ns) == (None, None)
    assert (opened.score, cleared.score, cleared.p_value) == (0.6, 0.8, 1e-12)
    # Window 59 was the last odd one; up to window 65 there are still ten among the last sixteen.
    assert cleared.t_last_ns == cleared.t_clear_ns == fast(65).end_ns
    assert cleared.t_decided_ns - cleared.t_clear_ns >= RULES.clear_s * 1e9
    assert d.severity is Severity.OK


def test_a_new_cause_is_growth_even_when_no_worse():
    d = decider()
    changes = run(d, [fast(k, 1e-12) for k in range(20)])
    changes += run(d, [long(k, mm_s=3.0) for k in range(4)])
    assert [(c.what, c.causes) for c in changes] == [
        ("opened", ("forest_fast",)),
        ("grown", ("forest_fast", "iso_velocity")),
    ]


def test_a_short_calm_does_not_end_an_event():
    """Hysteresis: only ``clear_s`` without any trigger ends it, and then the next is another."""
    d = decider(clear_s=5.0)
    calm = round(4.0 * RATE / HOP)
    windows = []
    for _ in range(6):
        windows += [1e-5] * 20 + [0.5] * calm
    changes = run(d, [fast(k, p) for k, p in enumerate(windows)])
    assert [c.what for c in changes] == ["opened"]
    at = len(windows)
    changes += run(d, [fast(at + k) for k in range(100)])
    changes += run(d, [fast(at + 100 + k, 1e-5) for k in range(20)])
    assert [(c.what, c.revision) for c in changes[1:]] == [("cleared", 1), ("opened", 0)]
    assert changes[2].onset_sample > changes[1].onset_sample


EVERY = st.builds(
    lambda path, p, mm_s, peak, repeat: (
        path,
        {"p": p} | ({"peak_m_s2": peak, "repeat_share": repeat} if path else {"mm_s": mm_s}),
    ),
    st.booleans(),
    st.sampled_from([0.5, 1e-5, 1e-9, 1e-20, NAN]),
    st.sampled_from([1.0, 3.0, 5.0, NAN]),
    st.sampled_from([8.0, 8.0, 489.9]),
    st.sampled_from([0.01, 0.01, 0.3, 1.0]),
)


def windows_of(steps) -> list[Window]:
    found, at = [], {True: 0, False: 0}
    for is_fast, facts in steps:
        for _ in range(12 if is_fast else 4):  # long enough to mean something
            found.append((fast if is_fast else long)(at[is_fast], **facts))
            at[is_fast] += 1
    return sorted(found, key=lambda w: (w.end_ns, w.path))


@settings(max_examples=60, deadline=None)
@given(st.lists(EVERY, max_size=14), st.integers(0, 200))
def test_a_restart_at_any_window_changes_nothing(steps, cut):
    windows = windows_of(steps)
    whole = decider(fast_n=4, fast_m=6)
    whole.reference_mm_s = 1.1
    expected = run(whole, windows)
    first = decider(fast_n=4, fast_m=6)
    first.reference_mm_s = 1.1
    found = run(first, windows[:cut])
    held = json.dumps(first.snapshot())
    second = decider(fast_n=4, fast_m=6)
    second.restore(json.loads(held))
    assert json.dumps(second.snapshot()) == held
    found += run(second, windows[cut:])
    assert repr(found) == repr(expected)  # NaN is equal to itself there
    assert json.dumps(second.snapshot()) == json.dumps(whole.snapshot())


@settings(max_examples=60, deadline=None)
@given(st.lists(EVERY, max_size=14))
def test_what_is_true_of_every_history(steps):
    """Events alternate between open and over, only ever grow, and never overlap."""
    open_event, over_ns, seen = None, -1, set()
    for c in run(decider(fast_n=4, fast_m=6), windows_of(steps)):
        assert c.t_onset_ns <= c.t_last_ns <= c.t_decided_ns
        assert (c.onset_sample, c.revision) not in seen
        seen.add((c.onset_sample, c.revision))
        if c.what == "opened":
            assert open_event is None
            assert c.t_decided_ns > over_ns
        else:
            assert c.onset_sample == open_event.onset_sample
            assert c.revision == open_event.revision + 1
            assert c.severity >= open_event.severity
            assert set(c.causes) >= set(open_event.causes)
            assert not c.score < open_event.score
            assert not c.p_value > open_event.p_value
        if c.what == "cleared":
            assert c.t_clear_ns <= c.t_decided_ns
            over_ns = c.t_decided_ns
        open_event = None if c.what == "cleared" else c


def test_a_snapshot_is_not_a_window_into_the_decider():
    d = decider()
    run(d, [fast(k, 1e-5) for k in range(12)])
    held = d.snapshot()
    before = json.dumps(held)
    run(d, [fast(k, 1e-12) for k in range(12, 40)])
    assert json.dumps(held) == before
