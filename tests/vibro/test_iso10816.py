"""Zones of ISO 10816-3:2009; the table is typed here a second time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibro.faults import Severity
from vibro.iso10816 import IsoLimits, NotApplicable, Zone, limits, zone

TABLE = {
    (1, "rigid"): "2.3 4.5 7.1 | 29 57 90",
    (1, "flexible"): "3.5 7.1 11.0 | 45 90 140",
    (2, "rigid"): "1.4 2.8 4.5 | 22 45 71",
    (2, "flexible"): "2.3 4.5 7.1 | 37 71 113",
}
MACHINES = st.sampled_from(sorted(TABLE))


def bounds(machine) -> tuple[list[float], list[float]]:
    velocity, displacement = TABLE[machine].split("|")
    return [float(v) for v in velocity.split()], [float(d) for d in displacement.split()]


def found(machine) -> IsoLimits:
    limit = limits(100.0, *machine)
    assert isinstance(limit, IsoLimits)
    return limit


@pytest.mark.parametrize("machine", TABLE)
def test_boundaries_belong_to_the_lower_zone(machine):
    limit = found(machine)
    assert "10816-3:2009" in limit.edition
    for i, (v, d) in enumerate(zip(*bounds(machine), strict=True)):
        assert zone(v, None, limit) == "ABC"[i]
        assert zone(math.nextafter(v, math.inf), None, limit) == "BCD"[i]
        assert zone(0.0, d, limit) == "ABC"[i]
        assert zone(0.0, math.nextafter(d, math.inf), limit) == "BCD"[i]
    assert zone(0.0, 0.0, limit) == "A"
    assert zone(1e9, None, limit) == "D"


@given(MACHINES, st.floats(0, 20), st.floats(0, 200), st.floats(1, 3))
def test_the_stricter_of_the_two_wins_and_more_is_never_better(machine, v, d, more):
    limit = found(machine)
    both = zone(v, d, limit)
    assert both == max(zone(v, None, limit), zone(0.0, d, limit))
    assert zone(v * more, d, limit) >= both
    assert zone(v, d * more, limit) >= both


@given(st.sampled_from([1, 2]), st.floats(0, 20), st.floats(0, 200))
def test_flexible_mounting_allows_more(group, v, d):
    assert zone(v, d, found((group, "flexible"))) <= zone(v, d, found((group, "rigid")))


@pytest.mark.parametrize("mounting", ["rigid", "flexible"])
def test_large_machines_are_allowed_more_than_medium_ones(mounting):
    large, medium = found((1, mounting)), found((2, mounting))
    assert large.velocity_mm_s > medium.velocity_mm_s
    assert large.displacement_um > medium.displacement_um


def test_severity_of_a_zone():
    assert [z.severity for z in Zone] == [
        Severity.OK,
        Severity.OK,
        Severity.ALERT,
        Severity.DANGER,
    ]


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ((75.0, 2, "rigid", "n/a"), "ISO part 'n/a', not 10816-3"),
        ((75.0, 2, "rigid", "10816-7"), "ISO part '10816-7'"),
        ((None, 2, "rigid"), "power is not known"),
        ((11.0, 2, "rigid"), "11 kW is below the 15 kW"),
        ((14.999, 2, "rigid"), "below the 15 kW"),
        ((75.0, None, "rigid"), "group"),
        ((75.0, 3, "rigid"), "group"),
        ((75.0, 2, ""), "mounting"),
    ],
)
def test_where_the_standard_says_nothing(machine, said):
    answer = limits(*machine)
    assert isinstance(answer, NotApplicable)
    assert said in answer.reason


def test_it_begins_at_15_kw():
    assert isinstance(limits(15.0, 2, "rigid"), IsoLimits)


@given(MACHINES, st.floats(0, 10))
def test_the_alarm_limit_follows_the_baseline_but_not_for_ever(machine, baseline):
    """Clause 6.5: a quarter of B/C above the baseline, at most 1.25 times B/C."""
    b_c = bounds(machine)[0][1]
    alarm = found(machine).alarm_mm_s(baseline)
    assert alarm <= 1.25 * b_c
    if baseline <= b_c:
        assert alarm - baseline == pytest.approx(0.25 * b_c)
