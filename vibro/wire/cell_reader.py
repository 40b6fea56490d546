"""Reads the columns of a feature block: the inverse of `vibro.wire.cell_writer`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.wire import rice
from vibro.wire.layout import (
    CONSTANT,
    DELTA,
    FIRST_STEP,
    PARAMETER,
    SHARED,
    TIMED,
    Floats,
    Ints,
    elapsed,
    groups,
)


@dataclass(slots=True)
class _In:
    data: bytes
    at: int = 0
    lengths: list[int] = field(default_factory=list)
    parameters: list[int] = field(default_factory=list)

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        folded = shift = 0
        while True:
            byte = self.byte()
            folded |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return folded >> 1 if not folded & 1 else -((folded + 1) >> 1)
            if shift > 63:
                raise BadInputError("a number is too long")

    def residuals(self, length: int, k: int) -> int:
        """Announce a column of residuals; return its place among all of them."""
        if k > rice.MOST_K:
            raise BadInputError(f"a parameter of {k} bits is not known")
        self.lengths.append(length)
        self.parameters.append(k)
        return len(self.lengths) - 1


def read(data: bytes, names: Sequence[str], columns: int, rows: int) -> tuple[list[Ints], Floats]:
    """Read a block's columns, the inverse of `vibro.wire.cell_writer.write`.

    Parameters
    ----------
    names : sequence of str
        Names of the keys, in the order in which they were written.
    columns, rows : int
        Shape of the values.

    Returns
    -------
    keys : list of ndarray, int64, each of shape (rows,)
    values : ndarray, float32, shape (columns, rows)

    Raises
    ------
    BadInputError
        If the bytes are not exactly such columns.
    IndexError, OverflowError
        If they end early or hold a number that is no 64-bit number.
    """
    size = int.from_bytes(data[:4], "little")
    source = _In(data[4 : 4 + size])
    channel = _read_channels(source, rows)
    order, sizes = groups(channel)
    plans = [_plan_key(source, sizes) for name in names if name != "channel"]
    grids = [_plan_values(source, sizes) for _ in range(columns)]
    if source.at != size:
        raise BadInputError("columns are not of the number declared")
    residuals = rice.read(data[4 + size :], source.lengths, source.parameters)
    first: Ints | None = None
    keys = []
    for name in names:
        told = channel[order] if name == "channel" else plans.pop(0).read(residuals, first, sizes)
        first = told if name == "first_sample" else first
        keys.append(_unsorted(told, order))
    values = np.empty((columns, rows), np.float32)
    for row, grid in enumerate(grids):
        values[row, order] = grid.read(residuals, sizes)
    return keys, values


def _unsorted(told: Ints, order: NDArray[np.intp]) -> Ints:
    out = np.empty_like(told)
    out[order] = told
    return out


def _read_channels(source: _In, rows: int) -> Ints:
    count = source.number()
    if count < 0 or (count and rows % count) or (not count and rows > len(source.data)):
        raise BadInputError(f"{rows} rows cannot be of {count} channels")
    if count:
        return np.repeat(np.arange(count, dtype=np.int64), rows // count)
    return np.array([source.number() for _ in range(rows)], np.int64)


@dataclass(frozen=True, slots=True)
class _Key:
    """How a key is told: for whom, by what slope, and its sequence."""

    flags: int
    slope: float
    start: int
    factor: int
    middle: int
    length: int
    place: int

    def read(self, residuals: list[Ints], first: Ints | None, sizes: list[int]) -> Ints:
        told = np.full(self.length, self.start, np.int64)
        if self.factor:
            steps = (residuals[self.place] + np.int64(self.middle)) * np.int64(self.factor)
            told[1:] += np.cumsum(steps)
        if self.flags & TIMED:
            if first is None:
                raise BadInputError("a time comes before the sample it follows from")
            told += elapsed(first[: self.length], self.slope)
        return np.tile(told, len(sizes)) if self.flags & SHARED else told


def _plan_key(source: _In, sizes: list[int]) -> _Key:
    flags = source.byte()
    slope = 0.0
    if flags & TIMED:
        source.at += 8
        (slope,) = struct.unpack("<d", source.data[source.at - 8 : source.at])
    length = sizes[0] if flags & SHARED else sum(sizes)
    if flags & SHARED and len(set(sizes)) != 1:
        raise BadInputError("channels of unequal length share a key")
    start, factor = source.number(), source.number()
    middle = source.number() if factor else 0
    place = source.residuals(length - 1, source.byte()) if factor else -1
    return _Key(flags, slope, start, factor, middle, length, place)


@dataclass(frozen=True, slots=True)
class _Grid:
    """How a column of values is told: on which grid, from which bases."""

    mode: int
    shift: int
    bases: Ints
    place: int

    def read(self, residuals: list[Ints], sizes: list[int]) -> Floats:
        starts = np.repeat(self.bases, sizes)
        if self.mode & CONSTANT:
            return self._floats(starts)
        left = residuals[self.place]
        if not self.mode & DELTA:
            return self._floats(starts + left)
        steps = np.zeros(starts.size, np.int64)
        heads = np.cumsum([0, *sizes[:-1]])
        inside = np.ones(starts.size, np.bool_)
        inside[heads] = False
        steps[inside] = left
        total = np.cumsum(steps)
        return self._floats(starts + total - np.repeat(total[heads], sizes))

    def _floats(self, numbers: Ints) -> Floats:
        if self.shift < 23:
            return ((numbers << self.shift) & 0xFFFFFFFF).astype(np.uint32).view(np.float32)
        with np.errstate(over="ignore"):
            exact = np.ldexp(numbers.astype(np.float64), self.shift - 23 + FIRST_STEP)
            return np.asarray(exact, np.float32)


def _plan_values(source: _In, sizes: list[int]) -> _Grid:
    mode, shift = source.byte(), source.byte()
    bases = np.cumsum(np.array([source.number() for _ in sizes], np.int64))
    constant = mode & CONSTANT
    length = sum(sizes) - len(sizes) * bool(mode & DELTA)
    place = -1 if constant else source.residuals(length, mode & PARAMETER)
    return _Grid(mode, shift, bases, place)
