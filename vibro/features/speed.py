"""Mean speed of every window, from the speed each push came with."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vibro.dsp.flags import KERNEL


@njit(**KERNEL)
def _fill(rpm, count, filled, hop, pending, sums, known, blocks):  # type: ignore[no-untyped-def]
    """Spread ``rpm`` over ``count`` samples; close a block's sum whenever a hop is full.

    A block is summed once, when complete, over its samples: however they were pushed, the same
    additions happen.
    """
    size = sums.shape[0]
    while count > 0:
        take = min(count, hop - filled)
        pending[filled : filled + take] = rpm
        filled += take
        count -= take
        if filled == hop:
            total, seen = 0.0, 0
            for i in range(hop):
                v = pending[i]
                if v == v:  # noqa: PLR0124 - not NaN
                    total += v
                    seen += 1
            sums[blocks % size] = total
            known[blocks % size] = seen
            blocks += 1
            filled = 0
    return filled, blocks


class SpeedTrack:
    """Sample-weighted mean speed over any window that stands on the grid of fast hops.

    Parameters
    ----------
    hop : int
        Samples of a fast hop.
    reach : int
        Longest window, in hops.
    start_sample : int
        Where the stream starts; blocks before its first whole hop are never asked for.
    """

    def __init__(self, hop: int, reach: int, start_sample: int) -> None:
        self._hop = hop
        self._skip = -start_sample % hop
        self._first = -(-start_sample // hop)
        self._blocks = self._first
        self._filled = 0
        self._pending = np.zeros(hop)
        self._sums = np.zeros(reach + 2)
        self._known = np.zeros(reach + 2, np.int64)

    def push(self, rpm: float, count: int) -> None:
        """Speed of the next ``count`` samples, rpm; NaN = unknown."""
        skipped = min(self._skip, count)
        self._skip -= skipped
        left = count - skipped
        # In pieces that the ring of sums can hold beside what windows still need.
        self._filled, self._blocks = _fill(
            float(rpm),
            left,
            self._filled,
            self._hop,
            self._pending,
            self._sums,
            self._known,
            self._blocks,
        )

    def grow(self, hops: int) -> None:
        """Make room for ``hops`` more blocks than the longest window has, before a long push."""
        if hops <= len(self._sums):
            return
        size = hops + len(self._sums)
        sums, known = np.zeros(size), np.zeros(size, np.int64)
        for b in range(max(self._first, self._blocks - len(self._sums)), self._blocks):
            sums[b % size] = self._sums[b % len(self._sums)]
            known[b % size] = self._known[b % len(self._sums)]
        self._sums, self._known = sums, known

    def mean(self, first_hop: int, hops: int) -> float:
        """Mean of what is known over ``hops`` blocks; NaN where nothing is.

        The blocks must have been pushed.
        """
        index = np.arange(first_hop, first_hop + hops) % len(self._sums)
        known = int(self._known[index].sum())
        return float(self._sums[index].sum() / known) if known else float("nan")


def window_means(track: SpeedTrack, first: NDArray[np.int64], hop: int, hops: int) -> list[float]:
    """Mean speed of windows that start at samples ``first`` and last ``hops`` hops."""
    return [track.mean(int(f) // hop, hops) for f in first]
