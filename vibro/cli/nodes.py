"""Checking the configurations of edge nodes and what they name: every mistake at once."""

from __future__ import annotations

import difflib
import importlib.util
import os
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_node.config import NodeConfig, ServiceSection, load, parse
from edge_node.judging.states import LimitSection
from edge_node.process_values import mistakes as process_value_mistakes
from edge_node.reflex import mistakes as reflex_mistakes
from edge_node.sources.kinds import RecordedKind, kind_of
from edge_node.sources.section import source_mistakes
from vibro.assets import Machine, register_text
from vibro.assets.register import check_register
from vibro.decide.limits import limits_by_channel
from vibro.errors import BadInputError, MissingExtraError, VibroError
from vibro.text import one_line

LONGEST = 1000
"""Characters of a mistake; what quotes more of a file is cut."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration and its mistakes, each a sentence; ``machine`` is ``site/machine``.

    ``cautions`` are mistakes with which a node runs nevertheless, though it ships nothing.
    """

    file: Path
    node: str
    machine: str
    mistakes: tuple[str, ...]
    cautions: tuple[str, ...] = ()


def check_node(path: Path) -> Checked:
    """Check a configuration and all it names: register, machine, source, reflex, folders, extras.

    What can only be known with a sensor that answers is left to the node's start.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Checked(path, "", "", (_unreadable(path),))
    folder = path.resolve().parent
    sections, mistakes = parse(raw)
    node = sections.get("node")
    wanted = f"{node.site}/{node.machine}" if node else ""
    machine = None
    if isinstance(raw.get("register"), str):
        machine, told = _machine(folder / raw["register"], wanted)
        mistakes += told
    if (source := sections.get("source")) is not None:
        options = sections["source_options"]
        mistakes += _looked("source", lambda: source_mistakes(folder, source, options))
    if (reflex := sections.get("reflex")) is not None:
        channels = None if machine is None else len(machine.points)
        mistakes += _looked("reflex", lambda: reflex_mistakes(reflex, channels, folder))
    if (values := sections.get("process_values")) is not None:
        mistakes += _looked("process_values", lambda: process_value_mistakes(values, folder))
        if source is not None and values.kind != "none" and not kind_of(source.kind).live:
            mistakes.append(
                f"process_values.kind = '{values.kind}': source.kind = '{source.kind}' is a "
                "recording, to which no value of today belongs; take one of them out"
            )
    if machine is not None and not any(m.startswith("limits") for m in mistakes):
        mistakes += _limit_mistakes(sections.get("limits", ()), machine)
    if (service := sections.get("service")) is not None:
        mistakes += _service_mistakes(service)
    mistakes += _looked("ship.log", lambda: _folder_mistakes(folder, sections.get("ship")))
    missing, cautions = _kafka(folder, sections)
    mistakes += missing
    if not mistakes and machine is not None:
        mistakes += _looked("source", lambda: _opening_mistakes(load(path), machine))
    name = node.id if node else ""
    return Checked(path, name, wanted, _lines(mistakes), _lines(cautions))


def require_sound(paths: Sequence[Path]) -> list[str]:
    """Refuse configurations with mistakes, and nodes that would get into each other's way.

    Returns
    -------
    list of str
        What does not keep the nodes from running, but from shipping.

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
    if not told:
        service_of(paths)
    if told:
        raise BadInputError("; ".join(told))
    return [f"{c.node}: {text}" for c in checked for text in c.cautions]


def checked_config(path: Path) -> NodeConfig:
    """Return a configuration that has no mistake.

    Raises
    ------
    BadInputError
        With every mistake.
    """
    if mistakes := check_node(path).mistakes:
        raise BadInputError(f"{path}: {'; '.join(mistakes)}")
    return load(path)


