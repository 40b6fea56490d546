"""Sensor faults: when the measurement is broken it is said so, and no machine is accused."""

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
    tone,
)
from vibro.diagnosis import assess, reference_of
from vibro.diagnosis.assess import STOPPED_M_S2
from vibro.diagnosis.sensors import sensor_finding
from vibro.faults import Fault, Severity

STEP = 490.0 / 32768  # of a 16-bit converter


def counts(x: np.ndarray) -> np.ndarray:
    return np.rint(x / STEP) * STEP


def fault_of(x) -> Fault | None:
    found = sensor_finding(np.asarray(x, np.float64), point())
    assert found is None or found.severity is Severity.ALERT
    return found.fault if found else None


SOUND = {
    "noise": noise(1),
    "machine": healthy(2),
    "bearing": damaged("bearing_inner", 3, size=40.0),
    "tone": tone(24.7, 30.0),
    "tone in counts": counts(tone(24.7, 30.0)),
    "small tone in counts": counts(tone(24.7, 20 * STEP)),
    "one shock": healthy(4) + ringing([1.0], [300.0]),
    "a few shocks": healthy(4) + ringing([1.0, 1.7, 3.1], [300.0] * 3, hz=1200.0),
    "gravity": healthy(5) + 9.81,
    "a slow tone on gravity": 9.81 + tone(3.0, 0.02),
    "shocks to one side": noise(9) + 80.0 * np.exp(-40.0 * (np.arange(51200) / RATE % 0.5)),
    "imbalance": noise(6, 0.1) + order_tone(1, 20.0),
    "short": noise(7)[:64],
    "short in counts": counts(noise(7)[:200]),
    "standing still": counts(noise(8, 0.6 * STEP)),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_sensor_is_not_accused(name):
    assert fault_of(SOUND[name]) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(64, 3000), st.integers(0, 10**6), st.floats(0.1, 100.0), st.booleans())
def test_noise_of_any_length_and_level_is_sound(n, seed, scale, digital):
    x = scale * np.random.default_rng(seed).standard_normal(n)
    assert fault_of(counts(x) if digital else x) is None


@settings(max_examples=30, deadline=None)
@given(st.floats(0.02, 0.9), st.floats(1.0, 30.0), st.booleans(), st.integers(0, 99))
def test_clipping_is_found_whatever_share_is_cut(share, scale, digital, seed):
    x = scale * healthy(seed)
    top = np.quantile(np.abs(x), 1 - share)
    cut = np.clip(x, -top, top)
    assert fault_of(counts(cut) if digital else cut) is Fault.CLIPPING


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("offset", [0.0, 9.81])
def test_clipping_of_one_side_alone_is_found(sign, offset):
    x = healthy(1)
    assert fault_of(sign * np.minimum(x, np.quantile(x, 0.97)) + offset) is Fault.CLIPPING


def test_a_signal_driven_into_its_limits_is_clipping_and_not_imbalance():
    """Overdriven, even a quiet machine looks like a square wave of 1x; that accuses no one."""
    points = [point("de-h", "H"), point("de-v", "V")]
    quiet = [noise(1, 0.3) + order_tone(1, 0.6), noise(2, 0.3) + order_tone(1, 0.5, -1.57)]
    reference = reference_of(np.array(quiet), RATE, RPM, points)
    driven = np.clip(8000.0 * np.array(quiet), -490.0, 490.0)
    found = assess(driven, RATE, RPM, points, reference=reference)
    assert [d.fault for d in found.diagnoses] == [Fault.CLIPPING]


@pytest.mark.parametrize("level", [0.0, 3.0, -7.5])
def test_a_signal_that_does_not_move_is_flat(level):
    assert fault_of(np.full(5000, level)) is Fault.FLATLINE
    assert fault_of(level + 1e-5 * noise(1)) is Fault.FLATLINE


