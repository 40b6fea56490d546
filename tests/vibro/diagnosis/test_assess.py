"""The whole verdict on a clip: what is said, how surely, and what is left unsaid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vibro.diagnosis.machines import (
    RATE,
    RPM,
    damaged,
    healthy,
    noise,
    order_tone,
    point,
    ringing,
)
from vibro.diagnosis import assess, reference_of
from vibro.faults import Fault, Severity
from vibro.iso10816 import limits

POINTS = [point("de-h", "H"), point("de-v", "V")]
LIMITS = limits(45.0, 2, "rigid")


def pair(seed: int) -> np.ndarray:
    return np.array([healthy(2 * seed), healthy(2 * seed + 1)])


def grown_noise(seed: int, factor: float, low_hz: float, high_hz: float) -> np.ndarray:
    """A sound machine whose noise in a band has grown, without any line."""
    x = healthy(seed)
    bins = np.fft.rfft(noise(seed + 100))
    f = np.fft.rfftfreq(x.size, 1 / RATE)
    band = np.fft.irfft(np.where((f > low_hz) & (f < high_hz), bins, 0), x.size)
    return x + np.sqrt(factor**2 - 1) * band


@pytest.mark.parametrize("level", [0.0, 3.0])
def test_a_machine_that_stands_still_is_neither_ill_nor_well(level):
    x = level + noise(1, 0.005)[None]
    found = assess(x, RATE, np.nan, POINTS[:1])
    assert found.stopped
    assert found.severity is Severity.OK
    assert found.diagnoses == ()
    assert "stands still" in found.notes[0]


def test_silence_of_a_machine_that_is_known_to_turn_is_the_sensors_fault():
    reference = reference_of(pair(1), RATE, RPM, POINTS)
    found = assess(np.zeros((2, 51200)), RATE, RPM, POINTS, reference=reference)
    assert not found.stopped
    assert [d.fault for d in found.diagnoses] == [Fault.FLATLINE]
    # With the speed at zero the same silence is that of a machine at rest.
    assert assess(np.zeros((2, 51200)), RATE, 0.0, POINTS, reference=reference).stopped


def test_what_came_before_the_start_tells_nothing():
    quiet = np.concatenate([noise(1, 1e-3, 2.0), damaged("bearing_outer", 2)])
    found = assess(quiet[None], RATE, RPM, POINTS[:1])
    assert [d.fault for d in found.diagnoses] == [Fault.BEARING_OUTER]
    # The level is that of running, not an average over the rest before it.
    running = assess(quiet[None, 25600:], RATE, RPM, POINTS[:1])
    assert found.velocity_mm_s == pytest.approx(running.velocity_mm_s, rel=0.02)


def test_no_more_than_ten_seconds_are_read():
    x = np.concatenate([healthy(1, seconds=10.0), 50.0 * noise(2)])
    found = assess(x[None], RATE, RPM, POINTS[:1])
    assert found == assess(x[None, : round(10 * RATE)], RATE, RPM, POINTS[:1])


@pytest.mark.parametrize("rpm", [np.nan, 0.0, -1480.0, np.inf])
def test_without_a_speed_nothing_is_named_but_the_levels_stand(rpm):
    x = damaged("bearing_outer", 1)[None]
    found, known = (assess(x, RATE, s, POINTS[:1], iso=LIMITS) for s in (rpm, RPM))
    assert all(d.fault is Fault.UNKNOWN for d in found.diagnoses)
    assert "speed is not known" in found.notes[0]
    assert found.velocity_mm_s == known.velocity_mm_s
    assert found.zone == known.zone


def test_a_speed_too_slow_to_resolve_is_answered_at_once_and_said():
    found = assess(pair(1), RATE, 1e-3, POINTS)
    assert found.diagnoses == ()
    assert "fewer than 8 turns" in found.notes[0]
    assert "de-h, de-v" in found.notes[0]


@pytest.mark.parametrize("samples", [0, 1, 16, 63])
def test_a_clip_too_short_to_judge_says_so(samples):
    found = assess(pair(1)[:, :samples], RATE, RPM, POINTS)
    assert found.diagnoses == ()
    assert "not assessed" in found.notes[0]


def test_no_channel_at_all_says_so():
    assert "not assessed" in assess(np.zeros((0, 500)), RATE, RPM, []).notes[0]


@settings(max_examples=120, deadline=None)
@given(
    st.integers(64, 4000), st.sampled_from([100.0, 2560.0, 12800.0, 1e6]),
    st.sampled_from([np.nan, 0.0, 1.0, 60.0, 1480.0, 6e4, 1e9]), st.integers(0, 10**6),
    st.sampled_from(["noise", "constant", "zeros", "nan", "some nan", "inf", "huge", "impulse"]),
    st.booleans(),
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_no_input_crashes_it_and_every_answer_is_finite(n, rate, rpm, seed, kind, trend):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, n))
    reference = reference_of(x[::-1], rate, rpm, POINTS) if trend else None
    made = {
        "noise": x,
        "constant": np.full((2, n), 3.0),
        "zeros": np.zeros((2, n)),
        "nan": np.full((2, n), np.nan),
        "some nan": np.where(rng.uniform(size=(2, n)) < 0.1, np.nan, x),
        "inf": np.where(rng.uniform(size=(2, n)) < 0.1, np.inf, x),
        "huge": 1e9 * x,
        "impulse": np.eye(2, n, 5),
    }[kind]
    found = assess(made, rate, rpm, POINTS, iso=LIMITS, reference=reference)
    for values in (found.velocity_mm_s, found.displacement_um, found.kurtosis):
        assert np.isfinite(values).all()
    assert all(0.0 <= d.probability <= 1.0 for d in found.diagnoses)
    assert all(d.channel in {"de-h", "de-v"} for d in found.diagnoses)
    assert found.severity >= max((d.severity for d in found.diagnoses), default=Severity.OK)
    if kind in {"nan", "inf", "some nan"}:
        assert {d.fault for d in found.diagnoses} == {Fault.DROPOUT}


def test_faults_are_ranked_and_each_is_told_once_from_its_best_channel():
    x = np.array([damaged("bearing_outer", 1, size=3.0), damaged("bearing_outer", 2, size=10.0)])
    x += order_tone(1, 9.0)
    found = assess(x, RATE, RPM, POINTS, iso=LIMITS)
    faults = [d.fault for d in found.diagnoses]
    assert faults.count(Fault.BEARING_OUTER) == 1
    assert len(faults) == len(set(faults)) == 2
    chances = [d.probability for d in found.diagnoses]
    assert chances == sorted(chances, reverse=True)
    assert found.severity is Severity.DANGER  # 9 mm/s is zone D


def test_what_is_named_leaves_no_unknown_beside_it():
    before = reference_of(pair(1), RATE, RPM, POINTS)
    x = np.array([damaged("bearing_outer", 1, size=25.0), grown_noise(2, 5.0, 1600, 3200)])
    found = assess(x, RATE, RPM, POINTS, reference=before)
    assert [d.fault for d in found.diagnoses] == [Fault.BEARING_OUTER]


@pytest.mark.parametrize(("factor", "severity"), [(3.0, Severity.WATCH), (6.0, Severity.ALERT)])
def test_noise_that_has_grown_without_lines_is_abnormal_of_unknown_type(factor, severity):
    before = reference_of(healthy(5)[None], RATE, RPM, POINTS[:1])
    x = grown_noise(6, factor, 1600, 3200)[None]
    found = assess(x, RATE, RPM, POINTS[:1], reference=before)
    assert [d.fault for d in found.diagnoses] == [Fault.UNKNOWN]
    assert found.severity is severity
    assert "1600-3200 Hz" in found.diagnoses[0].note
    assert assess(x, RATE, RPM, POINTS[:1]).diagnoses == ()  # nobody knows that it was quieter


@pytest.mark.parametrize(("size", "severity"), [(8.5, Severity.WATCH), (60.0, Severity.ALERT)])
def test_impacts_throughout_that_no_line_explains_are_abnormal(size, severity):
    rng = np.random.default_rng(7)
    at = np.sort(rng.uniform(0, 3.99, 60))
    x = healthy(7) + ringing(at, np.full(60, size))
    found = assess(x[None], RATE, RPM, POINTS[:1])
    assert [d.fault for d in found.diagnoses] == [Fault.UNKNOWN]
    assert found.severity is severity
    assert found.kurtosis[0] > 5


def test_a_single_blow_is_no_fault():
    x = healthy(8) + ringing([1.7], [400.0])
    assert assess(x[None], RATE, RPM, POINTS[:1]).diagnoses == ()


def test_what_was_impulsive_at_commissioning_may_stay_so():
    rng = np.random.default_rng(9)

    def hammer(seed):
        at = np.sort(rng.uniform(0, 3.99, 60))
        return healthy(seed) + ringing(at, np.full(60, 30.0))

    before = reference_of(hammer(1)[None], RATE, RPM, POINTS[:1])
    assert assess(hammer(2)[None], RATE, RPM, POINTS[:1], reference=before).diagnoses == ()
    assert assess(hammer(2)[None], RATE, RPM, POINTS[:1]).diagnoses != ()


def test_the_worst_zone_of_all_channels_is_the_machines():
    x = np.array([noise(1, 0.3) + order_tone(1, 1.0), noise(2, 0.3) + order_tone(1, 3.5)])
    found = assess(x, RATE, RPM, POINTS, iso=LIMITS)
    assert found.zone == "C"
    assert found.severity is Severity.ALERT
    assert found.velocity_mm_s == pytest.approx((1.0, 3.5), rel=0.05)
    assert assess(x, RATE, RPM, POINTS).zone == ""


def test_the_order_of_channels_changes_no_verdict():
    x = np.array([damaged("bearing_inner", 1), healthy(3)])
    one = assess(x, RATE, RPM, POINTS)
    other = assess(x[::-1], RATE, RPM, POINTS[::-1])
    assert one.diagnoses == other.diagnoses
    assert one.velocity_mm_s == other.velocity_mm_s[::-1]


def test_the_same_clip_gives_the_same_verdict_in_any_number_format():
    x = damaged("bearing_outer", 1)[None]
    one = assess(x, RATE, RPM, POINTS[:1])
    assert assess(x.copy(), RATE, RPM, POINTS[:1]) == one
    single = assess(x.astype(np.float32), RATE, RPM, POINTS[:1])
    assert [d.fault for d in single.diagnoses] == [d.fault for d in one.diagnoses]


def test_as_many_points_as_channels_are_needed():
    with pytest.raises(ValueError, match="shorter"):
        assess(pair(1), RATE, RPM, POINTS[:1])
