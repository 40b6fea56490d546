"""Radix-4 and radix-8 butterflies: the small DFTs that a Stockham FFT is made of.

Arguments and results are real and imaginary parts in order, ``x0r, x0i, x1r, ...``; the sign is
the forward transform's, ``exp(-2j pi k q / r)``. Source: R. E. Blahut, *Fast Algorithms for Signal
Processing* (2010), ch. 3; the radix-8 one is two radix-4 ones with the odd half rotated by the
eighth roots of unity.
"""

from __future__ import annotations

import numpy as np

from vibro.dsp.flags import INLINE
from vibro.jit import njit

_SQRT_HALF = np.float32(np.sqrt(0.5))


@njit(**INLINE)
def radix4(x0r, x0i, x1r, x1i, x2r, x2i, x3r, x3i):  # type: ignore[no-untyped-def] # scalars
    """4-point DFT of float32 scalars."""
    ar, ai, br, bi = x0r + x2r, x0i + x2i, x0r - x2r, x0i - x2i
    cr, ci, dr, di = x1r + x3r, x1i + x3i, x1r - x3r, x1i - x3i
    return ar + cr, ai + ci, br + di, bi - dr, ar - cr, ai - ci, br - di, bi + dr


@njit(**INLINE)
def radix8(  # type: ignore[no-untyped-def] # scalars
    x0r, x0i, x1r, x1i, x2r, x2i, x3r, x3i, x4r, x4i, x5r, x5i, x6r, x6i, x7r, x7i
):
    """8-point DFT of float32 scalars."""
    # Even outputs: a 4-point DFT of the sums of opposite points.
    y0r, y0i, y2r, y2i, y4r, y4i, y6r, y6i = radix4(
        x0r + x4r, x0i + x4i, x1r + x5r, x1i + x5i, x2r + x6r, x2i + x6i, x3r + x7r, x3i + x7i
    )
    # Odd outputs: the same of the differences, turned by 0, -45, -90 and -135 degrees.
    d1r, d1i, d2r, d2i, d3r, d3i = x1r - x5r, x1i - x5i, x2r - x6r, x2i - x6i, x3r - x7r, x3i - x7i
    y1r, y1i, y3r, y3i, y5r, y5i, y7r, y7i = radix4(
        x0r - x4r,
        x0i - x4i,
        (d1r + d1i) * _SQRT_HALF,
        (d1i - d1r) * _SQRT_HALF,
        d2i,
        -d2r,
        (d3i - d3r) * _SQRT_HALF,
        -(d3r + d3i) * _SQRT_HALF,
    )
    return (
        *(y0r, y0i, y1r, y1i, y2r, y2i, y3r, y3i),
        *(y4r, y4i, y5r, y5i, y6r, y6i, y7r, y7i),
    )
