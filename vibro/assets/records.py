"""Machines and their measuring points."""

from __future__ import annotations

from dataclasses import dataclass

from vibro.iso10816 import IsoLimits, NotApplicable, limits
from vibro.kinematics import Bearing, LineOrders, line_orders
from vibro.records import ChannelPath


def node_name(site: str, machine: str) -> str:
    """Return the name of a machine's node, which a register holds only once."""
    return f"{site}-{machine}"[:63]


@dataclass(frozen=True, slots=True)
class Point:
    """One sensor axis at one measuring point.

    Attributes
    ----------
    location : str
        ``DE`` (drive end), ``NDE`` (non-drive end) or ``GB`` (gearbox).
    axis : str
        ``H``, ``V`` or ``A`` (horizontal, vertical, axial).
    shaft_ratio : float
        Speed of this point's shaft over the machine's reference shaft.
    bearing : Bearing or None
        None when it is not known.
    range_m_s2 : float
        Full scale of the sensor and converter.
    """

    channel: str
    location: str
    axis: str
    shaft: str = "main"
    shaft_ratio: float = 1.0
    bearing: Bearing | None = None
    gear_teeth: int | None = None
    gear_mate_teeth: int | None = None
    blades: int | None = None
    line_hz: float = 50.0
    rate_hz: float = 25600.0
    range_m_s2: float = 490.0

    @property
    def lines(self) -> LineOrders:
        """Orders, relative to the reference shaft, of what this point may show."""
        return line_orders(
            self.shaft_ratio,
            self.bearing,
            gear_teeth=self.gear_teeth,
            gear_mate_teeth=self.gear_mate_teeth,
            blades=self.blades,
        )


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of the register; powers in kW, speeds in rpm of the reference shaft."""

    site: str
    machine: str
    machine_class: str
    region: str = ""
    owner: str = ""
    criticality: str = ""
    power_kw: float | None = None
    rpm_min: float | None = None
    rpm_nominal: float | None = None
    rpm_max: float | None = None
    mounting: str = ""
    iso_part: str = "n/a"
    iso_group: int | None = None
    points: tuple[Point, ...] = ()

    @property
    def path(self) -> str:
        """``site/machine``."""
        return f"{self.site}/{self.machine}"

    @property
    def node_id(self) -> str:
        """Name of the edge node that listens to this machine."""
        return node_name(self.site, self.machine)

    @property
    def channels(self) -> tuple[ChannelPath, ...]:
        """Paths of all channels, in the register's order."""
        return tuple(ChannelPath(self.site, self.machine, p.channel) for p in self.points)

    @property
    def iso_limits(self) -> IsoLimits | NotApplicable:
        """ISO 10816-3 zone boundaries, or the reason why there are none."""
        return limits(self.power_kw, self.iso_group, self.mounting, self.iso_part)
