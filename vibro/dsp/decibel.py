"""A float32 logarithm and maximum that vectorise, as numba's own do not.

Its logarithm calls libm once an element; its maximum must mind NaN, which has no place in a
vector's order.
"""

from __future__ import annotations

import numpy as np

from vibro.dsp.flags import INLINE
from vibro.jit import njit

_LN2 = np.float32(np.log(2.0))
_ONE, _TWO = np.float32(1.0), np.float32(2.0)
_THIRD, _FIFTH, _SEVENTH = np.float32(1 / 3), np.float32(1 / 5), np.float32(1 / 7)
_NINTH = np.float32(1 / 9)
_SQRT_HALF_BITS, _MANTISSA = np.int32(0x3F3504F3), np.int32(23)
DB = np.float32(10.0 / np.log(10.0))
"""Decibels of power in one neper of power: ``DB * ln(p)`` is ``10 log10(p)``."""


@njit(**INLINE)
def ln(value):  # type: ignore[no-untyped-def] # a scalar
    """Natural logarithm of a positive, normal float32; absolute error below 2e-6.

    The exponent is split off so that the rest m lies in [sqrt(1/2), sqrt(2)), then
    ln m = 2 artanh((m - 1) / (m + 1)) by five terms of its series (Abramowitz & Stegun 4.1.27).
    """
    bits = np.float32(value).view(np.int32)
    exponent = np.int32(bits - _SQRT_HALF_BITS) >> _MANTISSA
    m = np.int32(bits - (exponent << _MANTISSA)).view(np.float32) - _ONE
    s = m / (_TWO + m)
    z = s * s
    series = _ONE + z * (_THIRD + z * (_FIFTH + z * (_SEVENTH + z * _NINTH)))
    return _TWO * s * series + np.float32(exponent) * _LN2


_MAGNITUDE = np.int32(0x7FFFFFFF)


@njit(**INLINE)
def magnitude_bits(value):  # type: ignore[no-untyped-def] # a scalar
    """|value| as an integer of the same order, so that a maximum of many vectorises."""
    return np.float32(value).view(np.int32) & _MAGNITUDE


@njit(**INLINE)
def magnitude(bits):  # type: ignore[no-untyped-def] # a scalar
    """Undo `magnitude_bits`."""
    return np.int32(bits).view(np.float32)
