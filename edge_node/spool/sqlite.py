"""The spool: one SQLite file with records, their order and the node's checkpoint.

A transaction holds any number of appends and one checkpoint, fsynced together. Records leave only
when they were acknowledged, or when the spool's bound makes it give up the least important, oldest
ones; what was given up is counted by kind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibro.errors import VibroError
from vibro.log.journal import write_ahead

PRIORITY = {"events": 0, "clips": 1, "features": 2, "health": 3}
"""Shipped in this order; given up in the reverse order."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, lane TEXT NOT NULL,
  sequence INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, t0_ns INTEGER NOT NULL,
  priority INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS record_order ON record (lane DESC, priority, id);
CREATE INDEX IF NOT EXISTS record_least ON record (priority DESC, id);
CREATE INDEX IF NOT EXISTS record_age ON record (t0_ns);
CREATE TABLE IF NOT EXISTS held (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO held SELECT 1, COALESCE(SUM(LENGTH(value)), 0) FROM record;
CREATE TRIGGER IF NOT EXISTS record_added AFTER INSERT ON record
  BEGIN UPDATE held SET bytes = bytes + LENGTH(NEW.value); END;
CREATE TRIGGER IF NOT EXISTS record_gone AFTER DELETE ON record
  BEGIN UPDATE held SET bytes = bytes - LENGTH(OLD.value); END;
CREATE TABLE IF NOT EXISTS lane (kind TEXT, lane TEXT, sequence INTEGER NOT NULL,
  PRIMARY KEY (kind, lane)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS given_up (kind TEXT PRIMARY KEY, records INTEGER NOT NULL,
  bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identity (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL);
INSERT OR IGNORE INTO identity VALUES (1, LOWER(HEX(RANDOMBLOB(6))));
CREATE TABLE IF NOT EXISTS checkpoint (one INTEGER PRIMARY KEY CHECK (one = 1),
  content BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Spooled:
    """One record that waits to be shipped."""

    id: int
    kind: str
    lane: str
    sequence: int
    key: str
    value: bytes


class Transaction:
    """Appends and a checkpoint that become durable together."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._last: tuple[str, str, int] = ("", "", -1)

    def next_sequence(self, kind: str, lane: str) -> int:
        """Take the next sequence number of a (kind, lane); numbers start at 0 without gaps."""
        row = self._db.execute(
            "INSERT INTO lane VALUES (?, ?, 0) "
            "ON CONFLICT (kind, lane) DO UPDATE SET sequence = sequence + 1 RETURNING sequence",
            (kind, lane),
        ).fetchone()
        self._last = (kind, lane, int(row[0]))
        return int(row[0])

    def append(self, kind: str, key: str, lane: str, value: bytes, t0_ns: int) -> None:
        """Append a record under the sequence number taken last by `next_sequence`."""
        taken_kind, taken_lane, sequence = self._last
        if (kind, lane) != (taken_kind, taken_lane):
            raise ValueError("take the sequence number of this kind and lane first")
        self._db.execute(
            "INSERT INTO record (kind, lane, sequence, key, value, t0_ns, priority) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (kind, lane, sequence, key, value, t0_ns, PRIORITY.get(kind, len(PRIORITY))),
        )

    def checkpoint(self, content: bytes) -> None:
        """Replace the node's checkpoint."""
        self._db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?)", (content,))


class Spool:
    """Durable bounded spool of one node.

    Parameters
    ----------
    path : Path
        The SQLite file.
    max_bytes : int
        Bound on the bytes of the records held.
    max_age_ns : int
        Records older than this, in stream time, are given up.
    """

    def __init__(self, path: Path, max_bytes: int, max_age_ns: int) -> None:
        self._path, self._max_bytes, self._max_age_ns = path, max_bytes, max_age_ns
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._reporting():
            self._db = sqlite3.connect(
                path, timeout=30.0, isolation_level=None, check_same_thread=False
            )
            try:
                write_ahead(self._db, 30.0)
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(_SCHEMA)
            except sqlite3.Error:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Any failure of the disk or file is one clear error."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            torn = type(error) is sqlite3.DatabaseError
            remedy = "; move it away and the node begins a new one" if torn else ""
            raise VibroError(f"spool {self._path}: {error}{remedy}") from None

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._reporting():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All or nothing; on a full disk nothing has happened and VibroError says so."""
        with self._reporting():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._db)
                self._bound()
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _bound(self) -> None:
        """Give up what is too old, then the oldest of the least important, until the bounds hold.

        Every step of it is a look-up in an index: a commit costs the same however much waits.
        """
        self._give_up(
            self._ask(
                "SELECT id, kind, LENGTH(value) FROM record "
                "WHERE t0_ns < (SELECT MAX(t0_ns) FROM record) - ?",
                self._max_age_ns,
            )
        )
        victims, over = [], self.size_bytes() - self._max_bytes
        if over <= 0:
            return
        for row in self._db.execute(
            "SELECT id, kind, LENGTH(value) FROM record ORDER BY priority DESC, id"
        ):
            victims.append(row)
            over -= row[2]
            if over <= 0:
                break
        self._give_up(victims)

    def _give_up(self, victims: list[tuple[int, str, int]]) -> None:
        self._db.executemany(
            "INSERT INTO given_up VALUES (?, 1, ?) ON CONFLICT (kind) DO UPDATE SET "
            "records = records + 1, bytes = bytes + excluded.bytes",
            [(kind, size) for _, kind, size in victims],
        )
        self._db.executemany("DELETE FROM record WHERE id = ?", [(v[0],) for v in victims])

    @property
    def identity(self) -> str:
        """Name of this spool: its sequence numbers mean nothing beside those of another one."""
        return str(self._ask("SELECT name FROM identity")[0][0])

    def checkpoint(self) -> bytes | None:
        """Return the last checkpoint, or None before the first."""
        rows = self._ask("SELECT content FROM checkpoint")
        return bytes(rows[0][0]) if rows else None

    def peek(self, limit_bytes: int = 1_000_000) -> list[Spooled]:
        """Records to ship next: the live lane first, by priority, in order; at least one."""
        batch: list[Spooled] = []
        size = 0
        with self._reporting():
            for row in self._db.execute(
                "SELECT id, kind, lane, sequence, key, value FROM record "
                "ORDER BY lane DESC, priority, id"
            ):
                size += len(row[5])
                if batch and size > limit_bytes:
                    break
                batch.append(Spooled(*row))
        return batch

    def acknowledge(self, ids: Iterable[int]) -> None:
        """Forget records that the transport has made durable."""
        with self._acknowledging():
            self._db.executemany("DELETE FROM record WHERE id = ?", [(i,) for i in ids])

    @contextmanager
    def _acknowledging(self) -> Iterator[None]:
        # Not fsynced at once: a forgotten acknowledgement costs a repeat, which is a no-op.
        self._db.execute("PRAGMA synchronous=NORMAL")
        try:
            with self.transaction():
                yield
        finally:
            self._db.execute("PRAGMA synchronous=FULL")

    def size_bytes(self) -> int:
        """Bytes of the records that wait."""
        return int(self._ask("SELECT bytes FROM held")[0][0])

    def produced(self) -> dict[tuple[str, str], int]:
        """Records ever appended, by (kind, lane)."""
        return {
            (kind, lane): sequence + 1
            for kind, lane, sequence in self._ask("SELECT kind, lane, sequence FROM lane")
        }

    def given_up(self) -> dict[str, tuple[int, int]]:
        """Records and bytes given up, by kind."""
        return {k: (n, b) for k, n, b in self._ask("SELECT * FROM given_up")}
