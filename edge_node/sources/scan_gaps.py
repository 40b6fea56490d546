"""Scans that a device dropped, seen in the timestamps of those that came."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GAP = 1.5
"""Periods between two scans from which on one is missing."""
LOOK_AHEAD = 3
"""A stamp that is merely late is followed by ones that are in time: so many are looked at. More
would hide a missing scan of a sensor whose clock is fast."""


class ScanGaps:
    """Finds where scans are missing.

    Clocks of small sensors are off by per cents, so scans are compared with their neighbours and
    not with a grid.

    Parameters
    ----------
    period_ns : float
    """

    def __init__(self, period_ns: float) -> None:
        self._period_ns = period_ns
        self._last: int | None = None

    def split(self, stamps: NDArray[np.int64]) -> tuple[int, int]:
        """Return how many scans come before the next gap, and how many are missing before them.

        Parameters
        ----------
        stamps : ndarray, int64, shape (n,)
            Timestamps in ns of scans that follow those of the last call; n >= 1. The scans that
            were counted are not to be given again, the others are.
        """
        before = stamps[0] if self._last is None else self._last
        steps = np.diff(stamps, prepend=before)
        lost, end = 0, len(stamps)
        for k in np.flatnonzero(steps > GAP * self._period_ns):
            missing = self._missing(stamps, int(k), int(stamps[k] - steps[k]))
            if not missing:
                continue
            if k:
                end = int(k)
                break
            lost = missing
        self._last = int(stamps[end - 1])
        return end, lost

    def _missing(self, stamps: NDArray[np.int64], k: int, before: int) -> int:
        ahead = stamps[k : k + LOOK_AHEAD] - before
        # A stamp that is late alone does not count: the earliest of its followers tells.
        in_time = ahead / self._period_ns - np.arange(len(ahead))
        periods = float(in_time.min())
        return max(0, round(periods) - 1) if periods > GAP else 0
