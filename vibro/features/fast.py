"""The fast path: one window's features and its tile of the squared envelope.

The window is read once for its mean, once for its moments; its Hann spectrum is a 3-tap
convolution of its plain spectrum (F. J. Harris, Proc. IEEE 66 (1978), eq. 27), and the envelope of
the band is a small complex FFT of the same spectrum's bins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.decibel import DB, ln, magnitude, magnitude_bits
from vibro.dsp.fft import GAP, ComplexPlan, RealPlan, complex_plan, passes, real_fft, real_plan
from vibro.dsp.flags import INLINE, KERNEL
from vibro.dsp.memory import aligned, spectrum_memory
from vibro.features.spans import Spans, envelope_support
from vibro.features.table import BANDS
from vibro.jit import njit

F32 = NDArray[np.float32]
_0, _1, _HALF, _QUARTER = np.float32(0), np.float32(1), np.float32(0.5), np.float32(0.25)
_FLOOR = np.float32(1e-12)
"""Power below which levels are not told apart: -120 dB re 1 (m/s2)^2."""
_TINY = np.float32(1e-20)
_LOWEST_HZ = 10.0
# Columns; BANDS bands lie between the first and the second group.
_SHAPE, _BAND, _SPECTRUM, _ENVELOPE = 0, 10, 10 + BANDS, 16 + BANDS


class FastKit(NamedTuple):
    """Plans, scratch memory and constants of the fast path at one window length."""

    plan: RealPlan
    envelope_plan: ComplexPlan
    edges: NDArray[np.int64]
    bin_hz: np.float32
    power_scale: np.float32
    guard: int
    d: F32
    spectrum: F32
    power: F32
    band: F32
    envelope: F32


def band_edges(bin_hz: float, half: int) -> NDArray[np.int64]:
    """First bins of the log bands and one beyond the last, strictly rising.

    From 10 Hz (at least bin 2) to bin ``half``, inclusive.
    """
    wanted = np.geomspace(max(_LOWEST_HZ / bin_hz, 2.0), half + 1, BANDS + 1)
    edges = np.rint(wanted).astype(np.int64)
    for b in range(1, BANDS + 1):
        edges[b] = max(edges[b], edges[b - 1] + 1)
    return edges


def fast_kit(spans: Spans) -> FastKit:
    """Kit for a stream's spans."""
    n, m = spans.fast_window, spans.envelope_points
    bin_hz = spans.rate_hz / n
    return FastKit(
        plan=real_plan(n),
        envelope_plan=complex_plan(m),
        edges=band_edges(bin_hz, n // 2),
        bin_hz=np.float32(bin_hz),
        # Hann by (-1/4, 1/2, -1/4): mean square of the window 3/8, one-sided factor 2.
        power_scale=np.float32(16.0 / 3.0 / n / n),
        guard=m * envelope_support(n) // (2 * n),
        d=aligned(n),
        spectrum=spectrum_memory(n),
        power=aligned(n // 2 + 1),
        band=aligned(2 * m),
        envelope=aligned(m),
    )


@njit(**INLINE)
def decibel(power):  # type: ignore[no-untyped-def]
    """Level of a power, dB re 1 (m/s2)^2, never below -120."""
    return DB * ln(power + _FLOOR)


@njit(**INLINE)
def _shape(x, n, d, out):  # type: ignore[no-untyped-def]
    """Time-domain features; the window less its mean goes to ``d``; return its mean square."""
    total, repeats, size = _0, 0, np.float32(n)
    # Differences from one sample, and their mean taken from them: the mean itself cannot be had
    # to a part of a vibration beside a large offset. They are kept, for the compiler may move a
    # difference that it sees whole to where it is rounded.
    origin = x[0]
    d[0] = _0
    for i in range(1, n):
        v = x[i] - origin
        d[i] = v
        total += v
        repeats += x[i] == x[i - 1]
    rest = total / size
    mean = origin + rest
    m2, m3, m4, ma, mq, top = _0, _0, _0, _0, _0, np.int32(0)
    for i in range(n):
        v = d[i] - rest
        a = abs(v)
        v2 = v * v
        d[i] = v
        m2 += v2
        m3 += v2 * v
        m4 += v2 * v2
        ma += a
        mq += np.sqrt(a)
        top = max(top, magnitude_bits(v))
    peak = magnitude(top)
    for i in range(_BAND):
        out[i] = _0
    out[0] = mean
    out[9] = np.float32(repeats) / np.float32(n - 1)
    # What the rounding of the mean leaves of a constant is not a signal.
    if peak <= np.float32(1e-6) * abs(mean) + np.float32(1e-12):
        for i in range(n):
            d[i] = _0
        return _0
    m2, m3, m4, ma, mq = m2 / size, m3 / size, m4 / size, ma / size, mq / size
    rms = np.sqrt(m2)
    out[1] = rms
    out[2] = peak
    out[3] = peak / rms
    out[4] = m4 / m2 / m2  # m2 squared might underflow
    out[5] = m3 / (m2 * rms)
    out[6] = rms / ma
    out[7] = peak / ma
    out[8] = peak / (mq * mq)
    return m2


@njit(**INLINE)
def hann_power(spectrum, n, scale, power):  # type: ignore[no-untyped-def]
    """One-sided Hann power spectrum from a plain spectrum; bin 0 is set to 0."""
    half = n // 2
    re, im = spectrum[0], spectrum[1]
    power[0] = _0
    for k in range(1, half):
        a = _HALF * re[k] - _QUARTER * (re[k - 1] + re[k + 1])
        b = _HALF * im[k] - _QUARTER * (im[k - 1] + im[k + 1])
        power[k] = (a * a + b * b) * scale
    a = _HALF * (re[half] - re[half - 1])
    power[half] = _HALF * a * a * scale


@njit(**INLINE)
def _spectrum_shape(p, half, bin_hz, out):  # type: ignore[no-untyped-def]
    total, first, logs, entropy, bits = _0, _0, _0, _0, np.int32(0)
    for k in range(1, half + 1):
        v = p[k]
        level = ln(v + _TINY)
        total += v
        first += np.float32(k) * v
        logs += level
        entropy += v * level
        bits = max(bits, magnitude_bits(v))
    for i in range(_SPECTRUM, _ENVELOPE):
        out[i] = _0
    if total <= _TINY:
        return
    centre = first / total
    second, fourth = _0, _0
    for k in range(1, half + 1):
        g = np.float32(k) - centre
        g *= g
        gp = g * p[k]
        second += gp
        fourth += gp * g
    second, fourth = second / total, fourth / total
    bins = np.float32(half)
    out[_SPECTRUM] = centre * bin_hz
    out[_SPECTRUM + 1] = np.sqrt(second) * bin_hz
    # All power in one bin (a step that the Hann window hides) has no shape.
    if second * second > _TINY:
        out[_SPECTRUM + 2] = fourth / (second * second)
    out[_SPECTRUM + 3] = DB * (logs / bins - ln(total / bins))
    out[_SPECTRUM + 4] = (ln(total) - entropy / total) / ln(bins)
    out[_SPECTRUM + 5] = DB * ln(magnitude(bits) * bins / total)


@njit(**INLINE)
def _squared_envelope(kit, first, gains):  # type: ignore[no-untyped-def]
    """Squared envelope of the band over the whole window, in time order, into ``kit.envelope``."""
    m = 1 << len(kit.envelope_plan.size)
    spectrum, band, envelope = kit.spectrum, kit.band, kit.envelope
    for i in range(gains.shape[0]):
        # Conjugated: the forward transform then runs forward in time as the inverse would.
        band[2 * i] = spectrum[0, first + i] * gains[i]
        band[2 * i + 1] = -spectrum[1, first + i] * gains[i]
    for i in range(2 * gains.shape[0], 2 * m):
        band[i] = _0
    z = passes(band, kit.envelope_plan)
    w = kit.envelope_plan.work
    for i in range(m):
        re, im = w[z + i], w[z + m + GAP + i]
        envelope[i] = re * re + im * im


@njit(**INLINE)
def _envelope_shape(kit, mean_square, out):  # type: ignore[no-untyped-def]
    m = 1 << len(kit.envelope_plan.size)
    guard, envelope = kit.guard, kit.envelope
    s1, s2, bits = _0, _0, np.int32(0)
    for i in range(guard, m - guard):
        e = envelope[i]
        s1 += e
        s2 += e * e
        bits = max(bits, magnitude_bits(e))
    count = np.float32(m - 2 * guard)
    mean = s1 / count
    out[_ENVELOPE] = decibel(_HALF * mean)
    for i in range(1, 4):
        out[_ENVELOPE + i] = _0
    if mean_square > _0 and mean > _TINY:
        out[_ENVELOPE + 1] = DB * ln(_HALF * mean / mean_square + _FLOOR)
        out[_ENVELOPE + 2] = s2 / count / (mean * mean)
        out[_ENVELOPE + 3] = DB * ln(magnitude(bits) / mean)


@njit(**INLINE)
def window_features(x, kit, first, gains, out, tile):  # type: ignore[no-untyped-def]
    """Do what `fast_window` does, as a piece of a kernel."""
    n = 1 << len(kit.plan.size)
    mean_square = _shape(x, n, kit.d, out)
    real_fft(kit.d, kit.plan, kit.spectrum)
    hann_power(kit.spectrum, n, kit.power_scale, kit.power)
    for b in range(BANDS):
        total = _0
        for k in range(kit.edges[b], kit.edges[b + 1]):
            total += kit.power[k]
        out[_BAND + b] = decibel(total)
    _spectrum_shape(kit.power, n // 2, kit.bin_hz, out)
    _squared_envelope(kit, first, gains)
    _envelope_shape(kit, mean_square, out)
    quarter = tile.shape[0] // 2
    for i in range(tile.shape[0]):
        tile[i] = kit.envelope[quarter + i]


@njit(**KERNEL)
def fast_window(x, kit, first, gains, out, tile):  # type: ignore[no-untyped-def]
    """Features of one window, and the middle half of its squared envelope.

    Parameters
    ----------
    x : ndarray of float32, shape (fast_window,)
        Acceleration, m/s2, finite.
    kit : FastKit
        Its scratch memory is overwritten.
    first, gains : int, ndarray of float32
        The channel's band, from `vibro.dsp.design.band_gain`, times 2 / fast_window.
    out : ndarray of float32, shape (len(FAST),)
        Receives the features.
    tile : ndarray of float32, shape (envelope_points / 2,)
        Receives the squared envelope, (m/s2)^2, of the window's middle half, where it is free of
        the circular transform's ends: tiles of successive windows abut.
    """
    window_features(x, kit, first, gains, out, tile)
