"""Sensor faults: when it is the measurement that is broken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vibro.diagnosis.findings import Finding
from vibro.faults import Fault, Severity

FLAT_M_S2 = 1e-3
CLIPPED_SHARE = 2e-3
DROPOUT_SHARE = 0.1
LEAST_RUN = 50
LIVELY_STEPS = 5.0


def sensor_finding(x: NDArray[np.float64], channel: str) -> Finding | None:
    """Flatline, clipping or dropout of one channel, shape (n,), m/s2; None when it is sound."""
    spread = float(x.std())
    if spread < FLAT_M_S2:
        note = f"the signal does not move (RMS {spread:.2g} m/s2)"
        return Finding(Fault.FLATLINE, 1.0, channel, Severity.ALERT, note=note)
    top = np.abs(x - np.median(x)).max()
    change = np.diff(x)
    lively = LIVELY_STEPS * float(np.abs(change[change != 0.0]).min(initial=np.inf))
    at_top = float((np.abs(x) >= 0.9999 * np.abs(x).max()).mean())
    if at_top > CLIPPED_SHARE and top > 3.0 * spread / 2.0 and spread > lively:
        note = f"{at_top:.1%} of the samples stand at the highest value"
        return Finding(Fault.CLIPPING, 0.95, channel, Severity.ALERT, note=note)
    lost = _stuck_share(x, lively)
    if lost > DROPOUT_SHARE:
        note = f"for {lost:.0%} of the time the signal stands still between lively stretches"
        return Finding(Fault.DROPOUT, 0.95, channel, Severity.ALERT, note=note)
    return None


def _stuck_share(x: NDArray[np.float64], lively: float) -> float:
    """Share of samples in long runs of one value that a lively signal breaks off into.

    A machine that stands still also repeats values, but there the signal before the run is
    quiet too: within a few steps of the converter.
    """
    still = np.diff(x) == 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(np.int8), [0]])))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    stuck = [
        n
        for start, n in zip(starts, lengths, strict=True)
        if n >= LEAST_RUN and x[max(0, start - LEAST_RUN) : start + 1].std() > lively
    ]
    return float(sum(stuck)) / x.size
