"""Entries of a configuration file set, everything else of its text left as a person wrote it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vibro.errors import BadInputError
from vibro.log.kafka.certificates import write_whole

_HEADER = re.compile(r"\s*\[")


def set_entries(file: Path, section: str, entries: Mapping[str, str]) -> bool:
    """Set texts of a section in a TOML file; return whether anything was to be changed.

    Parameters
    ----------
    file : Path
    section : str
        Name of a table; added at the end where it is not there.
    entries : mapping of str to str
        Texts without quotes or backslashes.

    Raises
    ------
    BadInputError
        If the file cannot be read or written, or is written in a way that cannot be edited line by
        line; then it stays as it is, and the message says which lines to write.
    """
    try:
        text = file.read_text(encoding="utf-8")
        before = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{file}: cannot be read ({error})") from None
    wanted = before | {section: _table(before, section) | dict(entries)}
    if wanted == before:
        return False
    edited = _edited(text, section, entries)
    if not _says(edited, wanted):
        lines = "; ".join(f'{key} = "{value}"' for key, value in entries.items())
        raise BadInputError(f"{file}: write into [{section}] yourself: {lines}")
    # A link stays a link; the file that it names is the one to replace.
    target = file.resolve()
    write_whole(target, edited.encode(), target.stat().st_mode & 0o777)
    return True


def _table(parsed: Mapping[str, Any], section: str) -> dict[str, Any]:
    found = parsed.get(section, {})
    return dict(found) if isinstance(found, dict) else {}


def _edited(text: str, section: str, entries: Mapping[str, str]) -> str:
    lines = text.split("\n")
    head = re.compile(rf"\s*\[\s*{re.escape(section)}\s*\]\s*(#.*)?$")
    start = next((i for i, line in enumerate(lines) if head.match(line)), None)
    if start is None:
        lines = [*text.rstrip("\n").split("\n"), "", f"[{section}]", ""]
        start = len(lines) - 2
    end = next((i for i in range(start + 1, len(lines)) if _HEADER.match(lines[i])), len(lines))
    for key, value in entries.items():
        entry = f'{key} = "{value}"'
        mine = re.compile(rf"\s*{re.escape(key)}\s*=")
        at = next((i for i in range(start + 1, end) if mine.match(lines[i])), None)
        if at is None:
            start, end = start + 1, end + 1
            lines.insert(start, entry)
        else:
            lines[at] = entry
    return "\n".join(lines)


def _says(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except ValueError:
        return False
