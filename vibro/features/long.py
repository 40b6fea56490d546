"""The long path: velocity, displacement, orders, gear, blade and bearing lines of one window."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.decibel import DB, ln, magnitude, magnitude_bits
from vibro.dsp.fft import RealPlan, real_fft, real_plan
from vibro.dsp.flags import CALLED, INLINE, KERNEL
from vibro.dsp.memory import aligned, aligned_copy, spectrum_memory
from vibro.features.fast import decibel, hann_power
from vibro.features.lines import DECOYS, family_snr, has_family, line_power, whiten
from vibro.features.setup import LineOrders
from vibro.features.spans import ISO_TOP_HZ, Spans
from vibro.features.table import ORDERS
from vibro.jit import njit

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
_0, _1 = np.float32(0), np.float32(1)
_FLOOR, _TINY = np.float32(1e-12), np.float32(1e-20)
_MM, _UM = np.float32(1e3), np.float32(1e6)
SLOW_RPM = 600.0
"""Below this speed the ISO band starts at 2 Hz instead of 10 Hz (ISO 10816-3:2009, 4.2)."""
ISO_LOW_HZ, ISO_LOW_SLOW_HZ = 10.0, 2.0
GEAR_SHAFTS = 4
"""Gear shafts whose sidebands and envelope lines are looked at; further ones are ignored."""
# Columns.
_ORDER = 5
_SHARE = _ORDER + len(ORDERS)
_GEAR, _BLADE, _SES, _ENVELOPE = _SHARE + 2, _SHARE + 5, _SHARE + 7, _SHARE + 13


class LongKit(NamedTuple):
    """Plan, scratch memory and constants of the long path."""

    plan: RealPlan
    bin_hz: float
    pass_hz: float
    power_scale: np.float32
    orders: F64
    decoys: F64
    velocity: F32
    d: F32
    spectrum: F32
    power: F32
    level: F32
    floor: F32
    ridge: F32
    found: F32


# Columns of what is known of a channel's lines as the kernels take it.
SHAFT, BEARING, MESH, BLADE, GEAR = 0, 1, 5, 6, 7
BEARING_LINES = 4
ENVELOPE_TOP = GEAR + GEAR_SHAFTS
_LEAST_BINS = 8
"""Fewest bins that a floor is taken from, however little the band's envelope holds."""


def lines_of(lines: LineOrders, envelope_top_hz: float = math.inf) -> F64:
    """Line orders as a row: shaft, bpfo, bpfi, 2 bsf, ftf, mesh, blade, gear shafts; NaN = unknown.

    Parameters
    ----------
    envelope_top_hz : float
        Width of the envelope's band with the slopes of its filter: there is nothing above it in
        the squared envelope but rounding. It is the row's last value, Hz.

    Returns
    -------
    ndarray of float64, shape (12,)
    """
    row = np.full(ENVELOPE_TOP + 1, math.nan)
    row[ENVELOPE_TOP] = envelope_top_hz
    row[:GEAR] = (
        *(lines.shaft, lines.bpfo, lines.bpfi, lines.bsf2, lines.ftf),
        *(lines.gear_mesh, lines.blade_pass),
    )
    shafts = lines.gear_shafts[:GEAR_SHAFTS]
    row[GEAR : GEAR + len(shafts)] = shafts
    return row


