"""Reading the table [source]: what all kinds share, and the kind's own options."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from edge_node.config import SourceSection
from edge_node.sources.kinds import Kind, kind_of
from vibro.errors import VibroError
from vibro.options import read_section, sample_section

FIRST = ("replay", "simulator")
"""Their options may stand in [source] itself, of both whichever is chosen, as they always did."""


def read_source(
    given: dict[str, Any], mistakes: list[str]
) -> tuple[SourceSection | None, Any | None]:
    """Check [source] and [source.KIND]; return what is common and the kind's own options.

    An own option may stand in either table, but only in one.

    Parameters
    ----------
    given : dict
        The table [source] of a configuration.
    mistakes : list of str
        Is added to.
    """
    name = given.get("kind", SourceSection().kind)
    kind = _kind(name, mistakes)
    own = {} if kind is None else given.get(name, {})
    if not isinstance(own, dict):
        mistakes.append(f"[source.{name}] is not a table: write a line [source.{name}]")
        own = {}
    common = {f.name for f in fields(SourceSection)}
    flat = {k: v for k, v in given.items() if k not in common and (kind is None or k != name)}
    classes = [kind.options] if kind else []
    if kind is None or name in FIRST:
        classes += [c for c in (kind_of(n).options for n in FIRST) if c not in classes]
    _unknown(flat, classes, mistakes)
    _twice(flat, own, str(name), mistakes)
    values: Any = None
    for options in classes:
        mine = {f.name for f in fields(options)}
        here = {k: v for k, v in flat.items() if k in mine}
        if kind is None or options is not kind.options:
            read_section("source", options, here, mistakes)
            continue
        values = read_section(f"source.{name}" if own else "source", options, here | own, mistakes)
    section = _common(given, common, kind, mistakes)
    return section, kind.options(**values) if kind and values is not None else None


def _kind(name: Any, mistakes: list[str]) -> Kind | None:
    if not isinstance(name, str):
        mistakes.append(f"source.kind = {name!r} is not a text")
        return None
    try:
        return kind_of(name)
    except VibroError as error:
        mistakes.append(str(error))
        return None


def _unknown(flat: dict[str, Any], classes: list[type], mistakes: list[str]) -> None:
    known = [f.name for c in (SourceSection, *classes) for f in fields(c)]
    mistakes += [
        f"source.{key} is not known: known are {', '.join(dict.fromkeys(known))}"
        for key in sorted(set(flat) - set(known))
    ]


def _twice(flat: dict[str, Any], own: dict[str, Any], name: str, mistakes: list[str]) -> None:
    mistakes += [
        f"source.{key} is given twice: take it out of [source] or of [source.{name}]"
        for key in sorted(set(flat) & set(own))
    ]


def _common(
    given: dict[str, Any], common: set[str], kind: Kind | None, mistakes: list[str]
) -> SourceSection | None:
    known = {k: v for k, v in given.items() if k in common}
    if not isinstance(known.get("kind", ""), str):
        del known["kind"]
    values = read_section("source", SourceSection, known, mistakes)
    if values is None:
        return None
    if kind is not None:
        values.setdefault("block_s", kind.block_s)
        if kind.live and values.get("pace", "real") != "real":
            mistakes.append(
                f"source.pace = '{values['pace']}': a live source has the pace of the plant; "
                "take the line out"
            )
    return SourceSection(**values)


def source_mistakes(folder: Path, section: SourceSection, options: Any) -> list[str]:
    """Return what is wrong with checked options beside what they name; a sentence each."""
    found = kind_of(section.kind).mistakes(options, folder)
    if section.pace == "clock" and not section.clock:
        found = ["source.clock is empty: pace = 'clock' needs the plant clock's file", *found]
    return found


def sample_source(name: str) -> str:
    """Return commented TOML of [source] for a kind, with every option at its default.

    Raises
    ------
    VibroError
        If there is no such kind.
    """
    kind = kind_of(name)
    lines = sample_section("source", SourceSection)
    lines = [f'kind = "{name}"' if line.startswith("kind = ") else line for line in lines]
    lines = [
        f"block_s = {kind.block_s}" if line.startswith("block_s = ") else line for line in lines
    ]
    return "\n".join([*lines, "", *sample_section(f"source.{name}", kind.options), ""])
