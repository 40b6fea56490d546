"""The register's CSV: one row a measuring point, the machine's columns repeated on each row.

Every mistake of a file is reported at once, each with line, column, value and remedy.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from vibro.assets.records import Machine, Point
from vibro.errors import BadInputError
from vibro.kinematics import Bearing, find_bearing, near_names
from vibro.records import SLUG

UNKNOWN = ("", "unknown", "n/a")
LEAST_RATE_HZ = 50.0
"""Lowest sampling rate that windows exist for."""


@dataclass(frozen=True, slots=True)
class Register:
    """All machines, by ``site/machine``."""

    machines: dict[str, Machine]

    def __iter__(self) -> Iterator[Machine]:
        return iter(self.machines.values())

    def __len__(self) -> int:
        return len(self.machines)

    def machine(self, path: str) -> Machine:
        """Machine of a path ``site/machine``.

        Raises
        ------
        BadInputError
            If the register does not hold it.
        """
        try:
            return self.machines[path]
        except KeyError:
            raise BadInputError(f"machine '{path}' is not in the asset register") from None


def _slug(text: str) -> str:
    if not SLUG.match(text):
        raise ValueError("is not a slug: use 1 to 63 of a-z, 0-9 and '-'")
    return text


def _number(low: float = 1e-3, high: float = 1e6) -> Callable[[str], float]:
    """Return what takes numbers of a range; the default holds every size a machine can have."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError("is not a number") from None
        if not 0.0 < value < math.inf:
            raise ValueError("must be above 0 and finite")
        if not low <= value <= high:
            raise ValueError(f"must be from {low:g} to {high:g}")
        return value

    return convert


_positive = _number()


