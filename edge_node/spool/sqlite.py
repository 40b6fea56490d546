"""A spool in SQLite: records, their order and the node's checkpoint in one file (or in memory).

A transaction holds any number of appends and one checkpoint, fsynced together. Records leave only
when they were acknowledged, or when a bound makes the spool climb its ladder (`ladder`); what was
given up is counted and said in gap records (`losses`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import product
from pathlib import Path
from typing import Any

from edge_node.spool import losses
from edge_node.spool.database import Database
from edge_node.spool.entry import PRIORITY, DiskError, Entry, Spooled
from edge_node.spool.ladder import Ladder
from edge_node.spool.rows import append, carry, seed
from vibro.errors import VibroError
from vibro.records import BACKFILL, LIVE

DAY_NS = 86_400 * 10**9

GapMaker = Callable[[dict[str, Any], int], Entry]
"""Makes a gap record of its detail and its number among those of this spool."""


class Spool:
    """Durable bounded spool of one node.

    Parameters
    ----------
    path : Path or None
        The SQLite file; None for a spool in memory.
    max_bytes : int
        Bound on the bytes that records take on the disk.
    max_age_ns : int
        Records that have waited longer, in stream time, are given up.
    clip_lead_s : float
        Part of an event's clip before it was decided; never cut off.
    reserve_bytes : int
        Room that a new file takes at once and keeps.
    first_id : int
        Id of the first record of a new spool.
    largest_bytes : int
        What is larger is cut short before it is kept, or given up; 0 = no bound.
    """

    def __init__(
        self,
        path: Path | None,
        max_bytes: int,
        max_age_ns: int,
        *,
        clip_lead_s: float = 0.0,
        reserve_bytes: int = 0,
        first_id: int = 1,
        largest_bytes: int = 0,
    ) -> None:
        self.largest_bytes = largest_bytes
        self._path, self._max_bytes, self._max_age_ns = path, max_bytes, max_age_ns
        self._lead_s = clip_lead_s
        self._full = "memory full" if path is None else "spool full"
        self._acknowledged: set[int] = set()
        self._sent_bytes = 0
        self._file = Database(path, reserve_bytes, first_id)
        try:
            self.identity = str(self._file.ask("SELECT name FROM identity")[0][0])
        except VibroError:
            self.close()
            raise
        """Name of this spool: its numbers mean nothing beside those of another one."""

    def close(self) -> None:
        """Close the file."""
        self._file.connection.close()

    # -- in ------------------------------------------------------------------------------------

    def put(
        self,
        entries: Sequence[Entry],
        checkpoint: bytes | None = None,
        gap: GapMaker | None = None,
        carried: Spool | None = None,
    ) -> None:
        """Append records and replace the checkpoint: all or nothing.

        On a full disk fidelity is given up, but no event, to make room in the file itself.

        Parameters
        ----------
        gap : callable, optional
            Makes the gap record when one is due.
        carried : Spool, optional
            Whose content moves in too, before the entries.

        Raises
        ------
        DiskError
            If nothing could be written.
        """
        self._file.hold_size()
        try:
            self._put(entries, checkpoint, gap, carried, 0)
        except DiskError as error:
            if not error.no_room:
                raise
            self._file.settle()
            size = len(checkpoint or b"") + sum(len(e.seal(0)) for e in entries)
            size += carried.size_bytes() if carried else 0
            self._put(entries, checkpoint, gap, carried, 2 * size)

    def _put(
        self,
        entries: Sequence[Entry],
        checkpoint: bytes | None,
        gap: GapMaker | None,
        carried: Spool | None,
        relief: int,
    ) -> None:
        with self._file.transaction() as db:
            self._forget(db)
            age_ns = self._tick(db, entries)
            ladder = Ladder(db, age_ns, self._lead_s)
            if relief:
                most = max(0, self.size_bytes() - relief)
                ladder.relieve(most, "disk full", events=False)
            if carried is not None:
                carry(carried._file.connection, db)  # noqa: SLF001 (of the same class)
            for entry in entries:
                key = append(db, entry, age_ns)
                if self.largest_bytes:
                    ladder.fit(key, self.largest_bytes)
            if checkpoint is not None:
                db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?)", (checkpoint,))
            ladder.drop_older(self._max_age_ns)
            ladder.relieve(self._max_bytes, self._full)
            room = not ladder.gave_up and self.size_bytes() < losses.ROOM * self._max_bytes
            if gap is not None and losses.due(db, age_ns, room=room):
                append(db, gap(*losses.told(db)), age_ns)
        self._forgot()

    def _tick(self, db: sqlite3.Connection, entries: Sequence[Entry]) -> int:
        """Move the spool's clock on and return its age."""
        last_ns, age_ns = self._clock()
        if not entries:
            return age_ns
        now_ns = max(e.t0_ns for e in entries)
        age_ns += _step(last_ns, now_ns)
        db.execute("INSERT OR REPLACE INTO clock VALUES (1, ?, ?)", (now_ns, age_ns))
        return age_ns

    def _clock(self) -> tuple[int | None, int]:
        rows = self._file.ask("SELECT last_ns, age_ns FROM clock")
        return rows[0] if rows else (None, 0)

    def begin_after(self, numbers: dict[tuple[str, str], int], lost: Iterable[losses.Loss]) -> None:
        """Follow another spool: number on from its records of each (kind, lane), say its losses."""
        with self._file.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO lane VALUES (?, ?, ?)",
                [(kind, lane, n - 1) for (kind, lane), n in numbers.items() if n],
            )
            losses.add(db, lost, self._clock()[1])

    def stand_in_for(self, other: Spool) -> None:
        """Go on from the numbers, the clock and the day's budget of another spool."""
        with self._file.transaction() as db:
            seed(other._file.connection, db)

    # -- out -----------------------------------------------------------------------------------

    def peek(
        self,
        limit_bytes: int = 1_000_000,
        kinds: Iterable[str] = PRIORITY,
        lanes: Iterable[str] = (LIVE, BACKFILL),
    ) -> list[Spooled]:
        """Records to ship next: the live lane first, by priority, in order; at least one."""
        batch: list[Spooled] = []
        size = 0
        with self._file.reporting():
            for key, length in self._order(lanes, sorted(PRIORITY[k] for k in kinds)):
                size += length
                if batch and size > limit_bytes:
                    break
                batch.append(Spooled(*self._file.ask(_SPOOLED, key)[0]))
        return batch

    def _order(self, lanes: Iterable[str], priorities: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Yield id and length of what is not acknowledged, in order."""
        query = "SELECT id, bytes FROM record WHERE lane = ? AND priority = ? ORDER BY id"
        for pair in product(lanes, priorities):
            with closing(self._file.connection.execute(query, pair)) as rows:
                yield from (row for row in rows if row[0] not in self._acknowledged)

    def hold(self, ids: Iterable[int]) -> None:
        """Let records be what is being shipped: until they are acknowledged none is reduced."""
        keys = [(i,) for i in ids]
        with self._file.reporting():
            self._file.connection.executemany("INSERT OR IGNORE INTO flying VALUES (?)", keys)

    def refuse(self, key: int) -> None:
        """Give up a record that the transport will never take, and say so in a gap record."""
        with self._file.transaction() as db:
            db.execute("DELETE FROM flying WHERE id = ?", (key,))
            Ladder(db, self._clock()[1], self._lead_s).refuse(key)

    def acknowledge(self, ids: Iterable[int], sent_bytes: int = 0) -> None:
        """Forget records that the transport has made durable; they are never peeked at again.

        Where the disk does not let them go they are remembered until it does.

        Parameters
        ----------
        sent_bytes : int
            What they took on the link, for the day's budget.
        """
        self._acknowledged.update(ids)
        self._sent_bytes += sent_bytes
        with suppress(DiskError):
            # Not fsynced at once: an acknowledgement that a power cut takes costs a repeat, which
            # is a no-op.
            with self._file.transaction(durable=False) as db:
                self._forget(db)
            self._forgot()

    def _forget(self, db: sqlite3.Connection) -> None:
        if not self._acknowledged:
            return
        keys = [(i,) for i in self._acknowledged]
        db.executemany("DELETE FROM record WHERE id = ?", keys)
        db.executemany("DELETE FROM flying WHERE id = ?", keys)
        day = self._day()
        db.execute("DELETE FROM spent WHERE day < ?", (day,))
        db.execute(
            "INSERT INTO spent VALUES (?, ?) "
            "ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes",
            (day, self._sent_bytes),
        )

    def _forgot(self) -> None:
        self._acknowledged.clear()
        self._sent_bytes = 0

    def _day(self) -> int:
        return (self._clock()[0] or 0) // DAY_NS

    # -- facts ---------------------------------------------------------------------------------

    def spent_bytes(self) -> int:
        """What was shipped on this UTC day of the stream."""
        rows = self._file.ask("SELECT bytes FROM spent WHERE day = ?", self._day())
        return self._sent_bytes + (int(rows[0][0]) if rows else 0)

    def waited_ns(self, kind: str, now_ns: int) -> int:
        """How long the oldest record of a kind has waited in the live lane; 0 without one."""
        oldest = next(self._order((LIVE,), (PRIORITY[kind],)), None)
        if oldest is None:
            return 0
        last_ns, age_ns = self._clock()
        ((stamp_ns,),) = self._file.ask("SELECT stamp_ns FROM record WHERE id = ?", oldest[0])
        return int(age_ns + _step(last_ns, now_ns) - stamp_ns)

    def checkpoint(self) -> bytes | None:
        """Return the last checkpoint, or None before the first."""
        rows = self._file.ask("SELECT content FROM checkpoint")
        return bytes(rows[0][0]) if rows else None

    def size_bytes(self) -> int:
        """Bytes that the waiting records take on the disk."""
        return int(self._file.ask("SELECT bytes FROM held")[0][0])

    def produced(self) -> dict[tuple[str, str], int]:
        """Records ever appended, by (kind, lane)."""
        return {(k, lane): n + 1 for k, lane, n in self._file.ask("SELECT * FROM lane")}

    def given_up(self) -> dict[str, tuple[int, int]]:
        """Records and bytes given up, by kind."""
        return {k: (n, b) for k, n, b in self._file.ask("SELECT * FROM given_up")}

    def open_losses(self) -> list[losses.Loss]:
        """What was given up, or made smaller, and is in no gap record yet."""
        with self._file.reporting():
            return losses.open_losses(self._file.connection)


_SPOOLED = (
    "SELECT record.id, kind, lane, sequence, key, value, name "
    "FROM record JOIN body USING (id), identity WHERE record.id = ?"
)


def _step(last_ns: int | None, now_ns: int) -> int:
    return 0 if last_ns is None else min(max(0, now_ns - last_ns), DAY_NS)
