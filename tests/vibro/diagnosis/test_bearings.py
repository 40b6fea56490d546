"""Bearing faults: the right family at the right line, and nothing where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vibro.diagnosis.machines import (
    RATE,
    RPM,
    damaged,
    defect_hz,
    healthy,
    order_tone,
    point,
    ringing,
    strikes,
)
from vibro.diagnosis import assess
from vibro.diagnosis.bearings import LINE_NAMES, bearing_findings, families_hz, probability
from vibro.diagnosis.comb import Comb
from vibro.faults import Fault, Severity
from vibro.kinematics import Bearing, LineOrders, line_orders

FAULTS = ["bearing_outer", "bearing_inner", "bearing_ball", "bearing_cage"]
NEAR_3X = {"z": 8, "d": 17.462, "pitch": 72.5}  # a 6309: its BPFO lies 1.2 % above 3x


def said(x, rpm=RPM, **more):
    return assess(np.atleast_2d(x), RATE, rpm, [point(**more)])


def only(fault, found, true_hz):
    """The one diagnosis, checked against what the machine was made with."""
    (named,) = found.diagnoses
    assert named.fault == fault
    (line,) = named.evidence
    assert line.line == LINE_NAMES[Fault(fault)]
    assert line.found_hz == pytest.approx(true_hz, rel=0.01)
    assert line.snr_db > line.decoy_snr_db
    return named, line


@pytest.mark.parametrize("rpm", [900.0, 1480.0, 2970.0])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_defect_is_named_at_its_line_and_decoys_lie_lower(fault, rpm):
    found = said(damaged(fault, 1, rpm), rpm)
    named, line = only(fault, found, defect_hz(fault, rpm))
    assert named.probability > 0.7
    assert found.severity is Severity.ALERT
    assert line.expected_hz == pytest.approx(defect_hz(fault, rpm, slip=0.0), rel=1e-4)


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from(FAULTS),
    st.floats(800.0, 3000.0),
    st.floats(-0.005, 0.015),
    st.floats(4.0, 20.0),
    st.integers(0, 10**6),
)
def test_slip_speed_and_size_do_not_matter(fault, rpm, slip, size, seed):
    found = said(damaged(fault, seed, rpm, slip, size), rpm)
    assert found.diagnoses, f"{fault} is not found"
    assert found.diagnoses[0].fault == fault
    line = found.diagnoses[0].evidence[0]
    assert line.found_hz == pytest.approx(defect_hz(fault, rpm, slip), rel=0.01)


@settings(max_examples=6, deadline=None)
@given(st.sampled_from([1e-1, 7.3, 1e3]), st.sampled_from(FAULTS))
def test_the_sensitivity_of_the_sensor_does_not_matter(gain, fault):
    x = damaged(fault, 3)
    one, other = (bearing_findings(g * x, RATE, RPM, point().lines)[0] for g in (1.0, gain))
    assert other.fault is one.fault
    assert other.probability == pytest.approx(one.probability, abs=0.02)
    assert other.comb.found_hz == pytest.approx(one.comb.found_hz, rel=1e-4)


@pytest.mark.parametrize("fault", FAULTS[:2])
def test_a_shaft_that_a_gear_speeds_up_has_its_lines_at_its_own_speed(fault):
    found = said(damaged(fault, 4, 2.6 * 600.0), 600.0, shaft_ratio=2.6)
    only(fault, found, defect_hz(fault, 2.6 * 600.0))


def test_a_line_beside_a_shaft_harmonic_is_told_from_it():
    bearing = Bearing("6309", NEAR_3X["z"], NEAR_3X["d"], NEAR_3X["pitch"])
    x = damaged("bearing_outer", 5, slip=0.008, **NEAR_3X)
    found = said(x, bearing=bearing)
    only("bearing_outer", found, defect_hz("bearing_outer", slip=0.008, **NEAR_3X))
    # What strikes once a turn has a line there too, and is no bearing's.
    once = ringing(np.arange(0.01, 4.0, 60 / RPM), np.full(99, 8.0)[: int(3.99 * RPM / 60) + 1])
    others = said(once + healthy(5), bearing=bearing).diagnoses
    assert all(d.fault.family != "bearing" for d in others)


def test_a_ball_that_passes_the_load_zone_is_not_taken_for_the_cage():
    for seed in range(3):
        found = said(damaged("bearing_ball", seed, 2970.0, size=4.0), 2970.0)
        only("bearing_ball", found, defect_hz("bearing_ball", 2970.0))


def test_a_cage_whose_twelfth_harmonic_meets_the_balls_line_stays_a_cage():
    # 2 x BSF / FTF of this bearing is 11.84: with slip it is within reach of 12.
    for seed in (1, 2, 3):
        only("bearing_cage", said(damaged("bearing_cage", seed, size=12.0)), defect_hz(FAULTS[3]))


def test_of_two_defects_at_once_nothing_else_is_named_and_both_may_be():
    made = {Fault.BEARING_OUTER, Fault.BEARING_INNER}
    named = []
    for seed in range(6):
        x = damaged("bearing_outer", seed, size=8.0) + damaged(
            "bearing_inner", 50 + seed, size=10.0
        )
        found = said(x)
        assert found.severity >= Severity.ALERT
        named.append({d.fault for d in found.diagnoses} - {Fault.UNKNOWN})
    assert all(n <= made for n in named)
    assert sum(bool(n) for n in named) >= 4
    assert made in named


def test_strong_shaft_orders_do_not_hide_an_early_defect():
    x = damaged("bearing_outer", 8, size=4.0)
    x += sum(order_tone(k, 8.0 / k, k) for k in (1, 2, 3, 4))
    assert Fault.BEARING_OUTER in {d.fault for d in said(x).diagnoses}


def test_a_few_shocks_are_no_bearing_even_where_their_gaps_fit():
    period = 1 / defect_hz("bearing_outer")
    x = healthy(9) + ringing(1.0 + period * np.arange(8), np.full(8, 60.0))
    assert all(d.fault.family != "bearing" for d in said(x).diagnoses)


def test_strikes_at_no_bearing_frequency_are_abnormal_but_unnamed():
    rng = np.random.default_rng(10)
    at = strikes(0.77 * defect_hz("bearing_outer"), rng, jitter=0.5)
    found = said(healthy(10) + ringing(at, np.full(at.size, 25.0)))
    assert [d.fault for d in found.diagnoses] == [Fault.UNKNOWN]
    assert found.severity in {Severity.WATCH, Severity.ALERT}


def test_a_wrong_speed_gives_no_confident_name_and_mostly_none():
    """Lines of one family lie near another's at some wrong speeds; chance must not look sure."""
    errors = (0.7, 0.8, 0.93, 1.07, 1.17, 1.45)
    named = [
        d.probability
        for fault in FAULTS[:3]
        for error in errors
        for d in said(damaged(fault, 11), RPM * error).diagnoses
        if d.fault.family == "bearing"
    ]
    assert len(named) <= 2
    assert max(named, default=0.0) < 0.7


