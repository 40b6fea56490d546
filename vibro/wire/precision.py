"""How exactly values are said: rounding to a grid of powers of two, with a bound on the error.

A value that spans decades keeps a number of mantissa bits, any other is a multiple of a step. Both
are powers of two, so that rounding is exact arithmetic and a packer finds the grid again by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MANTISSA_BITS = 8
"""Explicit mantissa bits kept where a spread is not known: relative error at most 2^-9, 0.2 %."""
STEPS: dict[str, int] = {"sample": 4, "mean": 8, "max": 2}
"""Steps a standard deviation: the error is at most half a step of what windows scatter by."""
STATUS_BITS: dict[str, int] = {"p_fast": 1, "p_long": 1, "rpm": 10, "severity": 8}
"""Mantissa bits of status columns: p-values within 25 %, speed within 0.05 %; see `status`."""
SCORE_STEP = -8
"""Scores and shares are multiples of 2^-8: within 0.002."""


def round_mantissa(values: Floats, bits: int | NDArray[np.integer] = MANTISSA_BITS) -> Floats:
    """Round float32 values to ``bits`` explicit mantissa bits, to nearest.

    Parameters
    ----------
    values : ndarray, float32, any shape
    bits : int or ndarray of int that broadcasts to the values
        1 to 23 bits kept.

    Returns
    -------
    ndarray, float32, same shape
        Relative error at most 2^-(bits + 1); NaN and infinities stay what they are. A value
        within that error of the largest float32 becomes infinite.
    """
    drop = (23 - np.asarray(bits)).astype(np.uint32)
    raw = np.ascontiguousarray(values, np.float32).view(np.uint32)
    below = (np.uint32(1) << drop) - np.uint32(1)
    half = (below + np.uint32(1)) >> np.uint32(1)
    rounded = ((raw + half) & ~below).view(np.float32)
    return np.where(np.isfinite(values), rounded, values).astype(np.float32)


def round_step(values: Floats, exponent: NDArray[np.integer] | int) -> Floats:
    """Round to the nearest multiple of 2^exponent; NaN and infinities stay what they are."""
    e = np.asarray(exponent)
    # Zero is added so that there is one zero only.
    exact = np.ldexp(np.rint(np.ldexp(values.astype(np.float64), -e)), e) + 0.0
    return np.asarray(exact, np.float32)


def round_to_spread(
    values: Floats, mean: NDArray[np.float64], spread: NDArray[np.float64], steps: int, log: object
) -> Floats:
    """Round a vector as finely as its features scatter.

    Parameters
    ----------
    values : ndarray, float32, shape (..., features)
    mean, spread : ndarray, float64, same shape
        Mean and standard deviation of each feature over the windows of the interval.
    steps : int
        A power of two: at least so many steps a standard deviation.
    log : ndarray of bool, shape (features,)
        Which features span decades and are never negative: these keep mantissa bits.

    Returns
    -------
    ndarray, float32, same shape
        The error is at most ``spread / (2 steps)``; of a feature that spans decades at most
        ``spread / mean / (2 steps)`` of the value. What does not scatter is left alone.
    """
    alive = (spread > 0) & np.isfinite(spread) & np.isfinite(values)
    step = np.where(alive, spread, 1.0) / steps
    relative = np.where(alive & (mean > 0), step / np.where(mean > 0, mean, 1.0), 1.0)
    bits = np.clip(np.ceil(-np.log2(relative)), 1, 23).astype(np.int64)
    exponent = np.clip(np.floor(np.log2(step)), -149, 82).astype(np.int64)
    rounded = np.where(
        np.broadcast_to(np.asarray(log, np.bool_), values.shape) & (values >= 0),
        round_mantissa(values, bits),
        round_step(np.where(alive, values, 0.0).astype(np.float32), exponent),
    )
    return np.where(alive, rounded, values).astype(np.float32)


def status(name: str, values: Floats) -> Floats:
    """Round a column of status: scores and shares to 2^-8, everything else to mantissa bits."""
    if name.startswith("score_") or name.endswith("_share"):
        return round_step(values, SCORE_STEP)
    return round_mantissa(values, STATUS_BITS.get(name, MANTISSA_BITS))
