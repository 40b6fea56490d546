"""Faults of the shaft: growth of orders against commissioning, or beyond the ISO zones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vibro.diagnosis.machines import RATE, RPM, damaged, healthy, noise, order_tone, point
from vibro.diagnosis import assess, reference_of
from vibro.faults import Fault, Severity
from vibro.iso10816 import limits

H, V = point("de-h", "H"), point("de-v", "V")
LIMITS = limits(45.0, 2, "rigid")
ROTATING = {"de-h": 0.0, "de-v": -np.pi / 2}  # a turning force reaches V a quarter turn later


def sound(seed: int) -> np.ndarray:
    return 0.3 * noise(seed) + order_tone(1, 0.4, seed) + order_tone(2, 0.15, 2 * seed)


def clip(*orders, phases=ROTATING, seed=0) -> np.ndarray:
    """Both axes of a machine with orders (order, mm/s, phase) on top of what it always had."""
    rows = []
    for i, lag in enumerate(phases.values(), 1):
        added = sum(order_tone(k, mm_s, phase + lag) for k, mm_s, phase in orders)
        rows.append(sound(10 * seed + i) + added)
    return np.array(rows)


BEFORE = reference_of(clip(), RATE, RPM, [H, V])


def named(x, rpm=RPM, points=(H, V), reference=BEFORE, **more):
    found = assess(x, RATE, rpm, points, reference=reference, **more)
    return [d.fault for d in found.diagnoses], found


@settings(max_examples=8, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(3.0, 12.0), st.integers(0, 50), st.floats(-1.0, 1.0))
def test_a_turning_force_is_imbalance(phase, mm_s, seed, turned):
    lag = {"de-h": 0.0, "de-v": np.copysign(np.pi / 2 + 0.3 * turned, turned)}
    faults, found = named(clip((1, mm_s, phase), phases=lag, seed=seed))
    assert faults == [Fault.IMBALANCE]
    line = found.diagnoses[0].evidence[0]
    assert line.line == "1x"
    assert line.found_hz == pytest.approx(RPM / 60, abs=0.125)
    assert line.snr_db > line.decoy_snr_db + 10
    assert found.severity is Severity.ALERT


@settings(max_examples=8, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-0.9, 0.9), st.booleans())
def test_one_x_in_line_with_itself_is_not_called_imbalance(phase, off, against):
    lag = {"de-h": 0.0, "de-v": off + (np.pi if against else 0.0)}
    assert named(clip((1, 6.0, phase), phases=lag))[0] == [Fault.ONE_X_FAMILY]


def test_one_axis_alone_cannot_tell_imbalance():
    x = clip((1, 6.0, 0.5))
    alone = reference_of(clip()[:1], RATE, RPM, [H])
    assert named(x[:1], points=[H], reference=alone)[0] == [Fault.ONE_X_FAMILY]
    # An axis at another bearing, or one that hardly moves, tells no more.
    assert named(x, points=[H, point("nde-v", "V")])[0] == [Fault.ONE_X_FAMILY]
    assert named(np.array([x[0], 0.3 * noise(4)]))[0] == [Fault.ONE_X_FAMILY]


@settings(max_examples=8, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(2.0, 8.0), st.floats(0.0, 1.4))
def test_twice_a_turn_is_misalignment(phase, mm_s, once):
    x = clip((1, once * mm_s, 1.0), (2, mm_s, phase), (3, 0.3 * mm_s, 0.0))
    faults, found = named(x)
    assert faults == [Fault.MISALIGNMENT]
    assert "2x" in {e.line for e in found.diagnoses[0].evidence[:2]}


def test_many_orders_and_half_orders_are_looseness():
    orders = [(k / 2, 2.0 if k % 2 == 0 else 0.9, 0.7 * k) for k in range(1, 15)]
    assert named(clip(*orders))[0] == [Fault.LOOSENESS]
    # Without the half orders nothing tells looseness from other causes of many harmonics.
    whole = [(k, 1.5, 0.7 * k) for k in range(1, 8)]
    assert Fault.LOOSENESS not in named(clip(*whole))[0]


def test_growth_that_fits_no_pattern_is_abnormal_of_unknown_type():
    faults, found = named(clip((1, 3.0, 0.0), (3, 2.5, 1.0), (4, 2.5, 2.0)))
    assert faults == [Fault.UNKNOWN]
    assert found.severity is Severity.ALERT


@settings(max_examples=8, deadline=None)
@given(st.floats(0.0, 0.5), st.floats(-3.1, 3.1))
def test_growth_of_less_than_a_quarter_of_a_zone_names_nothing(mm_s, phase):
    faults, found = named(clip((1, mm_s, phase), (2, mm_s / 2, 0.0)))
    assert faults == []
    assert found.severity is Severity.OK


def test_what_the_machine_always_had_is_no_growth():
    rough = clip((1, 6.0, 0.0))
    reference = reference_of(rough, RATE, RPM, [H, V])
    assert named(clip((1, 6.6, 0.1), seed=3), reference=reference)[0] == []
    assert named(rough)[0] == [Fault.IMBALANCE]


@pytest.mark.parametrize("error", [-0.005, 0.005])
def test_a_tachometer_half_a_percent_off_does_not_hide_imbalance(error):
    assert named(clip((1, 6.0, 0.0)), rpm=RPM * (1 + error))[0] == [Fault.IMBALANCE]


@pytest.mark.parametrize("rpm", [np.nan, 0.0, -5.0, np.inf, 1e-3])
def test_without_a_speed_no_order_is_named(rpm):
    faults, found = named(clip((1, 6.0, 0.0)), rpm=rpm)
    assert faults == []
    assert found.notes
    assert found.velocity_mm_s[0] == pytest.approx(6.0, rel=0.1)


def test_without_commissioning_only_a_machine_beyond_its_zones_is_accused():
    small, large = clip((1, 1.0, 0.0)), clip((1, 6.0, 0.0))
    assert named(small, reference=None, iso=LIMITS)[0] == []
    faults, found = named(large, reference=None, iso=LIMITS)
    assert faults == [Fault.IMBALANCE]
    assert found.zone == "D"
    assert found.severity is Severity.DANGER
    # Where the standard does not apply nothing says that 6 mm/s is much for this machine.
    faults, found = named(large, reference=None)
    assert faults == []
    assert found.zone == ""


def test_a_finding_is_no_less_severe_than_the_machines_zone():
    _, found = named(clip((1, 6.0, 0.0)), iso=LIMITS)
    assert found.diagnoses[0].severity is Severity.DANGER


def test_half_of_the_machines_turns_are_too_few_for_orders():
    x = clip((1, 6.0, 0.0))[:, : round(7.5 * 60 / RPM * RATE)]
    faults, found = named(x)
    assert faults == []
    assert "fewer than 8 turns" in found.notes[0]


def test_a_bearing_fault_does_not_hide_imbalance_nor_the_other_way_round():
    x = clip((1, 6.0, 0.0))
    x[0] += damaged("bearing_outer", 3, size=8.0) - healthy(3)
    faults, _ = named(x)
    assert set(faults) == {Fault.IMBALANCE, Fault.BEARING_OUTER}


@pytest.mark.filterwarnings("error")
def test_orders_beyond_what_a_slow_recording_reaches_count_for_nothing():
    """At 60 Hz 1x of 1480 rpm lies just below the top, its decoys and harmonics above it."""
    rate, seconds = 60.0, 30.0
    t = np.arange(round(rate * seconds)) / rate
    hz = RPM / 60
    x = np.array([np.cos(2 * np.pi * hz * t), np.sin(2 * np.pi * hz * t)]) * 1.5
    x += 0.05 * np.random.default_rng(1).standard_normal(x.shape)
    found = assess(x, rate, RPM, [H, V], iso=LIMITS)
    assert [d.fault for d in found.diagnoses] == [Fault.IMBALANCE]
    for line in found.diagnoses[0].evidence:
        assert np.isfinite([line.snr_db, line.decoy_snr_db]).all()