def test_a_wrong_speed_at_which_families_coincide_gives_no_confident_name():
    # At 0.88 of the true speed BPFI is expected within 2 % of where the ball's line is.
    for seed in range(3):
        for d in said(damaged("bearing_ball", seed), 0.88 * RPM).diagnoses:
            assert d.probability < 0.8


@pytest.mark.parametrize("rpm", [np.nan, 0.0, -1480.0, 1e-6, 1e9])
def test_without_a_usable_speed_there_is_nothing_to_look_for(rpm):
    assert all(f.probability < 0.5 for f in bearing_findings(healthy(1), RATE, rpm, point().lines))


def test_without_geometry_there_is_nothing_to_look_for():
    assert bearing_findings(damaged("bearing_outer"), RATE, RPM, line_orders()) == []


def test_only_families_with_a_known_order_are_looked_for():
    lines = LineOrders(bpfo=3.5, ftf=0.4)
    assert families_hz(lines, 10.0) == {
        Fault.BEARING_OUTER: 35.0,
        Fault.BEARING_CAGE: pytest.approx(4.0),
    }


def test_a_clip_too_short_for_its_cage_is_not_searched_for_it():
    x = damaged("bearing_cage", seconds=1.0)
    found = bearing_findings(x, RATE, RPM, point().lines)
    assert Fault.BEARING_CAGE not in {f.fault for f in found}


def test_families_that_a_slow_recording_does_not_reach_are_left_out():
    """Bands of a recording at 400 Hz end at 192 Hz: too low to carry BPFI at 165 Hz."""
    x = np.random.default_rng(1).standard_normal(4000)
    found = bearing_findings(x, 400.0, 1850.0, point().lines)
    assert {f.fault for f in found} == {Fault.BEARING_OUTER, Fault.BEARING_CAGE}
    assert all(f.probability < 0.5 for f in found)


COMB = Comb(100.0, 99.5, (2000.0, 4000.0), 0.8, -6.0, 25.0, 12.0, 4, 0.9)


@settings(max_examples=80, deadline=None)
@given(
    st.floats(0.0, 4.0), st.floats(-300.0, 0.0), st.floats(0.0, 60.0), st.integers(0, 4),
    st.floats(0.0, 1.0), st.floats(0.0, 2.0), st.floats(-5.0, 0.0),
)  # fmt: skip
def test_stronger_evidence_never_lowers_a_probability(depth, p, snr, harmonics, lead, more, less):
    def of(**change):
        made = {"depth": depth, "log10_p": p, "snr_db": snr, "harmonics": harmonics, "lead": lead}
        made |= change
        return probability(Comb(100.0, 99.5, (0.0, 1.0), decoy_snr_db=0.0, **made))

    base = of()
    assert 0.0 <= base <= 1.0
    assert of(depth=depth + more) >= base
    assert of(log10_p=p + less) >= base
    assert of(snr_db=snr + more) >= base
    assert of(harmonics=harmonics + 1) >= base
    assert of(lead=min(1.0, lead + more)) >= base


def test_neither_depth_nor_rarity_alone_is_evidence():
    def of(**change):
        return probability(Comb(**{f: getattr(COMB, f) for f in Comb.__slots__} | change))

    assert of() > 0.99
    assert of(log10_p=-0.5, depth=4.0) < 0.5
    assert of(depth=0.01, log10_p=-5.0) < 0.1
    assert of(lead=0.1, log10_p=-3.5) < 0.3
    assert of(snr_db=8.0, log10_p=-3.5) < 0.5
