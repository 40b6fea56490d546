"""Moves what one spool holds into another one, within the other's transaction.

A spool in memory that stood in for a file numbered on from it, so numbers never meet.
"""

# ruff: noqa: S608 (nothing but our own names of columns is put into a query)

from __future__ import annotations

import sqlite3

from edge_node.spool import losses

_RECORD = "kind, lane, sequence, key, value, t0_ns, stamp_ns, priority, rank, items, level"
"""All columns but the id."""


def carry(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Add records, numbers, accounts and clock of ``source`` to those of ``target``."""
    target.executemany(
        f"INSERT INTO record ({_RECORD}) VALUES ({', '.join('?' * 11)})",
        source.execute(f"SELECT {_RECORD} FROM record ORDER BY id"),
    )
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
