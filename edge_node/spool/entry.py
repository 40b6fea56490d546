"""What goes into a spool, what comes out, and how a spool fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vibro.errors import VibroError

PRIORITY = {"events": 0, "clips": 1, "features": 2, "health": 3}
"""Shipped in this order within a lane."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to be appended.

    Attributes
    ----------
    seal : callable
        Takes the sequence number and returns the value that carries it.
    t0_ns : int
        Stream time of the append.
    items : int
        Rows of a feature block, which gap records count; else 0.
    gap : bool
        Whether it is a gap record: the last to be given up.
    """

    kind: str
    key: str
    lane: str
    seal: Callable[[int], bytes]
    t0_ns: int
    items: int = 0
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Spooled:
    """One record that waits to be shipped; ``spool`` is the identity that numbered it."""

    id: int
    kind: str
    lane: str
    sequence: int
    key: str
    value: bytes
    spool: str


class DiskError(VibroError):
    """The disk is full, read-only or fails: nothing was written, all that was is still there.

    Attributes
    ----------
    no_room : bool
        Whether freeing room may help.
    """

    def __init__(self, message: str, *, no_room: bool) -> None:
        super().__init__(message)
        self.no_room = no_room


class TornError(VibroError):
    """The file is no spool (any more)."""


_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_NO_DISK = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})
_TORN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def failure(path: Path | None, error: sqlite3.DatabaseError) -> VibroError:
    """Say what an error of SQLite means for a spool."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    said = f"spool {path or 'in memory'}: {error}"
    if code in _NO_ROOM | _NO_DISK:
        return DiskError(said, no_room=code in _NO_ROOM)
    if code in _TORN:
        return TornError(f"{said}; move it away and the node begins a new one")
    return VibroError(said)
