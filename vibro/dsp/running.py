"""Sums and extremes that grow row by row, in place: what they are of is gone when it is asked for.

The arrays are small and come often, so that what counts is the number of calls and of temporaries.
"""

from __future__ import annotations

import numpy as np

from vibro.dsp.flags import EXACT
from vibro.jit import njit, only


@njit(variant=only, **EXACT)
def add_about(values, origin, total, square, highest, raises):  # type: ignore[no-untyped-def]
    """Add values, less an origin, and their squares; keep the largest where asked to.

    Parameters
    ----------
    values, origin : ndarray of float32, shape (channels, features)
    total, square : ndarray of float64, of the same shape
        Grow.
    highest : ndarray of float32, of the same shape
        Grows if ``raises``; what has ever been NaN stays so.
    raises : bool
    """
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            away = np.float64(values[i, j]) - np.float64(origin[i, j])
            total[i, j] += away
            square[i, j] += away * away
            if raises and not values[i, j] <= highest[i, j] and highest[i, j] == highest[i, j]:
                highest[i, j] = values[i, j]


@njit(variant=only, **EXACT)
def add_known(values, total, count, low, high):  # type: ignore[no-untyped-def]
    """Add what is not NaN, count it, and keep the least and the largest.

    Parameters
    ----------
    values, total, count, low, high : ndarray of float64, shape (columns, channels)
        All but ``values`` grow; ``low`` and ``high`` are NaN where nothing was known.
    """
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            v = values[i, j]
            if v == v:
                total[i, j] += v
                count[i, j] += 1.0
                # NaN is below and above nothing.
                if not low[i, j] <= v:
                    low[i, j] = v
                if not high[i, j] >= v:
                    high[i, j] = v


@njit(variant=only, **EXACT)
def add_counted(values, total, count):  # type: ignore[no-untyped-def]
    """Add what is not NaN, and count it.

    Parameters
    ----------
    values, total : ndarray of float64, shape (channels,)
    count : ndarray of int64, shape (channels,)
    """
    for i in range(values.shape[0]):
        if values[i] == values[i]:
            total[i] += values[i]
            count[i] += 1
