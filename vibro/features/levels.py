"""Peak, RMS and slope of raw blocks of every channel against limits, in one pass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.decibel import magnitude, magnitude_bits
from vibro.dsp.flags import KERNEL
from vibro.features.channel import counts_variant
from vibro.jit import njit

F64 = NDArray[np.float64]
_0, _HUGE = np.float32(0), np.float32(1e18)


class Levels(NamedTuple):
    """The open block of every channel, and what it is held against; every array (channels,).

    Attributes
    ----------
    peak, square : ndarray of float64
        Largest magnitude and sum of squares so far, in counts.
    before : ndarray of float64
        RMS of the block before; NaN where there is none.
    found : ndarray of float64, shape (3, channels)
        Peak and RMS (m/s2) and slope of the RMS (m/s2 a second) of the last whole block.
    scale : ndarray of float64
        m/s2 a count.
    limits : ndarray of float64, shape (3, channels)
        Of peak, RMS and slope; infinite where there is none.
    """

    peak: F64
    square: F64
    before: F64
    found: F64
    scale: F64
    limits: F64


def levels_of(scale: NDArray[np.floating], limits: F64) -> Levels:
    """Levels of a stream of which nothing has been seen."""
    n = len(scale)
    return Levels(
        peak=np.zeros(n),
        square=np.zeros(n),
        before=np.full(n, np.nan),
        found=np.zeros((3, n)),
        scale=np.ascontiguousarray(scale, np.float64),
        limits=np.ascontiguousarray(limits, np.float64),
    )


def begin(levels: Levels) -> None:
    """Forget what was seen of the open block and of the one before."""
    levels.peak[:] = 0.0
    levels.square[:] = 0.0
    levels.before[:] = np.nan


@njit(variant=counts_variant, **KERNEL)
def exceed(counts, first, last, whole, block, per_s, levels):  # type: ignore[no-untyped-def]
    """Take samples of one block; where they end it, tell whether any limit is exceeded.

    What is not finite counts as 0, as in the features. Squares of int16 add up without rounding:
    how a block is cut changes nothing.

    Parameters
    ----------
    counts : ndarray of int16, int32 or float32, shape (channels, n)
    first, last : int
        The samples ``first .. last - 1`` are taken.
    whole : bool
        Whether they end the block.
    block, per_s : int, float
        Samples of a block, and blocks a second.
    levels : Levels
        Updated in place; ``found`` only at the end of a block.
    """
    over = False
    for c in range(counts.shape[0]):
        top, square, row = np.int32(0), 0.0, counts[c, first:last]
        for i in range(row.shape[0]):
            v = np.float32(row[i])
            v = v if abs(v) < _HUGE else _0
            top = max(top, magnitude_bits(v))
            square += np.float64(v) * np.float64(v)
        peak = max(levels.peak[c], np.float64(magnitude(top)))
        square += levels.square[c]
        if whole:
            peak *= levels.scale[c]
            rms = np.sqrt(square / block) * levels.scale[c]
            slope = (rms - levels.before[c]) * per_s
            levels.before[c] = rms
            found, limits = levels.found, levels.limits
            found[0, c], found[1, c], found[2, c] = peak, rms, slope
            over |= peak > limits[0, c] or rms > limits[1, c] or slope > limits[2, c]
            peak, square = 0.0, 0.0
        levels.peak[c], levels.square[c] = peak, square
    return over
