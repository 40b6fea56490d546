"""Passwords stand in files of their own, which a configuration names and never holds."""

from __future__ import annotations

from pathlib import Path

from vibro.errors import BadInputError


def read_password(folder: Path, name: str, key: str) -> str | None:
    """Return the first line of a file; None if none is named.

    Parameters
    ----------
    folder : Path
        What the name is relative to.
    name : str
        Path of the file; empty = none.
    key : str
        Key of the configuration, for errors.

    Raises
    ------
    BadInputError
        If the file cannot be read. What is in it is never told.
    """
    if not name:
        return None
    path = folder / name
    try:
        return path.read_text(encoding="utf-8").split("\n")[0].strip()
    except (OSError, UnicodeDecodeError):
        raise BadInputError(f"{key} = '{path}' cannot be read: make it the node's user's") from None
