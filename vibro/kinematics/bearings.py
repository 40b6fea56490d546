"""Rolling-bearing geometry and its defect frequencies as orders of the turning ring.

With g = (d / D) cos(phi), ball diameter d, pitch diameter D, contact angle phi and Z elements,
pure rolling gives for a turning inner ring FTF = (1 - g) / 2, BPFO = Z FTF, BPFI = Z (1 + g) / 2
and BSF = (D / 2d)(1 - g^2) (R. B. Randall, *Vibration-based Condition Monitoring*, 2011,
section 2.2.4). A real bearing slips by 1 to 2 %. A defect on a ball strikes both rings once a
turn, so its line is at 2 BSF.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from vibro.errors import BadInputError


@dataclass(frozen=True, slots=True)
class BearingOrders:
    """Defect frequencies divided by the speed of the turning ring."""

    ftf: float
    bpfo: float
    bpfi: float
    bsf: float


@dataclass(frozen=True, slots=True)
class Bearing:
    """Geometry of one bearing.

    Attributes
    ----------
    elements : int
        Number of balls or rollers (of one row).
    ball_mm, pitch_mm : float
        Element and pitch diameter.
    contact_deg : float
        Contact angle.
    """

    name: str
    elements: int
    ball_mm: float
    pitch_mm: float
    contact_deg: float = 0.0

    def __post_init__(self) -> None:
        """Refuse geometry that no bearing can have."""
        if not (self.elements >= 3 and 0.0 < self.ball_mm < self.pitch_mm):
            raise BadInputError(
                f"bearing '{self.name}': needs Z >= 3 and 0 < d < D, "
                f"got Z={self.elements} d={self.ball_mm:g} D={self.pitch_mm:g}"
            )
        if not 0.0 <= self.contact_deg < 90.0:
            raise BadInputError(
                f"bearing '{self.name}': contact angle {self.contact_deg:g} is not in 0..90 deg"
            )
        if self.elements * self.ball_mm > math.pi * self.pitch_mm:
            raise BadInputError(
                f"bearing '{self.name}': {self.elements} elements of {self.ball_mm:g} mm do not "
                f"fit on a pitch circle of {self.pitch_mm:g} mm"
            )

    def orders(self, rotating: Literal["inner", "outer"] = "inner") -> BearingOrders:
        """Defect orders relative to the speed of the turning ring.

        With the outer ring turning, the cage turns at (1 + g) / 2 while the passing frequencies
        and the ball spin stay what they are: they depend on the difference of the rings' speeds.
        """
        g = self.ball_mm / self.pitch_mm * math.cos(math.radians(self.contact_deg))
        return BearingOrders(
            ftf=(1.0 - g) / 2.0 if rotating == "inner" else (1.0 + g) / 2.0,
            bpfo=self.elements * (1.0 - g) / 2.0,
            bpfi=self.elements * (1.0 + g) / 2.0,
            bsf=self.pitch_mm / (2.0 * self.ball_mm) * (1.0 - g * g),
        )

    @property
    def geometry(self) -> str:
        """Text that `parse` reads; it is the name of a bearing that has no other."""
        return f"Z={self.elements} d={self.ball_mm!r} D={self.pitch_mm!r} phi={self.contact_deg!r}"

    @classmethod
    def parse(cls, text: str) -> Bearing:
        """Parse geometry such as ``Z=9 d=7.94 D=39.04 phi=0`` (mm, degrees; phi may be left out).

        Raises
        ------
        BadInputError
            If a part is missing or is not a number.
        """
        parts = dict(re.findall(r"(Z|d|D|phi)\s*=\s*([-+.\deE]+)", text))
        try:
            found = cls(
                text.strip(),
                int(parts["Z"]),
                float(parts["d"]),
                float(parts["D"]),
                float(parts.get("phi", 0.0)),
            )
        except (KeyError, ValueError) as error:
            if isinstance(error, BadInputError):
                raise
            raise BadInputError(
                f"bearing '{text}' is not geometry: write Z=9 d=7.94 D=39.04 phi=0"
            ) from None
        return replace(found, name=found.geometry)