def service_of(paths: Sequence[Path]) -> ServiceSection:
    """Return what the one process of these nodes answers.

    Raises
    ------
    BadInputError
        If two of them want it to answer in different places.
    """
    wanted = {path: load(path).service for path in paths}
    said = {path: s for path, s in wanted.items() if s.http_port}
    if len(set(said.values())) > 1:
        places = ", ".join(f"{p}: {s.http_address} port {s.http_port}" for p, s in said.items())
        raise BadInputError(
            f"service.http_port: one process answers in one place, but {places}; "
            "give all the same, or 0"
        )
    return next(iter(said.values()), ServiceSection())


def _looked(section: str, look: Callable[[], Iterable[str]]) -> list[str]:
    """Return what a look finds; a name that no file can have is one more mistake."""
    try:
        return list(look())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return [f"{section}: names a file that cannot be looked at ({why})"]


def _lines(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(_one_line(text) for text in texts)


def _one_line(text: str) -> str:
    """What a message quotes of a file may hold anything, also what a terminal would obey."""
    line = one_line(text)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def _unreadable(path: Path) -> str:
    try:
        load(path)
    except BadInputError as error:
        return _one_line(str(error).removeprefix(f"{path}: "))
    return "changes while it is read"


def _machine(register: Path, wanted: str) -> tuple[Machine | None, list[str]]:
    try:
        found, problems = check_register(register_text(register))
    except BadInputError as error:
        return None, [f"register: {error}"]
    if problems:
        return None, [f"register: {register}: {problem}" for problem in problems]
    if not wanted or wanted in found.machines:
        return found.machines.get(wanted), []
    near = difflib.get_close_matches(wanted, found.machines, 3)
    hint = f"; near: {', '.join(near)}" if near else ""
    return None, [f"node.machine: '{wanted}' is not in the asset register {register}{hint}"]


def _limit_mistakes(sections: Sequence[LimitSection], machine: Machine) -> Iterator[str]:
    """Limits of channels that the machine does not have, or that stand twice."""
    try:
        limits_by_channel([s.limit for s in sections], [p.channel for p in machine.points])
    except BadInputError as error:
        yield str(error)


def _kafka(folder: Path, sections: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What keeps a node from using a broker at all, and what keeps it for as long as it lasts."""
    ship, kafka = sections.get("ship"), sections.get("kafka")
    if ship is None or ship.transport != "kafka" or kafka is None or kafka.problems():
        return [], []
    from vibro.log.kafka.check import file_mistakes, installed  # noqa: PLC0415 (loads TLS)

    if not installed():
        return [str(MissingExtraError("ship.transport = 'kafka'", "edge"))], []
    return [], _looked("kafka", lambda: file_mistakes(kafka, folder, time.time()))


def _service_mistakes(section: ServiceSection) -> Iterator[str]:
    if section.http_port > 65_535:
        yield f"service.http_port = {section.http_port} is too large: at most 65535"
    if section.http_port and importlib.util.find_spec("prometheus_client") is None:
        yield str(MissingExtraError(f"service.http_port = {section.http_port}", "edge"))


def _folder_mistakes(folder: Path, ship: Any) -> Iterator[str]:
    """Places that the node writes to, which it must be able to."""
    places = {"the node's folder": folder}
    if ship is not None and ship.transport == "embedded":
        places["ship.log"] = (folder / ship.log).resolve()
    for what, place in places.items():
        there = next(p for p in (place, *place.parents) if p.exists())
        if not there.is_dir():
            yield f"{what}: {there} is no folder"
        elif not os.access(there, os.W_OK | os.X_OK):
            yield f"{what}: {there} cannot be written by this user; change its owner"


def _opening_mistakes(config: NodeConfig, machine: Machine) -> Iterator[str]:
    """Open recordings, and load what a device needs without touching the device."""
    kind, options = kind_of(config.source.kind), config.source_options
    try:
        if not isinstance(kind, RecordedKind):
            kind.open_device(options, machine, config.folder)
        elif getattr(options, "files", ()):
            kind.open_source(config, machine, 0)
    except VibroError as error:
        yield f"source: {error}"
