"""Vibration zones of ISO 10816-3:2009 for machines above 15 kW.

Superseded by ISO 20816-3:2022, whose limits are not used here: every answer says its edition.
Broad-band velocity and displacement are both judged and the stricter wins; a value on a boundary
belongs to the lower zone. Pumps belong to ISO 10816-7, machines below 15 kW to neither: for those,
and wherever units or bandwidth are unknown, the answer is "not applicable" with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vibro.faults import Severity

EDITION = "ISO 10816-3:2009 (superseded by ISO 20816-3:2022)"

# (group, mounting) -> velocity A/B, B/C, C/D in mm/s RMS and displacement A/B, B/C, C/D in um RMS.
_LIMITS: dict[tuple[int, str], tuple[tuple[float, ...], tuple[float, ...]]] = {
    (1, "rigid"): ((2.3, 4.5, 7.1), (29.0, 57.0, 90.0)),
    (1, "flexible"): ((3.5, 7.1, 11.0), (45.0, 90.0, 140.0)),
    (2, "rigid"): ((1.4, 2.8, 4.5), (22.0, 45.0, 71.0)),
    (2, "flexible"): ((2.3, 4.5, 7.1), (37.0, 71.0, 113.0)),
}


class Zone(StrEnum):
    """A new machine, B fit for long service, C limited time, D damage likely."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"

    @property
    def severity(self) -> Severity:
        """Zones A and B are ok, C is an alert, D is danger."""
        return {Zone.C: Severity.ALERT, Zone.D: Severity.DANGER}.get(self, Severity.OK)


@dataclass(frozen=True, slots=True)
class IsoLimits:
    """Zone boundaries A/B, B/C, C/D of one machine."""

    velocity_mm_s: tuple[float, float, float]
    displacement_um: tuple[float, float, float]
    edition: str = EDITION

    def alarm_mm_s(self, baseline_mm_s: float) -> float:
        """Velocity alarm limit: baseline + 25 % of B/C, at most 1.25 B/C (clause 6.5)."""
        b_c = self.velocity_mm_s[1]
        return min(baseline_mm_s + 0.25 * b_c, 1.25 * b_c)


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """Why the standard says nothing about a machine."""

    reason: str


def limits(
    power_kw: float | None, group: int | None, mounting: str, part: str = "10816-3"
) -> IsoLimits | NotApplicable:
    """Limits of a machine, or the reason why there are none."""
    if part != "10816-3":
        return NotApplicable(f"the register says ISO part '{part}', not 10816-3")
    if power_kw is None:
        return NotApplicable("the machine's power is not known")
    if power_kw < 15.0:
        return NotApplicable(f"{power_kw:g} kW is below the 15 kW that ISO 10816-3 begins at")
    if group is None or (group, mounting) not in _LIMITS:
        return NotApplicable("group (1, 2) or mounting (rigid, flexible) is not known")
    velocity, displacement = _LIMITS[group, mounting]
    return IsoLimits(
        (velocity[0], velocity[1], velocity[2]),
        (displacement[0], displacement[1], displacement[2]),
    )


def _zone_of(value: float, bounds: tuple[float, float, float]) -> Zone:
    above = sum(value > bound for bound in bounds)
    return list(Zone)[above]


def zone(velocity_mm_s: float, displacement_um: float | None, limit: IsoLimits) -> Zone:
    """Zone of a measurement; the stricter of velocity and displacement wins.

    Parameters
    ----------
    velocity_mm_s : float
        RMS velocity, 10-1000 Hz (2-1000 Hz below 600 rpm).
    displacement_um : float or None
        RMS displacement over the same band, None where it was not measured.
    """
    zones = [_zone_of(velocity_mm_s, limit.velocity_mm_s)]
    if displacement_um is not None:
        zones.append(_zone_of(displacement_um, limit.displacement_um))
    return max(zones)