def long_kit(spans: Spans) -> LongKit:
    """Kit for a stream's spans."""
    n = spans.long_window
    bins = np.arange(n // 2 + 1) * spans.long_rate_hz / n
    omega2 = (2.0 * np.pi * np.maximum(bins, bins[1])) ** 2
    return LongKit(
        plan=real_plan(n),
        bin_hz=spans.long_rate_hz / n,
        pass_hz=spans.pass_hz,
        power_scale=np.float32(16.0 / 3.0 / n / n),
        orders=np.array(ORDERS),
        decoys=np.array(DECOYS),
        velocity=aligned_copy(1.0 / omega2),
        d=aligned(n),
        spectrum=spectrum_memory(n),
        power=aligned(n // 2 + 1),
        level=aligned(n // 2 + 1),
        floor=aligned(n // 2 + 2),
        ridge=aligned(n // 2 + 1),
        found=aligned(len(DECOYS)),
    )


@njit(**CALLED)
def _analyse(x, kit):  # type: ignore[no-untyped-def]
    """Hann power spectrum into ``kit.power``; return mean, mean square and fourth power, peak.

    All but the mean are those of x - mean, 0 where that is no more than rounding.
    """
    n = 1 << len(kit.plan.size)
    d = kit.d
    total, m2, m4, top = _0, _0, _0, np.int32(0)
    origin = x[0]  # differences are kept as `vibro.features.fast` does, beside a large offset
    for i in range(n):
        v = x[i] - origin
        d[i] = v
        total += v
    rest = total / np.float32(n)
    mean = origin + rest
    for i in range(n):
        v = d[i] - rest
        v2 = v * v
        d[i] = v
        m2 += v2
        m4 += v2 * v2
        top = max(top, magnitude_bits(v))
    peak = magnitude(top)
    if peak <= np.float32(1e-6) * abs(mean) + np.float32(1e-12):
        peak, m2, m4 = _0, _0, _0
        for i in range(n):
            d[i] = _0
    real_fft(d, kit.plan, kit.spectrum)
    hann_power(kit.spectrum, n, kit.power_scale, kit.power)
    return mean, m2 / np.float32(n), m4 / np.float32(n), peak


@njit(**INLINE)
def _severity(kit, rpm, out):  # type: ignore[no-untyped-def]
    """Velocity, displacement and acceleration in the ISO band, and the level of its floor."""
    low_hz = ISO_LOW_SLOW_HZ if rpm < SLOW_RPM else ISO_LOW_HZ
    low = max(1, int(np.ceil(low_hz / kit.bin_hz)))
    high = min(kit.power.shape[0] - 1, int(min(ISO_TOP_HZ, kit.pass_hz) / kit.bin_hz))
    acceleration, velocity, displacement, level = _0, _0, _0, _0
    power, weight = kit.power[low : high + 1], kit.velocity[low : high + 1]
    for k in range(power.shape[0]):
        p = power[k]
        v = p * weight[k]
        acceleration += p
        velocity += v
        displacement += v * weight[k]
        level += ln(p + _TINY)
    out[0] = _MM * np.sqrt(velocity)
    out[1] = _UM * np.sqrt(displacement)
    out[2] = np.sqrt(acceleration)
    out[_SHARE + 1] = DB * level / np.float32(max(1, high - low + 1))


@njit(**CALLED)
def _amplitude(kit, frequency):  # type: ignore[no-untyped-def]
    power = line_power(kit.power, frequency, kit.bin_hz, kit.pass_hz)
    return np.sqrt(np.float32(2.0) * power)


@njit(**INLINE)
def _shaft_lines(kit, speed_hz, lines, out):  # type: ignore[no-untyped-def]
    """Orders of the point's shaft, and the share of all power that whole orders hold."""
    total, whole = _0, _0
    for k in range(1, kit.power.shape[0]):
        total += kit.power[k]
    for i in range(kit.orders.shape[0]):
        order = kit.orders[i]
        p = line_power(kit.power, order * lines[SHAFT] * speed_hz, kit.bin_hz, kit.pass_hz)
        out[_ORDER + i] = np.sqrt(np.float32(2.0) * p)
        if order == np.floor(order):
            whole += p
    out[_SHARE] = _0
    if whole > _0:
        out[_SHARE] = DB * ln(min(_1, whole / total))


@njit(**INLINE)
def _gear_and_blade(kit, speed_hz, lines, out):  # type: ignore[no-untyped-def]
    mesh = lines[MESH] * speed_hz
    centre = line_power(kit.power, mesh, kit.bin_hz, kit.pass_hz)
    sides = _0
    for i in range(GEAR_SHAFTS):
        for step in range(1, 3):
            offset = step * lines[GEAR + i] * speed_hz
            sides += line_power(kit.power, mesh - offset, kit.bin_hz, kit.pass_hz)
            sides += line_power(kit.power, mesh + offset, kit.bin_hz, kit.pass_hz)
    out[_GEAR] = np.sqrt(np.float32(2.0) * centre)
    out[_GEAR + 1] = _amplitude(kit, 2.0 * mesh)
    out[_GEAR + 2] = DB * ln((sides + _FLOOR) / (centre + _FLOOR)) if centre > _0 else _0
    out[_BLADE] = _amplitude(kit, lines[BLADE] * speed_hz)
    out[_BLADE + 1] = _amplitude(kit, 2.0 * lines[BLADE] * speed_hz)


@njit(**INLINE)
def _envelope_lines(kit, speed_hz, lines, out):  # type: ignore[no-untyped-def]
    count = max(_LEAST_BINS, int(min(kit.pass_hz, lines[ENVELOPE_TOP]) / kit.bin_hz) + 1)
    top = whiten(kit.power, count, kit.level, kit.floor, kit.ridge)
    for i in range(BEARING_LINES):
        out[_SES + i] = family_snr(
            kit.ridge, lines[BEARING + i] * speed_hz, kit.bin_hz, count, kit.decoys, kit.found
        )
    # The point's own shaft is one of them; a line that is not defined is none, not one of 0 dB.
    shaft, seen = _0, False
    for i in range(-1, GEAR_SHAFTS):
        frequency = lines[GEAR + i if i >= 0 else SHAFT] * speed_hz
        if has_family(frequency, kit.bin_hz, count):
            snr = family_snr(kit.ridge, frequency, kit.bin_hz, count, kit.decoys, kit.found)
            shaft = max(shaft, snr) if seen else snr
            seen = True
    out[_SES + 4] = shaft
    out[_SES + 5] = top


@njit(**KERNEL)
def long_window(signal, envelope, rpm, lines, kit, out):  # type: ignore[no-untyped-def]
    """Features of one long window.

    Parameters
    ----------
    signal, envelope : ndarray of float32, shape (long_window,)
        Decimated acceleration (m/s2) and squared envelope ((m/s2)^2), finite.
    rpm : float
        Speed of the reference shaft; NaN or 0 leaves every line undefined, i.e. 0.0.
    lines : ndarray of float64, shape (12,)
        The channel's line orders and where its envelope ends, from `lines_of`.
    kit : LongKit
        Its scratch memory is overwritten.
    out : ndarray of float32, shape (len(LONG),)
        Receives the features.
    """
    speed_hz = rpm / 60.0
    _, m2, m4, peak = _analyse(signal, kit)
    out[3] = _0
    out[4] = _0
    if m2 > _0:
        out[3] = m4 / m2 / m2
        out[4] = peak / np.sqrt(m2)
    _severity(kit, rpm, out)
    _shaft_lines(kit, speed_hz, lines, out)
    _gear_and_blade(kit, speed_hz, lines, out)
    mean, variance, _, _ = _analyse(envelope, kit)
    _envelope_lines(kit, speed_hz, lines, out)
    mean = max(mean, _0)
    out[_ENVELOPE] = decibel(mean)
    out[_ENVELOPE + 1] = np.sqrt(variance) / mean if mean > _TINY else _0
