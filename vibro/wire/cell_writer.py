"""Writes the columns of a feature block, losslessly, made for few rows of many columns.

Every column is found to lie on a grid: multiples of a power of two, or floats of so many mantissa
bits. Its numbers on the grid are told, channel by channel, as small differences to their middle or
to the row before, whichever is shorter; a column that does not change costs three bytes. Keys that
all channels share are told once, and times follow from sample numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.wire import rice
from vibro.wire.layout import (
    CONSTANT,
    DELTA,
    FIRST_STEP,
    LAST_STEP,
    PARAMETER,
    SHARED,
    TIMED,
    Floats,
    Ints,
    elapsed,
    groups,
)

LIMIT = 2**54
"""Numbers that lie further apart are left to the packer of plain columns."""


@dataclass(slots=True)
class _Out:
    head: bytearray = field(default_factory=bytearray)
    columns: list[Ints] = field(default_factory=list)
    parameters: list[int] = field(default_factory=list)

    def number(self, value: int) -> None:
        """Append a zigzag varint, as Avro writes a long."""
        folded = value << 1 if value >= 0 else (-value << 1) - 1
        while folded > 0x7F:
            self.head.append(0x80 | folded & 0x7F)
            folded >>= 7
        self.head.append(folded)

    def residuals(self, values: Ints, k: int) -> None:
        self.columns.append(values)
        self.parameters.append(k)


def fits(values: NDArray[Any]) -> bool:
    """Whether a column of whole numbers lies close enough together to be told here."""
    return bool(values.size) and int(values.max()) - int(values.min()) < LIMIT


def write(keys: dict[str, NDArray[Any]], values: Floats) -> bytes:
    """Write a block's columns.

    Parameters
    ----------
    keys : dict of str to ndarray of integers, each of shape (rows,)
        ``channel``, ``first_sample`` and ``t0_ns`` first, then others; see `fits`.
    values : ndarray, float32, shape (columns, rows)
    """
    out = _Out()
    order, sizes = groups(keys["channel"])
    _write_channels(out, keys["channel"])
    first = keys["first_sample"].astype(np.int64)[order]
    for name, column in keys.items():
        if name != "channel":
            _write_key(out, name, column.astype(np.int64)[order], first, sizes)
    for column in values[:, order]:
        _write_values(out, column, sizes)
    return (
        struct.pack("<I", len(out.head)) + bytes(out.head) + rice.write(out.columns, out.parameters)
    )


def _write_channels(out: _Out, channel: NDArray[Any]) -> None:
    """Equal numbers of rows of each channel, one channel after the other, or row by row."""
    count = int(channel.max()) + 1
    each, rest = divmod(channel.size, count)
    if not rest and (channel == np.repeat(np.arange(count), each)).all():
        out.number(count)
        return
    out.number(0)
    for index in channel.tolist():
        out.number(index)


def _write_key(out: _Out, name: str, column: Ints, first: Ints, sizes: list[int]) -> None:
    shared = len(set(sizes)) == 1 and bool(
        (column.reshape(len(sizes), -1) == column[: sizes[0]]).all()
    )
    told, samples = (column[: sizes[0]], first[: sizes[0]]) if shared else (column, first)
    slope = _slope(samples, told) if name == "t0_ns" else None
    out.head.append(SHARED * shared + TIMED * (slope is not None))
    if slope is not None:
        out.head += struct.pack("<d", slope)
        told = told - elapsed(samples, slope)
    _write_sequence(out, told)


def _slope(samples: Ints, times: Ints) -> float | None:
    """Nanoseconds a sample, if times follow from sample numbers."""
    span = samples.max() - samples.min() if samples.size else 0
    if not span:
        return None
    slope = float(times[samples.argmax()] - times[samples.argmin()]) / float(span)
    whole = round(1e9 / slope) if slope > 0 else 0
    if whole and abs(1e9 / slope - whole) < 1e-3:
        slope = 1e9 / whole
    strayed = times - elapsed(samples, slope)
    return slope if strayed.max() - strayed.min() < 1000 else None


def _write_sequence(out: _Out, values: Ints) -> None:
    """A start, a common factor of all differences, their middle, and how far each strays."""
    out.number(int(values[0]))
    steps = np.diff(values)
    factor = int(np.gcd.reduce(steps)) if steps.size else 0
    out.number(factor)
    if factor:
        steps = steps // factor
        middle = _middle(steps)
        out.number(middle)
        k, _ = rice.best_parameter(steps - middle)
        out.head.append(k)
        out.residuals(steps - middle, k)


def _write_values(out: _Out, column: Floats, sizes: list[int]) -> None:
    told = min(_tellings(column, sizes), key=lambda t: t.bits)
    out.head += bytes((told.mode, told.grid))
    for base, before in zip(told.bases, [0, *told.bases], strict=False):
        out.number(base - before)
    if not told.mode & CONSTANT:
        out.residuals(told.residuals, told.mode & PARAMETER)


@dataclass(frozen=True, slots=True)
class _Telling:
    """One way to tell a column of values."""

    bits: int
    mode: int
    grid: int
    bases: list[int]
    residuals: Ints


def _tellings(column: Floats, sizes: list[int]) -> Iterator[_Telling]:
    for grid, numbers in _grids(column):
        parts = np.split(numbers, np.cumsum(sizes)[:-1])
        middles, firsts = [_middle(p) for p in parts], [int(p[0]) for p in parts]
        away = np.concatenate([p - m for p, m in zip(parts, middles, strict=True)])
        if not away.any():
            yield _Telling(0, CONSTANT, grid, middles, away)
            return
        steps = np.concatenate([np.diff(p) for p in parts])
        for mode, bases, residuals in ((0, middles, away), (DELTA, firsts, steps)):
            k, bits = rice.best_parameter(residuals)
            yield _Telling(bits, mode | k, grid, bases, residuals)


def _middle(numbers: Ints) -> int:
    return int(np.partition(numbers, numbers.size // 2)[numbers.size // 2])


def _grids(column: Floats) -> list[tuple[int, Ints]]:
    """The grids that a column lies on exactly: its code, and the column's numbers on it."""
    raw = column.view(np.uint32).astype(np.int64)
    mantissa, power = raw & 0x7FFFFF, (raw >> 23) & 0xFF
    whole = np.where(power > 0, mantissa | 0x800000, mantissa)
    zeros = np.round(np.log2(np.maximum(whole & -whole, 1))).astype(np.int64)
    drop = int(np.where(mantissa > 0, zeros, 23).min())
    drop = min(drop, 22)
    found = [(drop, raw >> drop)]
    exponents = np.maximum(power, 1) - 150 + zeros
    step = int(np.min(exponents[whole > 0], initial=LAST_STEP))
    numbers = np.ldexp(column.astype(np.float64), -step) if np.isfinite(column).all() else None
    one_zero = not (raw == 0x80000000).any()
    if numbers is not None and one_zero and np.abs(numbers).max(initial=0.0) < 2**40:
        found.append((23 + step - FIRST_STEP, numbers.astype(np.int64)))
    return found
