"""A bearing from a manifest: from the catalogue where it agrees, else from its multipliers."""

from __future__ import annotations

import math

from vibro.errors import BadInputError
from vibro.files import Entry
from vibro.kinematics import Bearing, find_bearing

PITCH_MM = 100.0
"""Nominal pitch diameter of a bearing known by its orders only: they depend on ratios."""
AGREE = 0.01


def bearing_of(entry: Entry) -> Bearing | None:
    """Bearing of a recording, None when its manifest does not tell.

    The publisher's multipliers win over the catalogue where they differ by more than 1 %.
    """
    known = find_bearing(entry.bearing) if entry.bearing else None
    told = entry.multipliers
    if "BPFO" not in told or "BPFI" not in told:
        return known
    if known is not None:
        orders = known.orders()
        pairs = ((orders.bpfo, told["BPFO"]), (orders.bpfi, told["BPFI"]))
        if all(math.isclose(a, b, rel_tol=AGREE) for a, b in pairs):
            return known
    return _from_multipliers(told)


def _from_multipliers(told: dict[str, float]) -> Bearing | None:
    """Solve Z = BPFO + BPFI, g = (BPFI - BPFO) / Z and BSF = (D / 2d)(1 - g^2)."""
    total = told["BPFO"] + told["BPFI"]
    elements = round(total)
    g = (told["BPFI"] - told["BPFO"]) / total if total > 0.0 else 0.0
    if elements < 3 or not 0.0 < g < 1.0:
        return None
    ratio = 2.0 * told["BSF"] / (1.0 - g * g) if told.get("BSF") else 1.0 / g
    contact = math.degrees(math.acos(min(1.0, g * ratio)))
    try:
        geometry = f"Z={elements} d={PITCH_MM / ratio:.6g} D={PITCH_MM:g} phi={contact:.6g}"
        return Bearing.parse(geometry)
    except BadInputError:
        return None
