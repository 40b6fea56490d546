"""Mean speed of every window, from the speed each push came with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


class SpeedTrack:
    """Sample-weighted mean speed over any window that stands on the grid of fast hops.

    A hop is summed once, when it is complete, over its stretches of one speed: however these were
    pushed, the same additions happen. A window that does not stand on the grid (scaled spans)
    takes the whole hops that it touches.

    Parameters
    ----------
    hop : int
        Samples of a fast hop.
    reach : int
        How far back from a push a window to come may begin, in hops.
    start_sample : int
        Where the stream starts; hops that began earlier are never asked for.
    """

    def __init__(self, hop: int, reach: int, start_sample: int) -> None:
        self._hop, self._kept = hop, reach + 2
        self._skip = -start_sample % hop
        self._first = -(-start_sample // hop)
        self._sums: list[tuple[float, int]] = []
        self._begin()

    def _begin(self) -> None:
        """Begin a hop of which nothing has come."""
        self._filled = self._run = self._known = 0
        self._rpm, self._total = math.nan, 0.0

    def push(self, rpm: float, count: int) -> None:
        """Speed of the next ``count`` samples, rpm; NaN = unknown."""
        if len(self._sums) > 2 * self._kept:
            passed = len(self._sums) - self._kept
            del self._sums[:passed]
            self._first += passed
        skipped = min(self._skip, count)
        self._skip -= skipped
        count -= skipped
        while count > 0:
            taken = min(count, self._hop - self._filled)
            count -= taken
            self._filled += taken
            if rpm == self._rpm:
                self._run += taken
            else:
                self._end_run()
                self._rpm, self._run = rpm, taken
            if self._filled == self._hop:
                self._end_run()
                self._sums.append((self._total, self._known))
                self._begin()

    def _end_run(self) -> None:
        """Add a stretch of one speed."""
        if self._rpm == self._rpm:
            self._total += self._rpm * self._run
            self._known += self._run

    def means(self, first: list[int], samples: int) -> NDArray[np.float64]:
        """Mean over what is known of windows of ``samples`` samples; NaN where nothing is.

        Parameters
        ----------
        first : list of int
            First sample of each window, which has been pushed.

        Returns
        -------
        ndarray of float64, shape (w,), rpm
        """
        return np.array([self._mean(f, f + samples) for f in first])

    def _mean(self, first: int, end: int) -> float:
        begin = first // self._hop - self._first
        touched = self._sums[begin : -(-end // self._hop) - self._first]
        known = sum(n for _, n in touched)
        return sum(total for total, _ in touched) / known if known else math.nan
