"""Checking the configurations of edge nodes and what they name: every mistake at once."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_node.config import load, parse
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
    mistakes += _source_mistakes(path.resolve().parent, sections.get("source"))
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


def _source_mistakes(folder: Path, source: Any) -> list[str]:
    if source is None:
        return []
    mistakes = []
    if source.pace == "clock" and not source.clock:
        mistakes.append("source.clock is empty: pace = 'clock' needs the plant clock's file")
    if source.kind == "simulator" and source.duration_s - source.commissioning_s < 1.0:
        mistakes.append(
            f"source.commissioning_s = {source.commissioning_s:g} s must end at least 1 s before "
            f"duration_s = {source.duration_s:g} s"
        )
    if source.kind == "replay":
        if not source.files:
            mistakes.append("source.files is empty: name at least one recording to replay")
        missing = [f for f in source.files if not (folder / f).is_file()]
        mistakes += [f"source.files: {folder / f} is not there" for f in missing]
    return mistakes
