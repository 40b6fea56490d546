"""Records into a spool's tables: new ones, and what another spool holds.

A spool in memory that stood in for a file numbered on from it, so numbers never meet.
"""

# ruff: noqa: S608 (nothing but our own names of columns is put into a query)

from __future__ import annotations

import sqlite3

from edge_node.spool import losses
from edge_node.spool.entry import PRIORITY, Entry

_RECORD = "kind, lane, sequence, key, bytes, t0_ns, stamp_ns, priority, rank, items, level"
"""All columns but the id."""


def append(db: sqlite3.Connection, entry: Entry, age_ns: int) -> int:
    """Append a record under the next number of its kind and lane, from 0 on; return its id."""
    (sequence,) = db.execute(
        "INSERT INTO lane VALUES (?, ?, 0) "
        "ON CONFLICT (kind, lane) DO UPDATE SET sequence = sequence + 1 RETURNING sequence",
        (entry.kind, entry.lane),
    ).fetchone()
    priority, value = PRIORITY[entry.kind], entry.seal(sequence)
    added = db.execute(
        "INSERT INTO record (kind, lane, sequence, key, bytes, t0_ns, stamp_ns, priority, "
        "rank, items) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.kind,
            entry.lane,
            sequence,
            entry.key,
            len(value),
            entry.t0_ns,
            age_ns,
            priority,
            -1 if entry.gap else priority,
            entry.items,
        ),
    )
    db.execute("INSERT INTO body VALUES (?, ?)", (added.lastrowid, value))
    return int(added.lastrowid or 0)


def carry(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Add records, numbers, accounts and clock of ``source`` to those of ``target``.

    All within a transaction of ``target``.
    """
    insert = f"INSERT INTO record ({_RECORD}) VALUES ({', '.join('?' * 11)})"
    rows = f"SELECT {_RECORD}, value FROM record JOIN body USING (id) ORDER BY record.id"
    for *row, value in source.execute(rows):
        key = target.execute(insert, row).lastrowid
        target.execute("INSERT INTO body VALUES (?, ?)", (key, value))
    target.executemany(
        "INSERT INTO given_up VALUES (?, ?, ?) ON CONFLICT (kind) DO UPDATE SET "
        "records = records + excluded.records, bytes = bytes + excluded.bytes",
        source.execute("SELECT kind, records, bytes FROM given_up"),
    )
    seed(source, target)
    age = target.execute("SELECT age_ns FROM clock").fetchone()
    losses.add(target, losses.open_losses(source), age[0] if age else 0)


def seed(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Go on from the numbers, the clock and the day's budget of ``source``."""
    for insert, query in (
        (
            "INSERT INTO lane VALUES (?, ?, ?) ON CONFLICT (kind, lane) DO UPDATE SET "
            "sequence = MAX(sequence, excluded.sequence)",
            "SELECT kind, lane, sequence FROM lane",
        ),
        (
            "INSERT INTO spent VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET "
            "bytes = MAX(bytes, excluded.bytes)",
            "SELECT day, bytes FROM spent",
        ),
        ("INSERT OR REPLACE INTO clock VALUES (?, ?, ?)", "SELECT one, last_ns, age_ns FROM clock"),
    ):
        target.executemany(insert, source.execute(query).fetchall())
