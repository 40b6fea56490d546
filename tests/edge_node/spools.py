"""How the tests fill a spool and look into it."""

from __future__ import annotations

import sqlite3

from edge_node.spool import EnduringSpool, Entry, Spool

NO_BOUND = 2**62

AnySpool = Spool | EnduringSpool


def put(spool: AnySpool, *records: tuple, checkpoint: bytes | None = None, gap=None) -> None:
    """Append (kind, lane, value, t0_ns) records in one transaction."""
    entries = [
        Entry(kind, "a/m1", lane, lambda _, value=value: value, t0_ns)
        for kind, lane, value, t0_ns in records
    ]
    spool.put(entries, checkpoint, gap)


def waiting(spool: AnySpool) -> list[tuple]:
    """All records that wait, in the order in which they will be shipped."""
    return [(r.kind, r.lane, r.sequence, r.value) for r in spool.peek(NO_BOUND)]


def database(spool: Spool) -> sqlite3.Connection:
    """The connection below a spool, for faults that only SQLite can be made to have."""
    return spool._file.connection
