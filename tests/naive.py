"""Slow, plain float64 twins of the DSP and feature kernels; nothing of vibro is used here.

Written from the formulas of the feature table, with numpy and scipy only. What a feature is when
it is not defined (a constant window, no speed, a line outside the band) is 0, as the table says.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import signal, stats

ORDERS = (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10)
DECOYS = (0.781, 0.837, 0.893, 0.931, 1.073, 1.127, 1.193)
FLOOR, TINY = 1e-12, 1e-20


def level(power):
    """Decibels re 1, never below -120."""
    return 10 * np.log10(power + FLOOR)


def ratio(above, below):
    """0 where it is not defined."""
    return above / below if below > 0 else 0.0


def without_mean(x):
    """Deviation from the mean; 0 all over where that is no more than rounding beside it."""
    x = np.asarray(x, np.float64)
    d = x - x.mean()
    return d if np.abs(d).max() > 1e-6 * abs(x.mean()) + 1e-12 else np.zeros(len(x))


def hann_power(d):
    """One-sided power spectrum under a periodic Hann window; sums to the mean square."""
    n = len(d)
    bins = signal.periodogram(d, window="hann", scaling="spectrum", detrend=False)[1]
    window = signal.get_window("hann", n)
    bins *= window.sum() ** 2 / n / np.sum(window**2)  # from amplitude to power correction
    bins[0] = 0
    return bins


def moments(d):
    """Crest factor, kurtosis, skewness."""
    if not d.any():
        return 0.0, 0.0, 0.0
    crest = np.abs(d).max() / np.sqrt(np.mean(d**2))
    return crest, stats.kurtosis(d, fisher=False), stats.skew(d)


def band_edges(bin_hz, half):
    edges = [round(e) for e in np.geomspace(max(10 / bin_hz, 2), half + 1, 17)]
    for i in range(1, 17):
        edges[i] = max(edges[i], edges[i - 1] + 1)
    return edges


def spectral_shape(p, bin_hz):
    """Centroid, spread, kurtosis, flatness, entropy and crest of bins 1 .. n/2."""
    if p.sum() <= TINY:
        return [0.0] * 6
    f, share = np.arange(1, len(p) + 1) * bin_hz, p / p.sum()
    centre = np.sum(f * share)
    spread = np.sqrt(np.sum((f - centre) ** 2 * share))
    logs = np.log(p + TINY)
    flatness = 10 / np.log(10) * (logs.mean() - np.log(p.mean()))
    entropy = -np.sum(share * (logs - np.log(p.sum()))) / np.log(len(p))
    fourth = ratio(np.sum((f - centre) ** 4 * share), spread**4)
    return [centre, spread, fourth, flatness, entropy, 10 * np.log10(p.max() / p.mean())]


def band_filter(low_hz, high_hz, rate_hz, support):
    """Complex FIR whose output's modulus is the band's envelope; Kaiser window for 60 dB."""
    t = np.arange(-(support // 2), support // 2 + 1)
    cut = (high_hz - low_hz) / rate_hz
    lowpass = cut * np.sinc(cut * t) * np.kaiser(len(t), 0.1102 * (60 - 8.7))
    return 2 * lowpass * np.exp(2j * np.pi * (low_hz + high_hz) / 2 / rate_hz * t)


def band_support(n):
    return n // (8 if n >= 1024 else 4)


def linear_envelope(x, low_hz, high_hz, rate_hz, support):
    """Squared envelope by convolution of everything at once, same length as ``x``."""
    return np.abs(np.convolve(x, band_filter(low_hz, high_hz, rate_hz, support), "same")) ** 2


def pass_bins(low_hz, high_hz, rate_hz, n):
    """First and last bin that the band filter lets through."""
    slope = np.ceil(2 * n / band_support(n))
    low, high = np.floor(low_hz * n / rate_hz) - slope, np.ceil(high_hz * n / rate_hz) + slope
    return max(1, low), min(n // 2 - 1, high)


def envelope_top(low_hz, high_hz, rate_hz, n):
    """Highest frequency at which two of these bins beat, Hz: a squared envelope ends there."""
    low, high = pass_bins(low_hz, high_hz, rate_hz, n)
    return (high - low) * rate_hz / n


def window_envelope(d, low_hz, high_hz, rate_hz, points):
    """Squared envelope of one window at ``points`` instants, as the edge filters it.

    The filter works on the window as on a circle, and bins farther from the band than twice the
    width of the filter's slope count as 0.
    """
    n, support = len(d), band_support(len(d))
    taps = np.zeros(n, np.complex128)
    taps[np.arange(-(support // 2), support // 2 + 1)] = band_filter(
        low_hz, high_hz, rate_hz, support
    )
    gain, k = np.fft.fft(taps).real, np.arange(n)
    low, high = pass_bins(low_hz, high_hz, rate_hz, n)
    gain[(k < low) | (k > high)] = 0
    return np.abs(np.fft.ifft(np.fft.fft(d) * gain)[:: n // points]) ** 2


def fast_features(x, rate_hz, band_hz, points):
    """The fast path's columns for one window; ``points`` is the envelope's length."""
    x, d = np.asarray(x, np.float64), without_mean(x)
    n, a = len(x), np.abs(d)
    rms, peak, (crest, kurtosis, skewness) = np.sqrt(np.mean(d**2)), a.max(), moments(d)
    out = [x.mean(), rms, peak, crest, kurtosis, skewness]
    out += [ratio(rms, a.mean()), ratio(peak, a.mean()), ratio(peak, np.mean(np.sqrt(a)) ** 2)]
    out += [np.mean(x[1:] == x[:-1])]
    p = hann_power(d)
    out += [level(p[low:high].sum()) for low, high in pairwise(band_edges(rate_hz / n, n // 2))]
    out += spectral_shape(p[1:], rate_hz / n)
    guard = band_support(n) // 2 * points // n
    e = window_envelope(d, *band_hz, rate_hz, points)[guard : points - guard]
    out += [level(e.mean() / 2)]
    if d.any() and e.mean() > TINY:
        out += [level(e.mean() / 2 / rms**2), np.mean(e**2) / e.mean() ** 2]
        out += [10 * np.log10(e.max() / e.mean())]
    return np.array(out + [0.0] * (36 - len(out)))


def lowpass(pass_hz, stop_hz, rate_hz, delay=0.0):
    """Kaiser-windowed low-pass for 80 dB, delayed by a fraction of a sample."""
    beta, turn = signal.kaiser_beta(80), 2 * np.pi * (stop_hz - pass_hz) / rate_hz
    count = 2 * int(np.ceil(((80 - 8) / (2.285 * turn) + 1) / 2))
    t = np.arange(count) - (count / 2 - 1) - delay
    window = np.i0(beta * np.sqrt(np.clip(1 - (2 * t / count) ** 2, 0, None)))
    taps = np.sinc((pass_hz + stop_hz) / rate_hz * t) * window
    return taps / taps.sum()


def decimate(x, taps, step):
    """FIR at every ``step``-th sample, causal support ``x[k step : k step + len(taps)]``."""
    count = (len(x) - len(taps)) // step + 1
    return np.array([np.dot(taps, x[k * step : k * step + len(taps)]) for k in range(count)])


def resample(x, pass_hz, stop_hz, rate_hz, up, down):
    """Decimate by down / up: sample k is that of a filter delayed by k down / up samples."""
    banks = [lowpass(pass_hz, stop_hz, rate_hz, r / up) for r in range(up)]
    taps = len(banks[0])
    count = ((len(x) - taps + 1) * up - 1) // down + 1
    starts = [divmod(k * down, up) for k in range(count)]
    return np.array([np.dot(banks[row], x[at : at + taps]) for at, row in starts])


class Chain(NamedTuple):
    """Rates and lengths of a stream: what the slow chain needs to be told."""

    rate_hz: float
    fast: int
    points: int
    decimation: int
    pass_hz: float
    up: int
    down: int


def long_inputs(x, band_hz, chain):
    """Decimated signal and decimated squared envelope of a whole recording, from its start."""
    c, x = chain, np.asarray(x, np.float64)
    stop, half = c.rate_hz / c.decimation - c.pass_hz, c.fast // 2
    tiles = []
    for at in range(0, len(x) - c.fast + 1, half):
        e = window_envelope(without_mean(x[at : at + c.fast]), *band_hz, c.rate_hz, c.points)
        tiles.append(e[c.points // 4 : 3 * c.points // 4])
    envelope, rate = np.concatenate(tiles), c.rate_hz * c.points / c.fast
    if c.down > c.up:
        envelope = resample(envelope, c.pass_hz, stop, rate, c.up, c.down)
    if c.decimation > 1:
        x = decimate(x, lowpass(c.pass_hz, stop, c.rate_hz), c.decimation)
    return x, envelope


def line_power(p, f, bin_hz, top_hz):
    """Sum of the five bins around the highest one near ``f``."""
    reach = 0.01 * f + 1.5 * bin_hz
    if not (f >= 2 * bin_hz and f + reach < top_hz):
        return 0.0
    k = np.arange(len(p))
    near = k[(k > 0) & (np.abs(k * bin_hz - f) <= reach)]
    peak = near[np.argmax(p[near])]
    return p[max(1, peak - 2) : peak + 3].sum()


def whiten(p, count):
    """Level over the local floor, then the maximum of three neighbours."""
    above = 10 * np.log10(p[:count] + TINY)
    width = max(4, min(64, (count - 1) // 4))
    blocks = (count - 1) // width
    floors = above[1 : 1 + blocks * width].reshape(blocks, width).mean(axis=1)
    centres = 1 + np.arange(blocks) * width + width // 2
    flat = above - np.interp(np.arange(count), centres, floors)
    flat[0] = above[0]
    ridge = np.zeros(count)
    ridge[1:-1] = np.max([flat[:-2], flat[1:-1], flat[2:]], axis=0)
    return ridge


def comb(ridge, f, bin_hz):
    """Best mean height of harmonics 1-3 over slips of 2 % either way."""
    harmonics = min(3, int((len(ridge) - 2) * bin_hz / (f * 1.02)))
    if harmonics < 1:
        return 0.0
    steps = max(1, int(np.ceil(0.02 * f * harmonics / bin_hz)))
    slips = f * (1 + 0.02 * np.arange(-steps, steps + 1) / steps)
    k = np.floor(np.outer(slips, np.arange(1, harmonics + 1)) / bin_hz + 0.5).astype(int)
    return max(0.0, np.clip(ridge[k], 0, 25).mean(axis=1).max())


def has_family(ridge, f, bin_hz):
    return f >= 3 * bin_hz and f * 1.2 * 1.02 < (len(ridge) - 2) * bin_hz


def family_snr(ridge, f, bin_hz):
    if not has_family(ridge, f, bin_hz):
        return 0.0
    return comb(ridge, f, bin_hz) - np.median([comb(ridge, f * d, bin_hz) for d in DECOYS])


def long_features(decimated, envelope, rate_hz, pass_hz, rpm, lines, envelope_hz=np.inf):
    """The long path's columns; ``lines`` has the fields of LineOrders.

    ``envelope_hz`` is the highest frequency there can be in the squared envelope.
    """
    n = len(decimated)
    bin_hz, speed, d = rate_hz / n, rpm / 60, without_mean(decimated)
    p, f = hann_power(d), np.arange(n // 2 + 1) * bin_hz
    iso = (f >= (2 if rpm < 600 else 10)) & (f <= min(1000, pass_hz)) & (f > 0)
    omega = 2 * np.pi * f[iso]
    out = [1e3 * np.sqrt(np.sum(p[iso] / omega**2)), 1e6 * np.sqrt(np.sum(p[iso] / omega**4))]
    crest, kurtosis, _ = moments(d)
    out += [np.sqrt(p[iso].sum()), kurtosis, crest]
    powers = [line_power(p, o * lines.shaft * speed, bin_hz, pass_hz) for o in ORDERS]
    out += [np.sqrt(2 * v) for v in powers]
    whole = sum(v for o, v in zip(ORDERS, powers, strict=True) if o == int(o))
    out += [10 * np.log10(min(1, whole / p[1:].sum())) if whole > 0 else 0.0]
    out += [np.mean(10 * np.log10(p[iso] + TINY))]
    out += gear_and_blade(p, bin_hz, pass_hz, speed, lines)
    e = np.asarray(envelope, np.float64)
    ridge = whiten(hann_power(without_mean(e)), int(min(pass_hz, envelope_hz) / bin_hz) + 1)
    for order in (lines.bpfo, lines.bpfi, lines.bsf2, lines.ftf):
        out += [family_snr(ridge, order * speed, bin_hz)]
    shafts = [o * speed for o in (lines.shaft, *lines.gear_shafts)]
    shafts = [f for f in shafts if has_family(ridge, f, bin_hz)]
    out += [max((family_snr(ridge, f, bin_hz) for f in shafts), default=0.0)]
    mean = max(e.mean(), 0.0)
    out += [ridge.max(), level(mean), ratio(without_mean(e).std(), mean if mean > TINY else 0.0)]
    return np.array(out)


def gear_and_blade(p, bin_hz, pass_hz, speed, lines):
    """Mesh, twice the mesh, its sidebands, blade pass and twice the blade pass."""
    mesh, blade = lines.gear_mesh * speed, lines.blade_pass * speed
    centre = line_power(p, mesh, bin_hz, pass_hz)
    sides = sum(
        line_power(p, mesh + side * shaft * speed, bin_hz, pass_hz)
        for shaft in lines.gear_shafts
        for side in (-2, -1, 1, 2)
    )
    out = [np.sqrt(2 * centre), np.sqrt(2 * line_power(p, 2 * mesh, bin_hz, pass_hz))]
    out += [10 * np.log10((sides + FLOOR) / (centre + FLOOR)) if centre > 0 else 0.0]
    return out + [np.sqrt(2 * line_power(p, k * blade, bin_hz, pass_hz)) for k in (1, 2)]
