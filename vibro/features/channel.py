"""One channel's way from samples to windows, in numba: buffers, reflex, fast and long paths.

Everything stands on an absolute grid: reflex block b starts at sample b * block, fast window w at
w * hop, decimated sample k at k * decimation. What has been buffered is described by `Cursor`
columns; the same samples give the same windows however they are cut into calls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vibro.dsp.decimate import decimate
from vibro.dsp.flags import KERNEL
from vibro.features.fast import FastKit, fast_kit, fast_window
from vibro.features.long import LongKit, long_kit, long_window
from vibro.features.spans import Spans

F32 = NDArray[np.float32]
_0, _HUGE = np.float32(0), np.float32(1e18)

# Columns of a cursor. Raw samples base..next-1 are in the raw buffer; `block`, `fast`, `long` are
# the next reflex block, fast window and long window; `signal` is the next decimated sample;
# envelope samples envelope_base..envelope-1 are buffered, `depth` is the next decimated one.
BASE, NEXT, BLOCK, FAST, LONG, SIGNAL, ENV_BASE, ENV, DEPTH = range(9)
CURSOR = 9


class Grid(NamedTuple):
    """Constants of a stream that the kernel needs."""

    block: int
    block_s: float
    fast: int
    hop: int
    decimation: int
    taps: int
    points: int
    up: int
    down: int
    long: int
    signal_bank: F32
    envelope_bank: F32


class Buffers(NamedTuple):
    """Memory of all channels; the first axis is the channel."""

    raw: F32
    envelope: F32
    signal: F32
    depth: F32
    reflex_rms: F32


class Kits(NamedTuple):
    """Scratch memory that channels take in turn."""

    fast: FastKit
    long: LongKit
    tile: F32


def make_kits(spans: Spans) -> Kits:
    """Kits for a stream's spans."""
    tile = np.zeros(spans.envelope_points // 2, np.float32)
    return Kits(fast_kit(spans), long_kit(spans), tile)


def make_buffers(spans: Spans, channels: int) -> Buffers:
    """Buffers large enough that a call never needs to allocate."""
    raw = 2 * max(spans.fast_window, spans.signal_taps, 3 * spans.reflex_block)
    raw += max(spans.fast_hop, spans.reflex_block)
    reach = raw + spans.fast_window + spans.fast_hop
    per_hop = spans.envelope_points // 2
    envelope = spans.envelope_taps + per_hop * (2 + raw // spans.fast_hop)
    lag = reach + spans.envelope_taps * spans.fast_window // spans.envelope_points
    long = spans.long_window + lag // spans.decimation + 64
    return Buffers(
        raw=np.zeros((channels, raw), np.float32),
        envelope=np.zeros((channels, envelope), np.float32),
        signal=np.zeros((channels, long), np.float32),
        depth=np.zeros((channels, long), np.float32),
        reflex_rms=np.zeros(channels, np.float32),
    )


@njit(**KERNEL)
def _take(x, at, raw, cursor, keep):  # type: ignore[no-untyped-def]
    """Copy as many samples as fit behind those still needed; return how many."""
    base, upto = cursor[BASE], cursor[NEXT]
    if upto - base == raw.shape[0]:
        held = upto - keep
        for i in range(held):
            raw[i] = raw[keep - base + i]
        cursor[BASE] = keep
        base = keep
    count = min(x.shape[0] - at, raw.shape[0] - (upto - base))
    place = upto - base
    for i in range(count):
        v = x[at + i]
        # Written so that NaN fails it: what is not a number must not stay in the filters.
        raw[place + i] = v if abs(v) < _HUGE else _0
    cursor[NEXT] = upto + count
    return count


@njit(**KERNEL)
def _reflex(raw, cursor, grid, previous, out):  # type: ignore[no-untyped-def]
    """Peak, RMS and slope of every complete block; return how many and the last RMS."""
    done = 0
    while (cursor[BLOCK] + 1) * grid.block <= cursor[NEXT]:
        start = cursor[BLOCK] * grid.block - cursor[BASE]
        power, peak = _0, _0
        for i in range(start, start + grid.block):
            power += raw[i] * raw[i]
            peak = max(peak, abs(raw[i]))
        rms = np.sqrt(power / np.float32(grid.block))
        # A negative RMS marks a block that only serves as the next one's predecessor.
        if previous > -1.5:
            out[done, 0] = peak
            out[done, 1] = rms
            out[done, 2] = (rms - previous) / np.float32(grid.block_s) if previous >= 0.0 else _0
            done += 1
        previous = rms
        cursor[BLOCK] += 1
    return done, previous


@njit(**KERNEL)
def _fast(raw, envelope, cursor, grid, band, kits, out):  # type: ignore[no-untyped-def]
    """Every complete fast window and its envelope tile; return how many."""
    first, gains = band
    done = 0
    while cursor[FAST] * grid.hop + grid.fast <= cursor[NEXT]:
        start = cursor[FAST] * grid.hop - cursor[BASE]
        fast_window(raw[start : start + grid.fast], kits.fast, first, gains, out[done], kits.tile)
        place = cursor[ENV] - cursor[ENV_BASE]
        envelope[place : place + kits.tile.shape[0]] = kits.tile
        cursor[ENV] += kits.tile.shape[0]
        cursor[FAST] += 1
        done += 1
    return done


@njit(**KERNEL)
def _decimated(raw, envelope, signal, depth, cursor, grid):  # type: ignore[no-untyped-def]
    """Extend the decimated signal and squared envelope as far as their inputs reach."""
    half = grid.long // 2
    base = cursor[LONG] * half
    k = cursor[SIGNAL]
    count = (cursor[NEXT] - grid.taps) // grid.decimation + 1 - k
    if count > 0:
        decimate(
            raw, cursor[BASE], k, count, 1, grid.decimation, grid.signal_bank, signal, k - base
        )
        cursor[SIGNAL] += count
    k = cursor[DEPTH]
    # Output k needs envelope samples up to k * down // up + taps - 1.
    room = cursor[ENV] - grid.envelope_bank.shape[1]
    count = ((room + 1) * grid.up + grid.down - 1) // grid.down - k
    if count > 0:
        decimate(
            envelope,
            cursor[ENV_BASE],
            k,
            count,
            grid.up,
            grid.down,
            grid.envelope_bank,
            depth,
            k - base,
        )
        cursor[DEPTH] += count
    keep = min(cursor[ENV], (cursor[DEPTH] * grid.down) // grid.up)
    shift = keep - cursor[ENV_BASE]
    if shift > 0:
        for i in range(cursor[ENV] - keep):
            envelope[i] = envelope[i + shift]
        cursor[ENV_BASE] = keep


@njit(**KERNEL)
def _long(signal, depth, cursor, grid, rpm, lines, kits, out, done):  # type: ignore[no-untyped-def]
    """Every complete long window, from row ``done`` of ``out``; return the next row."""
    half = grid.long // 2
    while min(cursor[SIGNAL], cursor[DEPTH]) >= cursor[LONG] * half + grid.long:
        long_window(signal[: grid.long], depth[: grid.long], rpm[done], lines, kits.long, out[done])
        base = cursor[LONG] * half
        for i in range(cursor[SIGNAL] - base - half):
            signal[i] = signal[i + half]
        for i in range(cursor[DEPTH] - base - half):
            depth[i] = depth[i + half]
        cursor[LONG] += 1
        done += 1
    return done


@njit(**KERNEL)
def push_channel(  # type: ignore[no-untyped-def]
    x, c, cursor, buffers, grid, band, lines, long_rpm, kits, reflex, fast, long
):
    """Feed one channel's new samples; fill its rows of the three results.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
        New samples, m/s2.
    c : int
        Channel, the row of every buffer.
    cursor : ndarray of int64
        Where the stream stands; advanced in place (pass each channel its own copy).
    band, lines : (int, ndarray), Lines
        The channel's envelope band and line orders.
    long_rpm : ndarray of float64
        Mean speed of each long window that completes.
    reflex, fast, long : ndarray of float32, shape (rows, columns)
        Receive the windows that complete, in order.
    """
    raw, envelope = buffers.raw[c], buffers.envelope[c]
    signal, depth = buffers.signal[c], buffers.depth[c]
    at, r, w, v = 0, 0, 0, 0
    while at < x.shape[0]:
        keep = min(
            cursor[FAST] * grid.hop, cursor[SIGNAL] * grid.decimation, cursor[BLOCK] * grid.block
        )
        keep = max(cursor[BASE], min(keep, cursor[NEXT]))
        at += _take(x, at, raw, cursor, keep)
        blocks, last = _reflex(raw, cursor, grid, buffers.reflex_rms[c], reflex[r:])
        buffers.reflex_rms[c] = last
        r += blocks
        w += _fast(raw, envelope, cursor, grid, band, kits, fast[w:])
        _decimated(raw, envelope, signal, depth, cursor, grid)
        v = _long(signal, depth, cursor, grid, long_rpm, lines, kits, long, v)
