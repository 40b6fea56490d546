"""Line protocol of InfluxDB: columns of numbers as bytes, a few million values a second.

A line is one point: ``measurement,tag=value field=value,field=value time``. Here every line ends
with a line feed and holds no other, so that lines are counted and parted by it. A number that is
not finite, a text that is None and a tag that is empty are left out; a point with no field is no
line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Value = float | int | bool | str | None

_TAG = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ ", "\n": "\\ ", "\r": "\\ "})
_MEASUREMENT = str.maketrans({",": "\\,", " ": "\\ "})
_TEXT = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " ", "\r": " "})
_MOST_INT = 2**63


def series(measurement: str, tags: Mapping[str, str]) -> str:
    """Return what a line begins with; tags in the order of their names, which is read fastest.

    A backslash at the end of a tag would hide what follows: it becomes a slash.
    """
    words = [measurement.translate(_MEASUREMENT)]
    for name, value in sorted(tags.items()):
        if value:
            words.append(f"{name.translate(_TAG)}={value.replace(chr(92), '/').translate(_TAG)}")
    return ",".join(words)


def line(start: str, fields: Mapping[str, Value], t_ns: int) -> bytes:
    """One point as a line; empty when it has no field.

    Parameters
    ----------
    start : str
        As `series` returns it.
    fields : mapping
        An int becomes an integer of the server, a float a float: a field keeps the type that it
        was first written with.
    """
    told = [
        f"{name.translate(_TAG)}={text}"
        for name, value in fields.items()
        if (text := _value(value)) is not None
    ]
    return f"{start} {','.join(told)} {t_ns}\n".encode() if told else b""


def _value(value: Value) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return f'"{value.translate(_TEXT)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i" if -_MOST_INT <= value < _MOST_INT else None
    return repr(float(value)) if math.isfinite(value) else None


def columns(
    starts: Sequence[str],
    which: NDArray[np.integer],
    fields: Mapping[str, NDArray[np.generic] | None],
    t_ns: NDArray[np.int64],
) -> bytes:
    """Rows of columns as lines.

    Parameters
    ----------
    starts : sequence of str
        Series of the rows, as `series` returns them.
    which : ndarray of int, shape (rows,)
        Index of each row's series.
    fields : mapping of str to ndarray or None, each of shape (rows,)
        Floats become floats, exactly as they are, and integers integers; None is no field.
    t_ns : ndarray of int64, shape (rows,)
    """
    told = {name: values for name, values in fields.items() if values is not None}
    known = np.zeros(len(t_ns), bool)
    for values in told.values():
        known |= True if values.dtype.kind in "iu" else np.isfinite(values)
    if not known.any():
        return b""
    if not known.all():
        some = {name: values[known] for name, values in told.items()}
        return columns(starts, which[known], some, t_ns[known])
    rows = pc.binary_join_element_wise(
        pa.array([f"{s} " for s in starts]).take(pa.array(which)),
        pc.binary_join_element_wise(
            *(_named(name, values) for name, values in told.items()), ",", null_handling="skip"
        ),
        pc.binary_join_element_wise(" ", pa.array(t_ns, pa.int64()).cast(pa.string()), "\n", ""),
        "",
    )
    return _bytes(rows)


def _named(name: str, values: NDArray[np.generic]) -> pa.Array:
    """``name=value`` of each row, null where there is no number."""
    key = f"{name.translate(_TAG)}="
    if values.dtype.kind in "iu":
        return pc.binary_join_element_wise(key, pa.array(values).cast(pa.string()), "i", "")
    # As a double it is the same number, and the server packs it better than the nearest decimal.
    known = np.isfinite(values)
    exact = pa.array(values.astype(np.float64), mask=None if known.all() else ~known)
    return pc.binary_join_element_wise(key, exact.cast(pa.string()), "")


def _bytes(rows: pa.Array) -> bytes:
    """Texts one after the other: they lie so in memory already."""
    _, ends, content = rows.buffers()
    place = np.frombuffer(ends, np.int32)[rows.offset : rows.offset + len(rows) + 1]
    return bytes(memoryview(content)[place[0] : place[-1]])


def count(lines: bytes) -> int:
    """How many lines these are."""
    return lines.count(b"\n")


def batches(lines: bytes, most: int) -> Iterator[bytes]:
    """Part lines into runs of at most ``most``."""
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
    begin = 0
    for end in [*ends[most - 1 :: most].tolist(), len(lines)]:
        if end > begin:
            yield lines[begin:end]
        begin = end
