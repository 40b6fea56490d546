"""Every implementation of the spool, how the tests fill one, and how they look into it."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_node.spool import EnduringSpool, Entry, Spool

NO_BOUND = 2**62
Spools = Spool | EnduringSpool


def standing_in(folder: Path, *bounds: int) -> EnduringSpool:
    """An enduring spool whose disk never lets it write: where its file belongs is a folder."""
    (folder / "spool.db").mkdir(parents=True, exist_ok=True)
    return EnduringSpool(folder / "spool.db", *bounds)


MAKERS = {
    "file": lambda folder, *bounds: Spool(folder / "spool.db", *bounds),
    "memory": lambda _, *bounds: Spool(None, *bounds),
    "enduring": lambda folder, *bounds: EnduringSpool(folder / "spool.db", *bounds),
    "standing in": standing_in,
}
"""By name: takes a folder and the bounds in bytes and age."""


def put(spool: Spools, *records: tuple, checkpoint: bytes | None = None, gap=None) -> None:
    """Append (kind, lane, value, t0_ns) records in one transaction."""
    entries = [
        Entry(kind, "a/m1", lane, lambda _, value=value: value, t0_ns)
        for kind, lane, value, t0_ns in records
    ]
    spool.put(entries, checkpoint, gap)


def waiting(spool: Spools) -> list[tuple]:
    """All records that wait, in the order in which they are shipped."""
    return [(r.kind, r.lane, r.sequence, r.value) for r in spool.peek(NO_BOUND)]


def database(spool: Spool) -> sqlite3.Connection:
    """The connection below a spool, for faults that only SQLite can be made to have."""
    return spool._file.connection


@contextmanager
def no_file_grows(most_bytes: int) -> Iterator[None]:
    """No file of this process is written beyond so many bytes: a full disk, and at 0 a dead one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
