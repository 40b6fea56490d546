"""One channel's way from samples to windows, in numba: buffers, reflex, fast and long paths.

Everything stands on an absolute grid: reflex block b starts at sample b * block, fast window w at
w * hop, decimated sample k at k * decimation. What has been buffered is described by `Cursor`
columns; the same samples give the same windows however they are cut into calls.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.decibel import magnitude, magnitude_bits
from vibro.dsp.decimate import GROUP, decimate, decimate_groups
from vibro.dsp.flags import INLINE, KERNEL
from vibro.dsp.memory import aligned
from vibro.features.fast import window_features
from vibro.features.long import long_window
from vibro.features.spans import Spans
from vibro.jit import njit

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
_0, _HUGE = np.float32(0), np.float32(1e18)

# Columns of a cursor. Raw samples base..next-1 are in the raw buffer; `block`, `fast`, `long` are
# the next reflex block, fast window and long window; `signal` is the next decimated sample, a
# multiple of GROUP as hops are; envelope samples envelope_base..envelope-1 are buffered, `depth`
# is the next decimated one.
BASE, NEXT, BLOCK, FAST, LONG, SIGNAL, ENV_BASE, ENV, DEPTH = range(9)
CURSOR = 9

NEVER = 1 << 40
"""Number of a reflex block that never comes."""
FRESH, JOINED = np.float32(-1), np.float32(-2)
"""What stands for the RMS of the reflex block before the first one."""


class Grid(NamedTuple):
    """Constants of a stream that the kernel needs."""

    block: int
    block_s: np.float32
    fast: int
    hop: int
    decimation: int
    taps: int
    points: int
    up: int
    down: int
    long: int
    signal_taps: F32
    envelope_bank: F32


class Buffers(NamedTuple):
    """Memory of all channels; the first axis is the channel."""

    raw: F32
    envelope: F32
    signal: F32
    depth: F32
    reflex_rms: F32


class Bands(NamedTuple):
    """Envelope band of every channel: first bin, number of gains, gains."""

    first: I64
    width: I64
    gains: F32


def longest_piece(spans: Spans) -> int:
    """Bound of what may be fed before the long windows that are due must be taken, samples."""
    return spans.long_hop_samples


def make_buffers(spans: Spans, channels: int) -> Buffers:
    """Buffers large enough that feeding never needs to allocate."""
    raw = 2 * max(spans.fast_window, spans.signal_taps, 3 * spans.reflex_block)
    raw += max(spans.fast_hop, spans.reflex_block)
    per_hop = spans.envelope_points // 2
    envelope = spans.envelope_taps + per_hop * (2 + raw // spans.fast_hop)
    # Beyond a long window: one piece, and what one of the two decimators lags behind the other.
    lag = spans.fast_window + spans.fast_hop + spans.signal_taps
    lag += spans.envelope_taps * spans.fast_window // spans.envelope_points
    long = spans.long_window + (longest_piece(spans) + lag) // spans.decimation + 64
    return Buffers(
        raw=aligned(channels, _whole_lines(raw)),
        envelope=aligned(channels, _whole_lines(envelope)),
        signal=aligned(channels, _whole_lines(long)),
        depth=aligned(channels, _whole_lines(long)),
        reflex_rms=aligned(channels),
    )


def _whole_lines(values: int) -> int:
    """Round up so that every channel's row starts on a cache line."""
    return -(-values // 16) * 16


@njit(**INLINE)
def _forget(memory, first, count):  # type: ignore[no-untyped-def]
    """Move ``count`` values from ``first`` on to the beginning."""
    kept = memory[first : first + count]
    for i in range(count):
        memory[i] = kept[i]


def counts_variant(args: tuple[Any, ...]) -> tuple[int, int]:
    """Type of the samples and whether they lie without gaps: code is compiled for either."""
    counts = args[0]
    return counts.dtype.num, int(counts.flags.c_contiguous)


@njit(variant=counts_variant, **KERNEL)
def take(counts, at, count, scale, cursor, raw, keep):  # type: ignore[no-untyped-def]
    """Append samples to the raw buffers, in m/s2; what is not finite counts as 0.

    Parameters
    ----------
    counts : ndarray of int16, int32 or float32, shape (channels, n)
    at, count : int
        The samples ``at .. at + count - 1`` are taken; there must be room for them.
    scale : ndarray of float32, shape (channels,)
        m/s2 a count.
    cursor : ndarray of int64, shape (CURSOR,)
        Where the stream stands, advanced in place.
    raw : ndarray of float32, shape (channels, room)
    keep : int
        Samples before this one are forgotten first; negative = none.
    """
    if keep >= 0:
        for c in range(raw.shape[0]):
            _forget(raw[c], keep - cursor[BASE], cursor[NEXT] - keep)
        cursor[BASE] = keep
    place = cursor[NEXT] - cursor[BASE]
    for c in range(raw.shape[0]):
        factor = scale[c]
        # Slices here and below: an index that might be negative would forbid vectors.
        new, room = counts[c, at : at + count], raw[c, place : place + count]
        for i in range(count):
            v = np.float32(new[i]) * factor
            # Written so that NaN fails it: what is not a number must not stay in the filters.
            room[i] = v if abs(v) < _HUGE else _0
    cursor[NEXT] += count


@njit(**INLINE)
def _reflex(raw, cursor, grid, previous, out, row):  # type: ignore[no-untyped-def]
    """Peak, RMS and slope of every complete block; return the next row and the last RMS.

    ``previous`` is the RMS of the block before, `FRESH` where there is none because the stream
    begins, `JOINED` where there is one that was not seen: that block has no row.
    """
    while (cursor[BLOCK] + 1) * grid.block <= cursor[NEXT]:
        start = cursor[BLOCK] * grid.block - cursor[BASE]
        power, top, block = _0, np.int32(0), raw[start : start + grid.block]
        for i in range(grid.block):
            power += block[i] * block[i]
            top = max(top, magnitude_bits(block[i]))
        rms = np.sqrt(power / np.float32(grid.block))
        if previous != JOINED:
            out[row, 0] = magnitude(top)
            out[row, 1] = rms
            out[row, 2] = (rms - previous) / grid.block_s if previous >= _0 else _0
            row += 1
        previous = rms
        cursor[BLOCK] += 1
    return row, previous


@njit(**INLINE)
def _decimated(raw, envelope, signal, depth, cursor, grid):  # type: ignore[no-untyped-def]
    """Extend the decimated signal and squared envelope as far as their inputs reach."""
    half = grid.long // 2
    base = cursor[LONG] * half
    k = cursor[SIGNAL]
    count = ((cursor[NEXT] - grid.taps) // grid.decimation + 1 - k) // GROUP * GROUP
    if count > 0:
        decimate_groups(
            raw, cursor[BASE], k, count, grid.decimation, grid.signal_taps, signal, k - base
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
        _forget(envelope, shift, cursor[ENV] - keep)
        cursor[ENV_BASE] = keep


def _feed_variant(args: tuple[Any, ...]) -> tuple[int, int]:
    """Lengths that are constants in the code: fast window and envelope."""
    kit = args[5]
    return len(kit.plan.size), len(kit.envelope_plan.size)


@njit(variant=_feed_variant, **KERNEL)
def feed(cursor, local, buffers, grid, bands, kit, reflex, fast):  # type: ignore[no-untyped-def]
    """Take every channel's buffered samples to the reflex and fast paths and to the decimators.

    Parameters
    ----------
    cursor, local : ndarray of int64, shape (CURSOR,)
        Where the stream stands, advanced in place; and scratch memory.
    buffers, grid, bands, kit : Buffers, Grid, Bands, FastKit
        The stream's memory and constants. At most `longest_piece` samples may have been taken
        since the long windows that were due have been.
    reflex, fast : ndarray of float32, shape (rows, channels, columns)
        Receive the windows that complete, in order.
    """
    for c in range(buffers.raw.shape[0]):
        for i in range(CURSOR):
            local[i] = cursor[i]
        raw, envelope = buffers.raw[c], buffers.envelope[c]
        gains = bands.gains[c, : bands.width[c]]
        w = 0
        _, buffers.reflex_rms[c] = _reflex(raw, local, grid, buffers.reflex_rms[c], reflex[:, c], 0)
        while local[FAST] * grid.hop + grid.fast <= local[NEXT]:
            start = local[FAST] * grid.hop - local[BASE]
            place = local[ENV] - local[ENV_BASE]
            window_features(
                raw[start : start + grid.fast],
                kit,
                bands.first[c],
                gains,
                fast[w, c],
                envelope[place : place + grid.points // 2],
            )
            local[ENV] += grid.points // 2
            local[FAST] += 1
            w += 1
        _decimated(raw, envelope, buffers.signal[c], buffers.depth[c], local, grid)
    for i in range(CURSOR):
        cursor[i] = local[i]


def to_keep(cursor: I64, grid: Grid) -> int:
    """First raw sample that something still to come needs."""
    now = cursor.tolist()
    keep = min(now[FAST] * grid.hop, now[SIGNAL] * grid.decimation)
    return int(min(keep, now[BLOCK] * grid.block, now[NEXT]))


def long_due(cursor: I64, spans: Spans) -> bool:
    """Whether the next long window is complete."""
    need = int(cursor[LONG]) * spans.long_hop + spans.long_window
    return int(min(cursor[SIGNAL], cursor[DEPTH])) >= need


def _long_variant(args: tuple[Any, ...]) -> tuple[int]:
    """Length that is a constant in the code: the long window."""
    return (len(args[5].plan.size),)


@njit(variant=_long_variant, **KERNEL)
def take_long(cursor, buffers, half, rpm, lines, kit, out):  # type: ignore[no-untyped-def]
    """Compute the next long window of every channel and drop its first half from the buffers.

    Parameters
    ----------
    cursor, buffers : ndarray of int64, Buffers
        As in `feed`; the window must be due.
    half, rpm : int, float
        Hop, decimated samples; mean speed over the window.
    lines : ndarray of float64, shape (channels, 12)
        Line orders of every channel, from `vibro.features.long.lines_of`.
    kit : LongKit
        Scratch memory.
    out : ndarray of float32, shape (channels, columns)
        Receives the features.
    """
    base = cursor[LONG] * half
    for c in range(out.shape[0]):
        signal, depth = buffers.signal[c], buffers.depth[c]
        long_window(signal[: 2 * half], depth[: 2 * half], rpm, lines[c], kit, out[c])
        _forget(signal, half, cursor[SIGNAL] - base - half)
        _forget(depth, half, cursor[DEPTH] - base - half)
    cursor[LONG] += 1