def gated(x: np.ndarray, share: float, hold: bool) -> np.ndarray:
    """Break off three times a second, to zero or to the last value."""
    out, period = x.copy(), round(RATE / 3)
    for first in range(period // 2, x.size, period):
        span = slice(first, first + round(share * period))
        out[span] = x[first - 1] if hold else 0.0
    return out


@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("share", [0.2, 0.4])
def test_a_signal_that_breaks_off_is_a_dropout(share, hold):
    assert fault_of(gated(healthy(1), share, hold)) is Fault.DROPOUT


def test_a_machine_that_coasts_to_a_stop_is_no_dropout():
    fading = np.exp(-4.0 * np.arange(51200) / RATE)
    assert fault_of(counts(healthy(1) * fading)) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_lost_ones(value):
    x = healthy(1)
    x[300] = value
    found = sensor_finding(x, point())
    assert found is not None
    assert found.fault is Fault.DROPOUT
    assert "1 of 51200 samples" in found.note


@pytest.mark.parametrize("level", [60.0, -147.0])
def test_an_offset_beyond_gravity_and_a_tenth_of_the_range_is_bias(level):
    assert fault_of(healthy(1) + level) is Fault.BIAS
    assert fault_of(healthy(1) + level / 4) is None


def test_what_is_much_for_a_small_sensor_is_little_for_a_large_one():
    x = healthy(1) + 60.0
    assert sensor_finding(x, point(range_m_s2=4900.0)) is None
    assert sensor_finding(x, point(range_m_s2=98.0)) is not None


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 60), st.floats(25.0, 400.0), st.integers(0, 99))
def test_single_samples_far_out_are_spikes(count, height, seed):
    rng = np.random.default_rng(seed)
    x = healthy(seed)
    at = 20 + rng.permutation(x.size // 20 - 2)[:count] * 20
    x[at] += height * rng.choice([-1, 1], count)
    assert fault_of(x) is Fault.SPIKE


def test_one_spike_is_not_enough_to_condemn_a_sensor():
    x = healthy(1)
    x[[500, 9000]] = 200.0
    assert fault_of(x) is None


@pytest.mark.parametrize("hz", [400.0, 1500.0, 3300.0, 5000.0])
def test_impacts_of_the_machine_are_no_spikes(hz):
    at = np.arange(0.05, 3.9, 0.3)
    assert fault_of(healthy(1) + ringing(at, np.full(at.size, 200.0), hz=hz)) is None


def test_a_sensor_that_has_come_loose_is_found_against_its_commissioning():
    points = [point("de-h", "H"), point("de-v", "V")]
    both = np.array([healthy(1), healthy(2)])
    reference = reference_of(both, RATE, RPM, points)
    both[1] *= 0.08
    found = assess(both, RATE, RPM, points, reference=reference)
    assert [(d.fault, d.channel) for d in found.diagnoses] == [(Fault.DETACHED, "de-v")]
    # The whole machine is quieter at a much lower speed: that says nothing of the sensor.
    slow = np.array([healthy(1, 500.0), healthy(2, 500.0)])
    assert assess(0.08 * slow, RATE, 500.0, points, reference=reference).diagnoses == ()
    assert assess(0.08 * slow, RATE, np.nan, points, reference=reference).diagnoses == ()


@pytest.mark.parametrize(
    "spoil",
    [
        np.zeros_like,
        lambda x: np.clip(2000 * x, -490, 490),
        lambda x: gated(x, 0.4, hold=False),
        lambda x: np.full_like(x, np.nan),
        lambda x: x + 147.0,
    ],
)
def test_a_broken_sensor_does_not_stop_the_other_from_being_heard(spoil):
    points = [point("de-h", "H"), point("de-v", "V")]
    x = np.array([spoil(healthy(1)), damaged("bearing_outer", 2)])
    found = assess(x, RATE, RPM, points)
    channels = {d.channel: d.fault for d in found.diagnoses}
    assert channels["de-h"].is_sensor_fault
    assert channels["de-v"] is Fault.BEARING_OUTER
    assert len(found.kurtosis) == len(found.velocity_mm_s) == 1


def test_a_machine_that_stands_is_not_a_sensor_that_came_loose():
    """The speed may be only nominal: below what a running machine does nothing is said of it."""
    points = [point("de-h", "H")]
    running = np.array([healthy(1)])
    reference = reference_of(running, RATE, RPM, points)
    for share in (0.1, 0.5, 0.9):
        stands = running / running.std() * share * STOPPED_M_S2
        found = assess(stands, RATE, RPM, points, reference=reference)
        assert Fault.DETACHED not in [d.fault for d in found.diagnoses]
