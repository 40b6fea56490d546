"""The sample loop of the simulator in numba: stateless in time, so that any frame stands alone.

Random numbers are hashes of (key, index): the same sample always draws the same number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

_FLAGS = {"contract", "arcp", "nsz", "reassoc"}
_U = types.uint64


@njit(inline="always")
def _mix(x: Any) -> Any:
    """SplitMix64 finaliser (Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(inline="always")
def _hash(key: Any, index: Any) -> Any:
    return _mix(key + np.uint64(np.int64(index)) * np.uint64(0x9E3779B97F4A7C15))


@njit(inline="always")
def _uniform(bits: Any) -> Any:
    """In [0, 1)."""
    return np.float64(bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(inline="always")
def _normal(bits: Any) -> Any:
    """Nearly Gaussian, unit variance: the four 16-bit parts summed (Irwin-Hall, kurtosis -0.3)."""
    m = np.uint64(0xFFFF)
    total = (
        np.float64(bits & m)
        + np.float64((bits >> np.uint64(16)) & m)
        + np.float64((bits >> np.uint64(32)) & m)
        + np.float64(bits >> np.uint64(48))
    )
    return (total - 131070.0) * (1.0 / 37837.23)


@njit(cache=True, fastmath=_FLAGS, error_model="numpy")
def synchronous(out: Any, table: Any, turns: Any, gain: Any, knot: int) -> None:
    """Add ``gain * table(turn)`` to ``out``; turns and gain stand at knots every ``knot`` samples.

    ``table`` covers two turns and repeats its first point at the end.
    """
    points = table.shape[0] - 1
    scale = points / 2.0
    for b in range(turns.shape[0] - 1):
        t0, g0 = turns[b] * scale, gain[b]
        dt, dg = (turns[b + 1] - turns[b]) * scale / knot, (gain[b + 1] - gain[b]) / knot
        for i in range(knot):
            at = t0 + dt * i
            whole = np.floor(at)
            k = np.int64(whole) & (points - 1)
            part = at - whole
            out[b * knot + i] += (g0 + dg * i) * (table[k] + part * (table[k + 1] - table[k]))


@njit(cache=True, fastmath=_FLAGS, error_model="numpy")
def impulses(
    out: Any,
    key: Any,
    phase: Any,
    gain: Any,
    modulation: Any,
    depth: float,
    jitter: int,
    knot: int,
) -> None:
    """Add one impulse whenever ``phase`` passes a whole number.

    ``phase``, ``gain`` and ``modulation`` (in turns of whatever carries the defect through the
    load zone) stand at knots. ``depth`` 0 = evenly loaded, 1 = silent outside the load zone.
    Impulse ``k`` is delayed by a hashed 0..jitter samples and varies in size by a hashed 20 %.
    """
    n = out.shape[0]
    for b in range(phase.shape[0] - 1):
        p0, dp = phase[b], (phase[b + 1] - phase[b]) / knot
        before = np.floor(p0)
        for i in range(knot):
            now = np.floor(p0 + dp * (i + 1))
            if now == before:
                continue
            before = now
            bits = _hash(key, np.int64(now))
            late = np.int64(_uniform(bits) * jitter)
            at = b * knot + i + late
            if at >= n:
                continue
            share = i / knot
            turn = modulation[b] + (modulation[b + 1] - modulation[b]) * share
            load = 0.5 + 0.5 * np.cos(2.0 * np.pi * turn)
            size = (1.0 - depth) + depth * load * load
            size *= 0.9 + 0.2 * _uniform(_mix(bits + np.uint64(1)))
            out[at] += size * (gain[b] + (gain[b + 1] - gain[b]) * share)


@njit(cache=True, fastmath=_FLAGS, error_model="numpy")
def noise(out: Any, key: Any, first: int, level: Any, knot: int) -> None:
    """Add white noise; ``level`` (standard deviation) stands at knots."""
    for b in range(level.shape[0] - 1):
        l0, dl = level[b], (level[b + 1] - level[b]) / knot
        for i in range(knot):
            j = b * knot + i
            out[j] += (l0 + dl * i) * _normal(_hash(key, first + j))


@njit(cache=True, fastmath=_FLAGS, error_model="numpy")
def resonate(out: Any, force: Any, poles: Any) -> None:
    """Add the response of parallel two-pole resonators to ``force``.

    ``poles`` has a row (a1, a2, gain) a resonator: y = gain x + a1 y1 + a2 y2.
    """
    for r in range(poles.shape[0]):
        a1, a2, g = poles[r, 0], poles[r, 1], poles[r, 2]
        y1 = 0.0
        y2 = 0.0
        for i in range(force.shape[0]):
            y = g * force[i] + a1 * y1 + a2 * y2
            y2 = y1
            y1 = y
            out[i] += y


@njit(cache=True, fastmath=_FLAGS, error_model="numpy")
def hum(out: Any, first: int, omega: float, amplitude: float, phase: float) -> None:
    """Add amplitude * cos(omega i + phase) by rotation, ``omega`` in rad a sample."""
    c, s = np.cos(omega * first + phase), np.sin(omega * first + phase)
    dc, ds = np.cos(omega), np.sin(omega)
    for i in range(out.shape[0]):
        out[i] += amplitude * c
        c, s = c * dc - s * ds, c * ds + s * dc


@njit(cache=True, error_model="numpy")
def quantise(out: Any, signal: Any, per_unit: float) -> None:
    """Round to int16 counts, clipping at full scale as a converter does."""
    for i in range(out.shape[0]):
        out[i] = np.int16(min(max(np.rint(signal[i] * per_unit), -32768.0), 32767.0))
