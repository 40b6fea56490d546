"""Finding a line in a spectrum: amplitude of an order, height of a family over its decoys."""

from __future__ import annotations

import numpy as np

from vibro.dsp.decibel import DB, ln, magnitude
from vibro.dsp.flags import CALLED, INLINE
from vibro.jit import njit

_0 = np.float32(0)
_TINY = np.float32(1e-20)
SEARCH_SHARE, SEARCH_BINS = 0.01, 1.5
"""How far from its expected frequency a line is searched: 1 % of it and 1.5 bins."""
LOBE = 2
"""Bins on either side of a line's peak that hold its power under a Hann window."""
SLIP = 0.02
"""Largest slip of a bearing line searched (Randall & Antoni 2011: 1-2 %)."""
HARMONICS = 3
FLOOR_BINS = 64
"""Bins whose mean level is the local floor (20 Hz of a standard long window)."""
SNR_TOP_DB = np.float32(25.0)
DECOYS = (0.781, 0.837, 0.893, 0.931, 1.073, 1.127, 1.193)
"""Decoys stand at these multiples of the expected frequency, where no family has a line."""


@njit(**CALLED)
def line_power(power, frequency, bin_hz, top_hz):  # type: ignore[no-untyped-def]
    """Power of the line near ``frequency``; 0 when it is unknown (NaN), too low or beyond the top.

    ``power`` sums to the mean square, so a sine of amplitude A gives A^2 / 2.
    """
    reach = SEARCH_SHARE * frequency + SEARCH_BINS * bin_hz
    # Written so that NaN fails it.
    if not (frequency >= 2.0 * bin_hz and frequency + reach < top_hz):
        return _0
    low = max(1, int(np.ceil((frequency - reach) / bin_hz)))
    high = int((frequency + reach) / bin_hz)
    peak = low
    for k in range(low, high + 1):
        if power[k] > power[peak]:
            peak = k
    total = _0
    for k in range(max(1, peak - LOBE), min(power.shape[0] - 1, peak + LOBE) + 1):
        total += power[k]
    return total


@njit(**CALLED)
def whiten(power, count, level, floor, ridge):  # type: ignore[no-untyped-def]
    """Level of bins 0..count-1 over their local floor, dB, then the maximum of three neighbours.

    The floor is the mean level of blocks of `FLOOR_BINS` bins, linear between their centres: few
    lines hardly move a mean of logarithms. ``level`` and ``floor`` are scratch; ``ridge`` receives
    the result, 0 in its first and last bin. Returns the largest value of ``ridge``.
    """
    for k in range(count):
        level[k] = DB * ln(power[k] + _TINY)
    width = max(4, min(FLOOR_BINS, (count - 1) // 4))
    blocks = (count - 1) // width  # bin 0 belongs to none: the mean was removed
    # Slices here and below: an index that might be negative would forbid vectors.
    for b in range(blocks):
        total, block = _0, level[1 + b * width : 1 + (b + 1) * width]
        for k in range(width):
            total += block[k]
        floor[b] = total / np.float32(width)
    floor[blocks] = floor[blocks - 1]
    half = width // 2
    for k in range(1, 1 + half):
        level[k] -= floor[0]
    for b in range(blocks):
        start = 1 + b * width + half
        step, block = (floor[b + 1] - floor[b]) / np.float32(width), level[start : start + width]
        here = floor[b]
        for k in range(min(width, count - start)):
            block[k] -= here + step * np.float32(k)
    for k in range(1 + blocks * width + half, count):
        level[k] -= floor[blocks]
    ridge[0] = _0
    ridge[count - 1] = _0
    bits = np.int32(0)
    for k in range(1, count - 1):
        here = level[k]
        # Not max(): numba's would mind NaN, and the loop would not vectorise.
        here = level[k - 1] if level[k - 1] > here else here  # noqa: FURB136
        here = level[k + 1] if level[k + 1] > here else here  # noqa: FURB136
        ridge[k] = here
        # As integers floats above 0 keep their order, and those below it are below 0.
        bits = max(bits, np.float32(here).view(np.int32))
    return magnitude(bits)


@njit(**INLINE)
def _height(level):  # type: ignore[no-untyped-def] # a scalar
    """Level within 0..`SNR_TOP_DB`; not by max(), which would mind NaN."""
    level = level if level > _0 else _0  # noqa: FURB136
    return level if level < SNR_TOP_DB else SNR_TOP_DB  # noqa: FURB136


@njit(**INLINE)
def _nearest(place):  # type: ignore[no-untyped-def] # a scalar
    """Nearest bin as an unsigned number: one that might be negative would have to be looked at."""
    return np.uint32(np.int32(place + 0.5))


@njit(**INLINE)
def _comb(ridge, frequency, bin_hz, count):  # type: ignore[no-untyped-def]
    """Best mean height of the family's harmonics over slips of +-`SLIP`, dB in 0..25."""
    harmonics = min(HARMONICS, int((count - 2) * bin_hz / (frequency * (1.0 + SLIP))))
    if harmonics < 1:
        return _0
    steps = max(1, int(np.ceil(SLIP * frequency * harmonics / bin_hz)))
    # A harmonic that is not in the band reads bin 0, where the ridge is 0.
    second, third = 2.0 * (harmonics > 1), 3.0 * (harmonics > 2)
    expected, slip, best = frequency / bin_hz, SLIP / steps, np.int32(0)
    for s in range(-steps, steps + 1):
        spacing = expected * (1.0 + slip * s)
        total = _height(ridge[_nearest(spacing)])
        total += _height(ridge[_nearest(second * spacing)])
        total += _height(ridge[_nearest(third * spacing)])
        best = max(best, np.float32(total).view(np.int32))
    return magnitude(best) / np.float32(harmonics)


@njit(**INLINE)
def has_family(frequency, bin_hz, count):  # type: ignore[no-untyped-def] # scalars
    """Tell if a family's line is defined: known (not NaN), three bins up, decoys in the band."""
    return frequency >= 3.0 * bin_hz and frequency * 1.2 * (1.0 + SLIP) < (count - 2) * bin_hz


@njit(**CALLED)
def family_snr(ridge, frequency, bin_hz, count, decoys, scratch):  # type: ignore[no-untyped-def]
    """Height of a family of lines over what the same search finds at decoys, dB.

    ``decoys`` are the multiples to search; ``scratch`` has their length, an odd number. 0 where
    there is none (`has_family`).
    """
    if not has_family(frequency, bin_hz, count):
        return _0
    for i in range(decoys.shape[0]):
        value = _comb(ridge, frequency * decoys[i], bin_hz, count)
        j = i
        while j > 0 and scratch[j - 1] > value:
            scratch[j] = scratch[j - 1]
            j -= 1
        scratch[j] = value
    return _comb(ridge, frequency, bin_hz, count) - scratch[decoys.shape[0] // 2]
