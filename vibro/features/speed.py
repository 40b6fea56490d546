"""Mean speed of every window, from the speed each push came with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.flags import EXACT, KERNEL
from vibro.jit import njit, only


@njit(variant=only, **KERNEL)
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
                if not np.isnan(v):
                    total += v
                    seen += 1
            sums[blocks % size] = total
            known[blocks % size] = seen
            blocks += 1
            filled = 0
    return filled, blocks


@njit(variant=only, **EXACT)
def _means(first, samples, hop, sums, known, blocks, out):  # type: ignore[no-untyped-def]
    """Mean of every window from the sums of the hops that it touches, oldest first."""
    size = sums.shape[0]
    for w in range(first.shape[0]):
        total, seen = 0.0, 0
        begin, end = first[w] // hop, min(-(-(first[w] + samples) // hop), blocks)
        for b in range(begin, end):
            total += sums[b % size]
            seen += known[b % size]
        out[w] = total / seen if seen > 0 else np.nan


class SpeedTrack:
    """Sample-weighted mean speed over any window that stands on the grid of fast hops.

    Windows stand on the grid of fast hops; one that does not (scaled spans) takes the whole hops
    that it touches.

    Parameters
    ----------
    hop : int
        Samples of a fast hop.
    reach : int
        Longest window, in hops.
    start_sample : int
        Where the stream starts; hops that began earlier are never asked for.
    """

    def __init__(self, hop: int, reach: int, start_sample: int) -> None:
        self._hop = hop
        self._reach = reach
        self._skip = -start_sample % hop
        self._blocks = -(-start_sample // hop)
        self._filled = 0
        self._pending = np.zeros(hop)
        self._sums = np.zeros(reach + 2)
        self._known = np.zeros(reach + 2, np.int64)

    def push(self, rpm: float, count: int) -> None:
        """Speed of the next ``count`` samples, rpm; NaN = unknown."""
        skipped = min(self._skip, count)
        self._skip -= skipped
        self._filled, self._blocks = _fill(
            float(rpm),
            count - skipped,
            self._filled,
            self._hop,
            self._pending,
            self._sums,
            self._known,
            self._blocks,
        )

    def grow(self, samples: int) -> None:
        """Make room for a push of ``samples`` beside what windows still look back to."""
        size, old = samples // self._hop + self._reach + 4, len(self._sums)
        if size <= old:
            return
        sums, known = np.zeros(size), np.zeros(size, np.int64)
        for b in range(max(0, self._blocks - old), self._blocks):
            sums[b % size], known[b % size] = self._sums[b % old], self._known[b % old]
        self._sums, self._known = sums, known

    def means(self, first: NDArray[np.int64], samples: int) -> NDArray[np.float64]:
        """Mean over what is known of windows of ``samples`` samples; NaN where nothing is.

        Parameters
        ----------
        first : ndarray of int64, shape (w,)
            First sample of each window; the windows must have been pushed.

        Returns
        -------
        ndarray of float64, shape (w,), rpm
        """
        out = np.empty(len(first))
        if len(first):
            _means(first, samples, self._hop, self._sums, self._known, self._blocks, out)
        return out
