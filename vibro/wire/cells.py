"""The columns of a feature block as bytes, losslessly, made for few rows of many columns.

Every column is found to lie on a grid: multiples of a power of two, or floats of so many mantissa
bits. Its numbers on the grid are told, channel by channel, as small differences to their middle or
to the row before, whichever is shorter; a column that does not change costs three bytes. Keys that
all channels share are told once, and times follow from sample numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.wire import rice

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

LIMIT = 2**54
"""Numbers that lie further apart are left to the packer of plain columns."""
MOST = 2**22
"""No sane block holds more cells: 128 channels for a day of minutes in 20 columns."""
_CONSTANT, _DELTA, _K = 0x80, 0x40, 0x3F
_SHARED, _TIMED = 1, 2
_FIRST_STEP, _LAST_STEP = -149, 82


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
    order, sizes = _groups(keys["channel"])
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


def _groups(channel: NDArray[Any]) -> tuple[NDArray[np.intp], list[int]]:
    """Order of the rows by channel, and how many rows each channel has."""
    _, sizes = np.unique(channel, return_counts=True)
    return np.argsort(channel, kind="stable"), sizes.tolist()


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
    out.head.append(_SHARED * shared + _TIMED * (slope is not None))
    if slope is not None:
        out.head += struct.pack("<d", slope)
        told = told - _elapsed(samples, slope)
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
    strayed = times - _elapsed(samples, slope)
    return slope if strayed.max() - strayed.min() < 1000 else None


def _elapsed(samples: Ints, slope: float) -> Ints:
    with np.errstate(invalid="ignore", over="ignore"):
        elapsed = np.rint((samples - samples[0]).astype(np.float64) * slope)
        return np.asarray(elapsed.astype(np.int64), np.int64)


def _write_sequence(out: _Out, values: Ints) -> None:
    """A start, a common factor of all differences, their middle, and how far each strays."""
    out.number(int(values[0]))
    steps = np.diff(values)
    factor = int(np.gcd.reduce(steps)) if steps.size else 0
    out.number(factor)
    if factor:
        steps = steps // factor
        middle = int(np.median(steps))
        out.number(middle)
        k = rice.best_parameter(steps - middle)
        out.head.append(k)
        out.residuals(steps - middle, k)


def _write_values(out: _Out, column: Floats, sizes: list[int]) -> None:
    best: tuple[int, int, int, list[int], Ints] | None = None
    for shift, numbers in _grids(column):
        parts = np.split(numbers, np.cumsum(sizes)[:-1])
        for mode, bases, left in (
            (0, [int(np.median(p)) for p in parts], None),
            (_DELTA, [int(p[0]) for p in parts], [np.diff(p) for p in parts]),
        ):
            pieces = left or [p - b for p, b in zip(parts, bases, strict=True)]
            residuals = np.concatenate(pieces)
            if not residuals.any():
                best = (0, _CONSTANT, shift, bases, residuals[:0])
                break
            k = rice.best_parameter(residuals)
            bits = rice.size_bits(residuals, k)
            if best is None or bits < best[0]:
                best = (bits, mode | k, shift, bases, residuals)
        if best is not None and not best[0]:
            break
    assert best is not None  # noqa: S101 (the grid of plain floats takes any column)
    out.head += bytes(best[1:3])
    for base, before in zip(best[3], [0, *best[3]], strict=False):
        out.number(base - before)
    if not best[1] & _CONSTANT:
        out.residuals(best[4], best[1] & _K)


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
    step = int(np.min(exponents[whole > 0], initial=_LAST_STEP))
    numbers = np.ldexp(column.astype(np.float64), -step) if np.isfinite(column).all() else None
    one_zero = not (raw == 0x80000000).any()
    if numbers is not None and one_zero and np.abs(numbers).max(initial=0.0) < 2**40:
        found.append((23 + step - _FIRST_STEP, numbers.astype(np.int64)))
    return found


def read(data: bytes, names: Sequence[str], columns: int, rows: int) -> tuple[list[Ints], Floats]:
    """Read a block's columns, the inverse of `write`.

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
    order, sizes = _groups(channel)
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
        if self.flags & _TIMED:
            if first is None:
                raise BadInputError("a time comes before the sample it follows from")
            told += _elapsed(first[: self.length], self.slope)
        return np.tile(told, len(sizes)) if self.flags & _SHARED else told


def _plan_key(source: _In, sizes: list[int]) -> _Key:
    flags = source.byte()
    slope = 0.0
    if flags & _TIMED:
        source.at += 8
        (slope,) = struct.unpack("<d", source.data[source.at - 8 : source.at])
    length = sizes[0] if flags & _SHARED else sum(sizes)
    if flags & _SHARED and len(set(sizes)) != 1:
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
        if self.mode & _CONSTANT:
            return self._floats(starts)
        left = residuals[self.place]
        if not self.mode & _DELTA:
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
            exact = np.ldexp(numbers.astype(np.float64), self.shift - 23 + _FIRST_STEP)
            return np.asarray(exact, np.float32)


def _plan_values(source: _In, sizes: list[int]) -> _Grid:
    mode, shift = source.byte(), source.byte()
    bases = np.cumsum(np.array([source.number() for _ in sizes], np.int64))
    constant = mode & _CONSTANT
    length = sum(sizes) - len(sizes) * bool(mode & _DELTA)
    place = -1 if constant else source.residuals(length, mode & _K)
    return _Grid(mode, shift, bases, place)
