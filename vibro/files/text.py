"""CSV and ASCII tables: delimiter, header and clock columns are found, not asked for."""

from __future__ import annotations

import csv
import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.files.raw import Raw

_DELIMITERS = (",", ";", "\t", "|")
_CLOCK_NAMES = ("time", "t", "datetime", "timestamp", "date", "seconds", "s", "time_s")


def read_text(path: Path, delimiter: str | None) -> Raw:
    """Read a table of numbers, one column a channel.

    A first row without numbers names the columns. A rising first column called time gives the
    rate; the four clock columns of PRONOSTIA snapshots (hour, minute, second, microsecond) and
    columns of text are left out.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: is not text; name its format by its ending") from None
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
    text_columns = [i for i, c in enumerate(_split(lines[0], mark)) if not _is_number(c)]
    width = len(_split(lines[0], mark))
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
            rate = float(1.0 / np.median(steps))
            drop.add(0)
    keep = [i for i in range(table.shape[1]) if i not in drop]
    if not keep:
        raise BadInputError(f"{path}: has no column of samples")
    return Raw(table[:, keep].T, tuple(names[i] for i in keep), rate)


def _is_pronostia(table: NDArray[np.float64]) -> bool:
    """Hour, minute, second and microsecond as the first four of at least five columns."""
    if table.shape[1] < 5:
        return False
    clock = table[:, :4]
    whole = np.array_equal(clock[:, :3], np.floor(clock[:, :3]))
    tops = (clock >= 0).all() and (clock < np.array([24, 60, 60, 1_000_000])).all()
    return bool(whole and tops and np.ptp(clock[:, 0]) <= 1 and clock[:, 3].max() >= 1000)