def _optional(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text.lower() in UNKNOWN else convert(text)


def _whole(text: str) -> int:
    value = _positive(text)
    if value != int(value):
        raise ValueError("must be a whole number")
    return int(value)


def _word(*words: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(w or '(empty)' for w in words)}")
        return text

    return convert


def _bearing(text: str) -> Bearing | None:
    if text.lower() in UNKNOWN:
        return None
    if "=" in text:
        return Bearing.parse(text)
    found = find_bearing(text)
    if found is None:
        near = near_names(text)
        hint = f"; near names: {', '.join(near)}" if near else ""
        raise ValueError(
            f"is not in the catalogue: write 'unknown' or geometry Z=9 d=7.94 D=39.04 phi=0{hint}"
        )
    return replace(found, name=text)


_MACHINE: dict[str, Callable[[str], Any]] = {
    "site": _slug,
    "region": str,
    "owner": str,
    "machine": _slug,
    "machine_class": _slug,
    "criticality": str,
    "power_kw": _optional(_positive),
    "rpm_min": _optional(_positive),
    "rpm_nominal": _optional(_positive),
    "rpm_max": _optional(_positive),
    "mounting": _word("rigid", "flexible", ""),
    "iso_part": _word("10816-3", "n/a"),
    "iso_group": _optional(lambda text: int(_word("1", "2")(text))),
}
_POINT: dict[str, Callable[[str], Any]] = {
    "channel": _slug,
    "location": _word("DE", "NDE", "GB"),
    "axis": _word("H", "V", "A"),
    "shaft": str,
    "shaft_ratio": _positive,
    "bearing": _bearing,
    "gear_teeth": _optional(_whole),
    "gear_mate_teeth": _optional(_whole),
    "blades": _optional(_whole),
    "line_hz": _positive,
    "rate_hz": _number(LEAST_RATE_HZ),
    "range_m_s2": _positive,
}
COLUMNS = (*_MACHINE, *_POINT)


def register_text(path: Path) -> str:
    """Text of a register's file.

    Raises
    ------
    BadInputError
        If the file is not there, cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: is not UTF-8 text; export it as CSV (UTF-8)") from None
    except FileNotFoundError:
        raise BadInputError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        why = getattr(error, "strerror", None) or error
        raise BadInputError(f"{path}: cannot be read ({why})") from None


def parse_register(text: str, origin: str) -> Register:
    """Parse a register.

    Parameters
    ----------
    text : str
        The CSV.
    origin : str
        What to call the file in messages.

    Raises
    ------
    BadInputError
        With all mistakes, joined by ``; ``.
    """
    register, problems = check_register(text)
    if problems:
        raise BadInputError(f"{origin}: " + "; ".join(problems))
    return register


def check_register(text: str) -> tuple[Register, list[str]]:
    """Parse a register; return what could be read and every mistake."""
    if "\0" in text:
        return Register({}), ["holds a NUL character: save it as plain text"]
    lines = io.StringIO(text.lstrip("\ufeff"), newline="")
    reader = csv.DictReader(lines, skipinitialspace=True)
    rows: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    problems: list[str] = []
    try:
        problems += _header_problems(reader.fieldnames)
        if problems:
            return Register({}), problems
        for row in reader:
            values = _convert(reader.line_num, row, problems)
            if values is not None:
                rows.setdefault(f"{values['site']}/{values['machine']}", []).append(
                    (reader.line_num, values)
                )
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: is not CSV ({error})")
    machines = {path: _machine(path, group, problems) for path, group in rows.items()}
    if not machines and not problems:
        problems.append("holds no machine: one row a measuring point is needed")
    return Register(machines), problems + _clashes(machines)


def _clashes(machines: dict[str, Machine]) -> list[str]:
    """Machines whose nodes would have one name: ``a-b/c`` and ``a/b-c``, or very long ones."""
    nodes: dict[str, str] = {}
    return [
        f"{path}: its node would be named '{machine.node_id}' like that of {other}; rename one"
        for path, machine in machines.items()
        if (other := nodes.setdefault(machine.node_id, path)) != path
    ]


def _header_problems(header: Any) -> list[str]:
    if not header:
        return [f"is empty: the first line must name the columns {', '.join(COLUMNS)}"]
    if len(header) == 1 and (mark := next((m for m in ";\t|" if m in header[0]), "")):
        return [f"line 1: columns are separated by {mark!r}: export the file with commas"]
    missing = [c for c in COLUMNS if c not in header]
    extra = [str(c) for c in header if c not in COLUMNS]
    problems = [f"line 1: column '{c}' is missing" for c in missing]
    problems += [f"line 1: column '{c}' stands twice" for c in COLUMNS if header.count(c) > 1]
    return problems + [_one_line(f"line 1: column '{c}' is not known") for c in extra]


def _one_line(text: str) -> str:
    """Undo line breaks that a quoted cell brought into a message."""
    return " ".join(text.split())


def _convert(line: int, row: dict[str, Any], problems: list[str]) -> dict[str, Any] | None:
    values: dict[str, Any] = {}
    before = len(problems)
    if None in row or None in row.values():
        problems.append(f"line {line}: does not have {len(COLUMNS)} columns")
        return None
    for column, convert in (_MACHINE | _POINT).items():
        text = row[column].strip()
        try:
            values[column] = convert(text)
        except ValueError as error:
            problems.append(_one_line(f"line {line}, column {column}: '{text}' {error}"))
    return values if len(problems) == before else None


def _machine(path: str, rows: list[tuple[int, dict[str, Any]]], problems: list[str]) -> Machine:
    first = rows[0][1]
    for line, values in rows[1:]:
        problems.extend(
            _one_line(
                f"line {line}, column {column}: '{values[column]}' differs from the "
                f"'{first[column]}' that {path} has above"
            )
            for column in _MACHINE
            if values[column] != first[column]
        )
    seen: set[str] = set()
    for line, values in rows:
        if values["channel"] in seen:
            problems.append(f"line {line}: channel '{values['channel']}' of {path} stands twice")
        seen.add(values["channel"])
    if len({values["rate_hz"] for _, values in rows}) > 1:
        problems.append(f"{path}: all channels of a machine must have one rate_hz")
    speeds = [first[c] for c in ("rpm_min", "rpm_nominal", "rpm_max") if first[c] is not None]
    if speeds != sorted(speeds):
        problems.append(f"{path}: rpm_min <= rpm_nominal <= rpm_max does not hold")
    points = tuple(Point(**{k: values[k] for k in _POINT}) for _, values in rows)
    return Machine(**{k: first[k] for k in _MACHINE}, points=points)


def export(register: Register) -> str:
    """Write a register as CSV; `parse_register` reads back an equal one."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for machine in register:
        for point in machine.points:
            writer.writerow(
                [_text(getattr(machine if c in _MACHINE else point, c)) for c in COLUMNS]
            )
    return out.getvalue()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Bearing):
        return value.name if find_bearing(value.name) else value.geometry
    return repr(value) if isinstance(value, float) else str(value)


assert {f.name for f in fields(Point)} == set(_POINT)  # noqa: S101  (columns and record agree)
