"""Sensor faults: when it is the measurement that is broken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vibro.diagnosis.findings import Finding
from vibro.faults import Fault, Severity

FLAT_M_S2 = 1e-3
CLIPPED_SHARE = 2e-3
DROPOUT_SHARE = 0.2


def sensor_finding(x: NDArray[np.float64], channel: str) -> Finding | None:
    """Flatline, clipping or dropout of one channel, shape (n,), m/s2; None when it is sound."""
    spread = float(x.std())
    if spread < FLAT_M_S2:
        note = f"the signal does not move (RMS {spread:.2g} m/s2)"
        return Finding(Fault.FLATLINE, 1.0, channel, Severity.ALERT, note=note)
    repeats = float((np.diff(x) == 0.0).mean())
    top = np.abs(x - np.median(x)).max()
    at_top = float((np.abs(x) >= 0.9999 * np.abs(x).max()).mean())
    if at_top > CLIPPED_SHARE and top > 3.0 * spread / 2.0:
        note = f"{at_top:.1%} of the samples stand at the highest value"
        return Finding(Fault.CLIPPING, 0.95, channel, Severity.ALERT, note=note)
    longest = _longest_run(np.diff(x) == 0.0)
    if repeats > DROPOUT_SHARE and longest > 50:
        note = f"{repeats:.0%} of the samples repeat their predecessor, {longest} in a row"
        return Finding(Fault.DROPOUT, 0.95, channel, Severity.ALERT, note=note)
    return None


def _longest_run(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
