"""`vibro assets`: the asset register of a home folder."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibro.cli.main import echo_json, home_option
from vibro.errors import BadInputError

if TYPE_CHECKING:
    from vibro.assets import Machine, Register

REGISTER = "assets.csv"
FILE = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
_PLACE = re.compile(r"line (\d+)(?:, column (\w+)|: column '(\w+)')?")


@click.group(name="assets")
def command() -> None:
    """Import, validate and export the asset register.

    The register is a CSV file with one row a measuring point: what machines there are, how fast
    they turn, which bearings and gears they have and where the sensors sit. It lives at
    HOME/assets.csv; the configurations of the edge nodes come from it.
    """


@command.command(name="import")
@FILE
@home_option
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing.")
@JSON
def take_in(file: Path, home: Path, dry_run: bool, as_json: bool) -> None:
    """Make FILE the register of the home folder.

    FILE replaces the register as a whole. With a mistake anywhere nothing is written.
    """
    from vibro.assets import Register, export, parse_register, register_text  # noqa: PLC0415

    new = parse_register(register_text(file), str(file))
    target = home / REGISTER
    old = parse_register(register_text(target), str(target)) if target.exists() else Register({})
    changes = _changes(old, new)
    if not dry_run:
        _write(target, export(new))
    if as_json:
        echo_json({"file": str(target), "written": not dry_run, **_size(new), **changes})
        return
    for word, mark in (("added", "+"), ("removed", "-")):
        for path in changes[word]:
            click.echo(f"{mark} {path}")
    for path, what in changes["changed"].items():
        click.echo(f"~ {path}: {', '.join(what)}")
    counts = ", ".join(f"{len(changes[w])} {w}" for w in ("added", "changed", "removed"))
    size = _size(new)
    done = "would hold" if dry_run else "holds"
    click.echo(
        f"{target} {done} {size['machines']} machines with {size['points']} points: {counts}"
    )


@command.command()
@FILE
@JSON
def validate(file: Path, as_json: bool) -> None:
    """Report every mistake of FILE with its line, column and remedy.

    Exits with 2 when there is one.
    """
    from vibro.assets.register import check_register, register_text  # noqa: PLC0415

    register, problems = check_register(register_text(file))
    if as_json:
        found = [_mistake(p) for p in problems]
        echo_json({"file": str(file), "ok": not problems, **_size(register), "mistakes": found})
    else:
        for problem in problems:
            click.echo(f"{file}: {problem}")
        size = _size(register)
        if not problems:
            click.echo(f"{file}: ok, {size['machines']} machines, {size['points']} points")
    if problems:
        raise click.exceptions.Exit(2)


@command.command(name="export")
@home_option
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write to FILE instead of stdout.",
)  # fmt: skip
@JSON
def give_out(home: Path, out: Path | None, as_json: bool) -> None:
    """Write the register of the home folder as CSV, or with --json as JSON."""
    from vibro.assets import export  # noqa: PLC0415

    register = register_of(home)
    if out is not None:
        _write(out, export(register))
    if as_json:
        file = str(out or home / REGISTER)
        echo_json({"file": file, **_size(register), "rows": _rows(export(register))})
    elif out is None:
        click.echo(export(register), nl=False)
    else:
        size = _size(register)
        click.echo(f"{out}: {size['machines']} machines, {size['points']} points")


def register_of(home: Path) -> Register:
    """Read the register of a home folder.

    Raises
    ------
    BadInputError
        If it is not there, or has a mistake.
    """
    from vibro.assets import parse_register, register_text  # noqa: PLC0415

    source = home / REGISTER
    if not source.exists():
        raise BadInputError(
            f"{source}: there is no register; bring one in with `vibro assets import`"
        )
    return parse_register(register_text(source), str(source))


def _write(target: Path, text: str) -> None:
    """Replace a file at once: a reader sees the old register or the new one, never half."""
    draft = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".assets-", dir=target.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(0o644)
        Path(draft).replace(target)
    except OSError as error:
        if draft:
            Path(draft).unlink(missing_ok=True)
        raise BadInputError(f"{target}: cannot be written ({error.strerror})") from None


def _size(register: Register) -> dict[str, int]:
    return {"machines": len(register), "points": sum(len(m.points) for m in register)}


def _changes(old: Register, new: Register) -> dict[str, Any]:
    before, after = old.machines, new.machines
    both = [path for path in after if path in before and after[path] != before[path]]
    return {
        "added": [path for path in after if path not in before],
        "changed": {path: _differences(before[path], after[path]) for path in both},
        "removed": [path for path in before if path not in after],
    }


def _differences(old: Machine, new: Machine) -> list[str]:
    """Columns that differ, those of a point with the channel's name before them."""
    found = [
        f"{f.name} {_word(getattr(old, f.name))} -> {_word(getattr(new, f.name))}"
        for f in fields(new)
        if f.name != "points" and getattr(old, f.name) != getattr(new, f.name)
    ]
    before = {p.channel: p for p in old.points}
    after = {p.channel: p for p in new.points}
    found += [f"channel {c} removed" for c in before if c not in after]
    for channel, point in after.items():
        if channel not in before:
            found.append(f"channel {channel} added")
            continue
        was = before[channel]
        found += [
            f"{channel}.{f.name} {_word(getattr(was, f.name))} -> {_word(getattr(point, f.name))}"
            for f in fields(point)
            if getattr(was, f.name) != getattr(point, f.name)
        ]
    return found or ["order of channels"]


def _word(value: Any) -> str:
    return str(getattr(value, "name", value)) if value not in (None, "") else "unknown"


def _mistake(problem: str) -> dict[str, Any]:
    place = _PLACE.match(problem)
    return {
        "line": int(place.group(1)) if place else None,
        "column": (place.group(2) or place.group(3)) if place else None,
        "mistake": problem,
    }


def _rows(text: str) -> list[dict[str, str]]:
    import csv  # noqa: PLC0415
    import io  # noqa: PLC0415

    return list(csv.DictReader(io.StringIO(text)))
