"""The lines of a measuring point as orders of the reference shaft."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vibro.kinematics.bearings import Bearing


@dataclass(frozen=True, slots=True)
class LineOrders:
    """Characteristic frequencies as multiples of the reference shaft's speed; NaN = unknown.

    ``bsf2`` is the ball defect line at twice the ball spin; ``gear_shafts`` are the orders of the
    two shafts of a mesh, which space its sidebands.
    """

    shaft: float = 1.0
    bpfo: float = math.nan
    bpfi: float = math.nan
    bsf2: float = math.nan
    ftf: float = math.nan
    gear_mesh: float = math.nan
    gear_shafts: tuple[float, ...] = ()
    blade_pass: float = math.nan


def line_orders(
    shaft_ratio: float = 1.0,
    bearing: Bearing | None = None,
    *,
    gear_teeth: int | None = None,
    gear_mate_teeth: int | None = None,
    blades: int | None = None,
) -> LineOrders:
    """Orders, relative to the reference shaft, of everything a point on one shaft may show.

    Parameters
    ----------
    shaft_ratio : float
        Speed of this point's shaft over the speed of the reference shaft.
    gear_teeth, gear_mate_teeth : int or None
        Teeth of the gear on this shaft and of its mate; the mesh is at ratio x teeth, and the two
        shafts (whose orders space the sidebands) are this one and its mate's.
    """
    unknown = math.nan
    b = bearing.orders() if bearing else None
    mesh = shaft_ratio * gear_teeth if gear_teeth else unknown
    shafts: tuple[float, ...] = ()
    if gear_teeth:
        shafts = (shaft_ratio,)
        if gear_mate_teeth:
            shafts = (shaft_ratio, mesh / gear_mate_teeth)
    return LineOrders(
        shaft=shaft_ratio,
        bpfo=b.bpfo * shaft_ratio if b else unknown,
        bpfi=b.bpfi * shaft_ratio if b else unknown,
        bsf2=2.0 * b.bsf * shaft_ratio if b else unknown,
        ftf=b.ftf * shaft_ratio if b else unknown,
        gear_mesh=mesh,
        gear_shafts=shafts,
        blade_pass=shaft_ratio * blades if blades else unknown,
    )
