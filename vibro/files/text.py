"""CSV and ASCII tables: delimiter, header and clock columns are found, not asked for."""

from __future__ import annotations

import csv
import io
import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.files.raw import Raw

_DELIMITERS = (",", ";", "\t", "|")
_UNIT = re.compile(r"\s*[\[(](g|mm?/s(?:2|\^2|²))[\])]\Z")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?\Z")
_CLOCK_NAMES = ("time", "t", "datetime", "timestamp", "date", "seconds", "s", "time_s")


def read_text(path: Path, delimiter: str | None) -> Raw:
    """Read a table of numbers, one column a channel.

    A first row without numbers names the columns, and their units where they all end in the same
    one in brackets (``DE [m/s2]``). A first column called time that never falls is no channel;
    where it rises with every row it gives the rate. The four clock columns of PRONOSTIA snapshots
    (hour, minute, second, microsecond) and columns of text are left out.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInputError(
            f"{path}: is not text; name its format by its ending, or save it as UTF-8"
        ) from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise BadInputError(f"{path}: is empty")
    if delimiter and len(delimiter) != 1:
        raise BadInputError(f"{path}: delimiter {delimiter!r} is not one character")
    mark = delimiter or _delimiter(lines[: min(20, len(lines))])
    try:
        names, first = _header(lines[0], mark)
        table = _table(path, lines[first:], mark, first)
    except csv.Error as error:
        raise BadInputError(f"{path}: is not a table of numbers: {error}") from None
    if names and len(names) != table.shape[1]:
        raise BadInputError(
            f"{path}: its header names {len(names)} columns, its rows have {table.shape[1]}"
        )
    columns = names or tuple(f"ch{i + 1}" for i in range(table.shape[1]))
    return _without_clock(path, table, columns, bool(names))


def _delimiter(lines: list[str]) -> str:
    """Delimiter that splits the first lines into the same number of columns, most of all."""
    best, width = "", 1
    for mark in _DELIMITERS:
        counts = {len(line.split(mark)) for line in lines}
        if len(counts) == 1 and (n := counts.pop()) > width:
            best, width = mark, n
    return best  # "" = white space


def _split(line: str, mark: str) -> list[str]:
    if not mark:
        return line.split()
    return [c.strip() for c in next(csv.reader([line], delimiter=mark))]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _header(line: str, mark: str) -> tuple[tuple[str, ...], int]:
    cells = _split(line, mark)
    if any(_is_number(c) for c in cells):
        return (), 0
    return tuple(c.strip('"') for c in cells), 1


def _table(path: Path, lines: list[str], mark: str, skipped: int) -> NDArray[np.float64]:
    if not lines:
        raise BadInputError(f"{path}: has a header and no rows")
    cells = _split(lines[0], mark)
    text_columns, width = [i for i, c in enumerate(cells) if not _is_number(c)], len(cells)
    if odd := next((cells[i] for i in text_columns if _DECIMAL_COMMA.match(cells[i])), ""):
        raise BadInputError(
            f"{path}: line {skipped + 1} writes '{odd}' with a decimal comma; write decimal points"
        )
    keep = [i for i in range(width) if i not in text_columns]
    if not keep:
        shown = lines[0][:40]
        raise BadInputError(
            f"{path}: line {skipped + 1} '{shown}' holds no number with delimiter "
            f"{mark or 'white space'!r}; name the right one with --delimiter"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = np.loadtxt(
                io.StringIO("\n".join(lines)), delimiter=mark or None, usecols=keep, ndmin=2
            )
    except (ValueError, Warning) as error:
        said = str(error).split(";")[0].split(" at row")[0]
        raise BadInputError(f"{path}: is not a table of numbers: {said}") from None
    if not text_columns:
        return table
    # Columns of text stay in their place as NaN, so that names still fit; they are dropped later.
    full = np.full((table.shape[0], width), np.nan)
    full[:, keep] = table
    return full


def _without_clock(
    path: Path, table: NDArray[np.float64], names: tuple[str, ...], named: bool
) -> Raw:
    drop = {i for i in range(table.shape[1]) if np.isnan(table[:, i]).all()}
    rate = float("nan")
    if _is_pronostia(table):
        drop |= {0, 1, 2, 3}
    elif table.shape[1] > 1 and named and names[0].lower() in _CLOCK_NAMES and 0 not in drop:
        steps = np.diff(table[:, 0])
        if steps.size and (steps > 0).all():
            # Nine digits: sums of printed times must not make 11,999.9999999 Hz of 12 kHz.
            rate = float(f"{1.0 / np.median(steps):.9g}")
        if (steps >= 0).all():
            # Also a clock that repeats (too few digits): it tells no rate, but is no channel.
            drop.add(0)
    keep = [i for i in range(table.shape[1]) if i not in drop]
    if not keep:
        raise BadInputError(f"{path}: has no column of samples")
    found, units = _without_units(tuple(names[i] for i in keep))
    return Raw(table[:, keep].T, found, rate, units=units)


def _without_units(names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Names without the one unit that they all end in, and the unit."""
    found = {m.group(1) if (m := _UNIT.search(name)) else "" for name in names}
    if len(found) != 1 or not (units := found.pop()):
        return names, ""
    bare = (_UNIT.sub("", name) for name in names)
    return tuple(n or f"ch{i + 1}" for i, n in enumerate(bare)), units


def _is_pronostia(table: NDArray[np.float64]) -> bool:
    """Hour, minute, second and microsecond as the first four of at least five columns."""
    if table.shape[1] < 5:
        return False
    clock = table[:, :4]
    whole = np.array_equal(clock[:, :3], np.floor(clock[:, :3]))
    tops = (clock >= 0).all() and (clock < np.array([24, 60, 60, 1_000_000])).all()
    return bool(whole and tops and np.ptp(clock[:, 0]) <= 1 and clock[:, 3].max() >= 1000)
