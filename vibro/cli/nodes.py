"""Checking the configurations of edge nodes and what they name: every mistake at once."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_node.config import load, parse
from edge_node.sources.section import source_mistakes
from vibro.assets import register_text
from vibro.assets.register import check_register
from vibro.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration and its mistakes, each a sentence; ``machine`` is ``site/machine``."""

    file: Path
    node: str
    machine: str
    mistakes: tuple[str, ...]


def check_node(path: Path) -> Checked:
    """Check a configuration, the register it names and the recordings it replays."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Checked(path, "", "", (_unreadable(path),))
    sections, mistakes = parse(raw)
    node = sections.get("node")
    machine = f"{node.site}/{node.machine}" if node else ""
    if isinstance(raw.get("register"), str):
        mistakes += _register_mistakes(path.resolve().parent / raw["register"], machine)
    if (source := sections.get("source")) is not None:
        mistakes += source_mistakes(path.resolve().parent, source, sections["source_options"])
    return Checked(path, node.id if node else "", machine, tuple(mistakes))


def require_sound(paths: Sequence[Path]) -> None:
    """Refuse configurations with mistakes, and nodes that would get into each other's way.

    Raises
    ------
    BadInputError
        With every mistake of every file.
    """
    checked = [check_node(path) for path in paths]
    told = [f"{c.file}: {'; '.join(c.mistakes)}" for c in checked if c.mistakes]
    folders: dict[Path, Path] = {}
    for path in paths:
        other = folders.setdefault(path.resolve().parent, path)
        if other is not path:
            told.append(
                f"{path}: shares its folder, and so its spool, with {other}; give each node its own"
            )
    if told:
        raise BadInputError("; ".join(told))


def _unreadable(path: Path) -> str:
    try:
        load(path)
    except BadInputError as error:
        return str(error).removeprefix(f"{path}: ")
    return "changes while it is read"


def _register_mistakes(register: Path, machine: str) -> list[str]:
    try:
        found, problems = check_register(register_text(register))
    except BadInputError as error:
        return [f"register: {error}"]
    if problems:
        return [f"register: {register}: {problem}" for problem in problems]
    if not machine or machine in found.machines:
        return []
    near = difflib.get_close_matches(machine, found.machines, 3)
    hint = f"; near: {', '.join(near)}" if near else ""
    return [f"node.machine: '{machine}' is not in the asset register {register}{hint}"]
