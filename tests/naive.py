"""Slow, plain float64 twins of the DSP and feature kernels; nothing of vibro is used here."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

ORDERS = (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10)
DECOYS = (0.781, 0.837, 0.893, 0.931, 1.073, 1.127, 1.193)


def db(power):
    return 10 * np.log10(power + 1e-12)


def hann_power(d):
    """One-sided power spectrum under a periodic Hann window; sums to the mean square."""
    n = len(d)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    bins = np.abs(np.fft.rfft(d * window)) ** 2 / (n * np.sum(window**2)) * 2
    bins[0] = 0
    bins[-1] /= 2
    return bins


def band_edges(bin_hz, half):
    edges = [round(e) for e in np.geomspace(max(10 / bin_hz, 2), half + 1, 17)]
    for i in range(1, 17):
        edges[i] = max(edges[i], edges[i - 1] + 1)
    return edges


def band_filter(low_hz, high_hz, rate_hz, support):
    """Complex FIR whose output's modulus is the band's envelope; Kaiser window for 60 dB."""
    t = np.arange(-(support // 2), support // 2 + 1)
    cut = (high_hz - low_hz) / rate_hz
    lowpass = cut * np.sinc(cut * t) * np.kaiser(len(t), 0.1102 * (60 - 8.7))
    return 2 * lowpass * np.exp(2j * np.pi * (low_hz + high_hz) / 2 / rate_hz * t)


def squared_envelope(x, low_hz, high_hz, rate_hz, support):
    """By convolution in time, same length as ``x``."""
    return np.abs(np.convolve(x, band_filter(low_hz, high_hz, rate_hz, support), "same")) ** 2


def fast_features(x, rate_hz, band_hz, points):
    """The fast path's columns for one window; ``points`` is the envelope's length."""
    x = np.asarray(x, np.float64)
    n = len(x)
    d = x - x.mean()
    a = np.abs(d)
    rms, peak = np.sqrt(np.mean(d**2)), a.max()
    out = [x.mean(), rms, peak, peak / rms, np.mean(d**4) / rms**4, np.mean(d**3) / rms**3]
    out += [rms / a.mean(), peak / a.mean(), peak / np.mean(np.sqrt(a)) ** 2]
    out += [np.mean(x[1:] == x[:-1])]
    p = hann_power(d)
    edges = band_edges(rate_hz / n, n // 2)
    out += [db(p[low:high].sum()) for low, high in pairwise(edges)]
    f, p = np.arange(1, n // 2 + 1) * rate_hz / n, p[1:]
    share = p / p.sum()
    centre = np.sum(f * share)
    spread = np.sqrt(np.sum((f - centre) ** 2 * share))
    logs = np.log(p + 1e-20)
    out += [centre, spread, np.sum((f - centre) ** 4 * share) / spread**4]
    out += [10 / np.log(10) * (logs.mean() - np.log(p.mean()))]
    out += [-np.sum(share * (logs - np.log(p.sum()))) / np.log(len(p))]
    out += [10 * np.log10(p.max() / p.mean())]
    support = n // (8 if n >= 1024 else 4)
    guard = support // 2
    e = squared_envelope(d, *band_hz, rate_hz, support)[:: n // points]
    e = e[guard * points // n : points - guard * points // n]
    out += [db(e.mean() / 2), 10 * np.log10(e.mean() / 2 / rms**2 + 1e-12)]
    out += [np.mean(e**2) / e.mean() ** 2, 10 * np.log10(e.max() / e.mean())]
    return np.array(out)


def decimate(x, taps, step):
    """FIR at every ``step``-th sample, causal support ``x[k step : k step + len(taps)]``."""
    count = (len(x) - len(taps)) // step + 1
    return np.array([np.dot(taps, x[k * step : k * step + len(taps)]) for k in range(count)])


def line_power(p, f, bin_hz, top_hz):
    reach = 0.01 * f + 1.5 * bin_hz
    if not (f >= 2 * bin_hz and f + reach < top_hz):
        return 0.0
    near = [k for k in range(1, len(p)) if abs(k * bin_hz - f) <= reach]
    peak = max(near, key=lambda k: p[k])
    return p[max(1, peak - 2) : peak + 3].sum()


def whiten(p, count):
    """Level over the local floor, then the maximum of three neighbours."""
    level = 10 * np.log10(p[:count] + 1e-20)
    width = max(4, min(64, (count - 1) // 4))
    blocks = (count - 1) // width
    floors = level[1 : 1 + blocks * width].reshape(blocks, width).mean(axis=1)
    centres = 1 + np.arange(blocks) * width + width // 2
    flat = level - np.interp(np.arange(count), centres, floors)
    flat[0] = level[0]
    ridge = np.zeros(count)
    ridge[1:-1] = np.max([flat[:-2], flat[1:-1], flat[2:]], axis=0)
    return ridge


def comb(ridge, f, bin_hz):
    harmonics = min(3, int((len(ridge) - 2) * bin_hz / (f * 1.02)))
    if harmonics < 1:
        return 0.0
    steps = max(1, int(np.ceil(0.02 * f * harmonics / bin_hz)))
    slips = f * (1 + 0.02 * np.arange(-steps, steps + 1) / steps)
    k = np.floor(np.outer(slips, np.arange(1, harmonics + 1)) / bin_hz + 0.5).astype(int)
    return max(0.0, np.clip(ridge[k], 0, 25).mean(axis=1).max())


def family_snr(ridge, f, bin_hz):
    if not (f >= 3 * bin_hz and f * 1.2 * 1.02 < (len(ridge) - 2) * bin_hz):
        return 0.0
    return comb(ridge, f, bin_hz) - np.median([comb(ridge, f * d, bin_hz) for d in DECOYS])


def long_features(signal, envelope, rate_hz, pass_hz, rpm, lines):
    """The long path's columns; ``lines`` has the fields of LineOrders."""
    n = len(signal)
    bin_hz, speed = rate_hz / n, rpm / 60
    d = np.asarray(signal, np.float64) - np.mean(signal, dtype=np.float64)
    p = hann_power(d)
    f = np.arange(n // 2 + 1) * bin_hz
    iso = (f >= (2 if rpm < 600 else 10)) & (f <= min(1000, pass_hz)) & (f > 0)
    omega = 2 * np.pi * f[iso]
    out = [1e3 * np.sqrt(np.sum(p[iso] / omega**2)), 1e6 * np.sqrt(np.sum(p[iso] / omega**4))]
    rms = np.sqrt(np.mean(d**2))
    out += [np.sqrt(p[iso].sum()), np.mean(d**4) / rms**4, np.abs(d).max() / rms]
    powers = [line_power(p, o * lines.shaft * speed, bin_hz, pass_hz) for o in ORDERS]
    out += [np.sqrt(2 * v) for v in powers]
    whole = sum(v for o, v in zip(ORDERS, powers, strict=True) if o == int(o))
    out += [10 * np.log10(min(1, whole / p[1:].sum())) if whole > 0 else 0.0]
    out += [np.mean(10 * np.log10(p[iso] + 1e-20))]
    mesh = lines.gear_mesh * speed
    centre = line_power(p, mesh, bin_hz, pass_hz)
    sides = sum(
        line_power(p, mesh + side * shaft * speed, bin_hz, pass_hz)
        for shaft in lines.gear_shafts
        for side in (-2, -1, 1, 2)
    )
    out += [np.sqrt(2 * centre), np.sqrt(2 * line_power(p, 2 * mesh, bin_hz, pass_hz))]
    out += [10 * np.log10((sides + 1e-12) / (centre + 1e-12)) if centre > 0 else 0.0]
    blade = lines.blade_pass * speed
    out += [np.sqrt(2 * line_power(p, k * blade, bin_hz, pass_hz)) for k in (1, 2)]
    e = np.asarray(envelope, np.float64)
    q = hann_power(e - e.mean())
    ridge = whiten(q, int(pass_hz / bin_hz) + 1)
    for order in (lines.bpfo, lines.bpfi, lines.bsf2, lines.ftf):
        out += [family_snr(ridge, order * speed, bin_hz)]
    out += [max(family_snr(ridge, o * speed, bin_hz) for o in (lines.shaft, *lines.gear_shafts))]
    out += [ridge.max(), db(e.mean()), e.std() / e.mean()]
    return np.array(out)
