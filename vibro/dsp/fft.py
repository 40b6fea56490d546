"""Float32 FFTs of power-of-two length in numba: Stockham autosort, radix 8 and 4.

The exponent of a length travels in a *type*: ``size_of(4096)`` is a tuple of twelve zeros, and
``1 << len(size)`` inside a kernel is a constant, so that every loop has constant bounds and
strides and vectorises; one source serves all lengths, each compiled on first use and cached.

Real and imaginary parts are kept apart while transforming: ``work`` holds two pairs of them that
the passes alternate between, each part `GAP` values behind the one before, because what lies a
power of two apart shares the few places that a cache has for it. A real signal of n samples is
transformed as n/2 complex points. Largest error relative to the largest bin: 4e-7.

Source: P. N. Swarztrauber, "FFT algorithms for vector computers", Parallel Computing 1 (1984)
45-63 (Stockham); H. V. Sorensen et al., IEEE Trans. ASSP 35 (1987) 849-863 (real from complex).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.butterfly import radix4, radix8
from vibro.dsp.flags import INLINE, KERNEL
from vibro.dsp.memory import aligned, aligned_copy
from vibro.errors import BadInputError
from vibro.jit import njit

F32 = NDArray[np.float32]
_HALF = np.float32(0.5)
SMALLEST, LARGEST = 32, 65536
"""Complex lengths that are supported, inclusive."""
GAP = 64
"""Values between parts of the work space: four cache lines."""


class ComplexPlan(NamedTuple):
    """What a complex FFT of N = 2**len(size) points needs."""

    size: tuple[int, ...]
    twiddle: F32
    work: F32


class RealPlan(NamedTuple):
    """What a real FFT of n = 2**len(size) samples needs."""

    size: tuple[int, ...]
    half: ComplexPlan
    twiddle: F32


def size_of(n: int) -> tuple[int, ...]:
    """Length ``n`` as a type-level constant: a tuple of log2(n) zeros.

    Raises
    ------
    BadInputError
        If ``n`` is not a power of two.
    """
    if n < 1 or n & (n - 1):
        raise BadInputError(f"FFT length {n} is not a power of two: choose one that is")
    return (0,) * (n.bit_length() - 1)


def _radices(n: int) -> list[int]:
    """Radices of the passes after the first (which is 8): as many 8s as end exactly."""
    radices = []
    rest = n // 8
    while rest > 1:
        radix = 8 if (rest.bit_length() - 1) % 3 == 0 else 4
        radices.append(radix)
        rest //= radix
    return radices


def complex_plan(n: int) -> ComplexPlan:
    """Twiddles and work space of a complex FFT.

    Parameters
    ----------
    n : int
        Complex points: a power of two in 32..65536.

    Raises
    ------
    BadInputError
        For any other ``n``.
    """
    size = size_of(n)
    if not SMALLEST <= n <= LARGEST:
        raise BadInputError(f"FFT length {n} is outside {SMALLEST}..{LARGEST}")
    points, parts = n, []
    for index, radix in enumerate([8, *_radices(n)]):
        m = points // radix
        turns = np.exp(-2j * np.pi * np.outer(np.arange(m), np.arange(1, radix)) / points)
        both = np.stack([turns.real, turns.imag], axis=-1)  # (m, radix - 1, 2)
        # The first pass vectorises over m, so its twiddles lie one power after the other.
        parts.append((both.transpose(1, 2, 0) if index == 0 else both).ravel())
        points = m
    return ComplexPlan(size, aligned_copy(np.concatenate(parts)), aligned(4 * (n + GAP)))


def real_plan(n: int) -> RealPlan:
    """Twiddles and work space of a real FFT of ``n`` samples, a power of two in 64..131072."""
    turns = np.exp(-2j * np.pi * np.arange(n // 4 + 1) / n)
    twiddle = aligned_copy(np.concatenate([turns.real, turns.imag]))
    return RealPlan(size_of(n), complex_plan(n // 2), twiddle)


@njit(**INLINE)
def _store(w, n, at, re, im, cr, ci):  # type: ignore[no-untyped-def] # scalars
    w[at] = re * cr - im * ci
    w[at + n + GAP] = re * ci + im * cr


@njit(**INLINE)
def _first(x, w, tw, n):  # type: ignore[no-untyped-def]
    """First pass: read interleaved complex ``x``, write the first half of ``w``."""
    m = n // 8
    d = 2 * m
    for p in range(m):
        i = 2 * p
        y = radix8(
            *(x[i], x[i + 1], x[i + d], x[i + d + 1]),
            *(x[i + 2 * d], x[i + 2 * d + 1], x[i + 3 * d], x[i + 3 * d + 1]),
            *(x[i + 4 * d], x[i + 4 * d + 1], x[i + 5 * d], x[i + 5 * d + 1]),
            *(x[i + 6 * d], x[i + 6 * d + 1], x[i + 7 * d], x[i + 7 * d + 1]),
        )
        j = 8 * p
        w[j] = y[0]
        w[j + n + GAP] = y[1]
        _store(w, n, j + 1, y[2], y[3], tw[p], tw[m + p])
        _store(w, n, j + 2, y[4], y[5], tw[2 * m + p], tw[3 * m + p])
        _store(w, n, j + 3, y[6], y[7], tw[4 * m + p], tw[5 * m + p])
        _store(w, n, j + 4, y[8], y[9], tw[6 * m + p], tw[7 * m + p])
        _store(w, n, j + 5, y[10], y[11], tw[8 * m + p], tw[9 * m + p])
        _store(w, n, j + 6, y[12], y[13], tw[10 * m + p], tw[11 * m + p])
        _store(w, n, j + 7, y[14], y[15], tw[12 * m + p], tw[13 * m + p])


@njit(**INLINE)
def _pass8(w, tw, a, b, o, n, s):  # type: ignore[no-untyped-def]
    """Radix-8 pass from offset ``a`` to ``b`` of ``w``; ``s`` transforms are interleaved."""
    leg = n // 8
    for p in range(leg // s):
        t = o + 14 * p
        c1r, c1i, c2r, c2i, c3r, c3i = tw[t], tw[t + 1], tw[t + 2], tw[t + 3], tw[t + 4], tw[t + 5]
        c4r, c4i, c5r, c5i = tw[t + 6], tw[t + 7], tw[t + 8], tw[t + 9]
        c6r, c6i, c7r, c7i = tw[t + 10], tw[t + 11], tw[t + 12], tw[t + 13]
        for q in range(s):
            i = a + s * p + q
            k = i + n + GAP
            y = radix8(
                *(w[i], w[k], w[i + leg], w[k + leg]),
                *(w[i + 2 * leg], w[k + 2 * leg], w[i + 3 * leg], w[k + 3 * leg]),
                *(w[i + 4 * leg], w[k + 4 * leg], w[i + 5 * leg], w[k + 5 * leg]),
                *(w[i + 6 * leg], w[k + 6 * leg], w[i + 7 * leg], w[k + 7 * leg]),
            )
            j = b + 8 * s * p + q
            w[j] = y[0]
            w[j + n + GAP] = y[1]
            _store(w, n, j + s, y[2], y[3], c1r, c1i)
            _store(w, n, j + 2 * s, y[4], y[5], c2r, c2i)
            _store(w, n, j + 3 * s, y[6], y[7], c3r, c3i)
            _store(w, n, j + 4 * s, y[8], y[9], c4r, c4i)
            _store(w, n, j + 5 * s, y[10], y[11], c5r, c5i)
            _store(w, n, j + 6 * s, y[12], y[13], c6r, c6i)
            _store(w, n, j + 7 * s, y[14], y[15], c7r, c7i)


@njit(**INLINE)
def _pass4(w, tw, a, b, o, n, s):  # type: ignore[no-untyped-def]
    """Radix-4 pass from offset ``a`` to ``b`` of ``w``; ``s`` transforms are interleaved."""
    leg = n // 4
    for p in range(leg // s):
        t = o + 6 * p
        c1r, c1i, c2r, c2i, c3r, c3i = tw[t], tw[t + 1], tw[t + 2], tw[t + 3], tw[t + 4], tw[t + 5]
        for q in range(s):
            i = a + s * p + q
            k = i + n + GAP
            y = radix4(
                *(w[i], w[k], w[i + leg], w[k + leg]),
                *(w[i + 2 * leg], w[k + 2 * leg], w[i + 3 * leg], w[k + 3 * leg]),
            )
            j = b + 4 * s * p + q
            w[j] = y[0]
            w[j + n + GAP] = y[1]
            _store(w, n, j + s, y[2], y[3], c1r, c1i)
            _store(w, n, j + 2 * s, y[4], y[5], c2r, c2i)
            _store(w, n, j + 3 * s, y[6], y[7], c3r, c3i)


@njit(**INLINE)
def _pass(w, tw, a, b, o, n, s):  # type: ignore[no-untyped-def]
    """One pass of whichever radix is due; return its radix."""
    rest = n // s
    if rest in (8, 64, 512, 4096):
        _pass8(w, tw, a, b, o, n, s)
        return 8
    _pass4(w, tw, a, b, o, n, s)
    return 4


@njit(**INLINE)
def passes(x, plan):  # type: ignore[no-untyped-def]
    """Complex FFT of interleaved ``x`` into ``plan.work``; return the offset of its real parts.

    The imaginary parts follow N + `GAP` further on. Inlined: call it from a kernel, once a length.
    """
    n = 1 << len(plan.size)
    w, tw = plan.work, plan.twiddle
    _first(x, w, tw, n)
    # Written out instead of looped over, so that strides and offsets are constants.
    a, b, o, s = 0, 2 * (n + GAP), 14 * (n // 8), 8
    if s < n:
        r = _pass(w, tw, a, b, o, n, s)
        a, b, o, s = b, a, o + 2 * (r - 1) * (n // s // r), s * r
    if s < n:
        r = _pass(w, tw, a, b, o, n, s)
        a, b, o, s = b, a, o + 2 * (r - 1) * (n // s // r), s * r
    if s < n:
        r = _pass(w, tw, a, b, o, n, s)
        a, b, o, s = b, a, o + 2 * (r - 1) * (n // s // r), s * r
    if s < n:
        r = _pass(w, tw, a, b, o, n, s)
        a, b, o, s = b, a, o + 2 * (r - 1) * (n // s // r), s * r
    if s < n:
        r = _pass(w, tw, a, b, o, n, s)
        a, b, o, s = b, a, o + 2 * (r - 1) * (n // s // r), s * r
    return a


@njit(**INLINE)
def real_fft(x, plan, out):  # type: ignore[no-untyped-def]
    """Do what `rfft_rows` does to one row, as a piece of a kernel."""
    n = 1 << (len(plan.size) - 1)
    z = passes(x, plan.half)
    i = z + n + GAP
    w, tw = plan.half.work, plan.twiddle
    re, im = out[0], out[1]
    re[0] = w[z] + w[i]
    im[0] = np.float32(0.0)
    re[n] = w[z] - w[i]
    im[n] = np.float32(0.0)
    # The middle bin would be written from both ends, and that would forbid vectors: it is apart.
    middle = n // 2
    re[middle] = w[z + middle]
    im[middle] = -w[i + middle]
    for k in range(1, middle):
        ar, ai, br, bi = w[z + k], w[i + k], w[z + n - k], w[i + n - k]
        er, ei = (ar + br) * _HALF, (ai - bi) * _HALF
        dr, di = (ai + bi) * _HALF, (br - ar) * _HALF
        cr, ci = tw[k], tw[middle + 1 + k]
        pr, pi = dr * cr - di * ci, dr * ci + di * cr
        re[k] = er + pr
        im[k] = ei + pi
        re[n - k] = er - pr
        im[n - k] = pi - ei


@njit(**KERNEL)
def rfft_rows(x, plan, out):  # type: ignore[no-untyped-def]
    """Real FFTs of rows, unnormalised, into caller's memory.

    Parameters
    ----------
    x : ndarray of float32, shape (rows, n)
        Samples; not changed. NaN spreads to every bin of its row.
    plan : RealPlan
        From `real_plan(n)`; its work space is overwritten.
    out : ndarray of float32, shape (rows, 2, n / 2 + 1), or more columns
        Receives the real (``out[:, 0]``) and imaginary parts of bins 0..n/2.
    """
    for row in range(x.shape[0]):
        real_fft(x[row], plan, out[row])
