"""How a spool makes room: fidelity goes first, events go last.

The steps, each oldest first and each only while there is still no room:

1. heartbeats are given up, all but the newest (their counts are cumulative);
2. feature blocks are thinned: half of the rows, and again half (`reduce.thin`);
3. clips are shortened: the part around the decision stays (`reduce.shorten`);
4. clips are given up: all features of a day weigh less than one clip;
5. features are given up;
6. events are given up.

Gap records are never given up; their number is bounded (`losses`). A commit reduces at most
`AT_ONCE` records in steps 2 and 3, so that it stays short, and climbs on where that is not enough.
What is being shipped (table ``flying``) is left alone: nobody knows whether it has arrived.
"""

# ruff: noqa: S608 (nothing but our own names of columns is put into a query)

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from edge_node.spool import losses
from edge_node.spool.entry import PRIORITY
from edge_node.spool.losses import Loss
from edge_node.spool.reduce import samples, shorten, thin

DEEPEST = 2
"""A record is reduced so often at most."""
DONE = DEEPEST + 1
"""Level of what cannot be reduced."""
AT_ONCE = 16
TOO_LARGE = "too large for a message"

_VICTIM = "id, kind, lane, sequence, t0_ns, items, bytes"
_GROUNDED = "id NOT IN (SELECT id FROM flying)"
_OLDEST = " UNION ALL ".join(
    f"SELECT MIN(id) AS id FROM record WHERE rank = ?1 AND level = {level} AND {_GROUNDED}"
    for level in range(DONE + 1)
)


class Ladder:
    """Makes room in one transaction of a spool.

    Parameters
    ----------
    db : sqlite3.Connection
        Within a transaction.
    age_ns : int
        Of the spool's clock.
    clip_lead_s : float
        Part of an event's clip before it was decided.

    Attributes
    ----------
    gave_up : bool
        Whether anything had to be given up or reduced.
    """

    def __init__(self, db: sqlite3.Connection, age_ns: int, clip_lead_s: float) -> None:
        self._db, self._age_ns, self._lead_s = db, age_ns, clip_lead_s
        self.gave_up = False

    def drop_older(self, max_age_ns: int) -> None:
        """Give up whatever has waited longer."""
        rows = self._db.execute(
            f"SELECT {_VICTIM} FROM record WHERE stamp_ns < ? AND rank >= 0 AND {_GROUNDED}",
            (self._age_ns - max_age_ns,),
        ).fetchall()
        for row in rows:
            self._give_up(row, "too old")

    def relieve(self, most_bytes: int, reason: str, *, events: bool = True) -> None:
        """Climb the ladder until no more than ``most_bytes`` are held.

        Parameters
        ----------
        events : bool
            Whether events may be given up.
        """
        steps: tuple[Callable[[], Iterator[None]], ...] = (
            lambda: self._drop("health", reason, but_newest=True),
            lambda: self._reduce("features", reason, "thinned", thin),
            lambda: self._reduce("clips", reason, "shortened", self._shorten),
            lambda: self._drop("clips", reason),
            lambda: self._drop("features", reason),
            lambda: self._drop("events", reason),
        )
        for step in steps if events else steps[:-1]:
            if self._held() <= most_bytes:
                return
            for _ in step():
                if self._held() <= most_bytes:
                    return

    def _held(self) -> int:
        return int(self._db.execute("SELECT bytes FROM held").fetchone()[0])

    def _shorten(self, value: bytes) -> tuple[bytes, int] | None:
        return shorten(value, self._lead_s)

    def _drop(self, kind: str, reason: str, *, but_newest: bool = False) -> Iterator[None]:
        """Give up the oldest record of a kind, once an iteration."""
        rank, newest = PRIORITY[kind], None
        if but_newest:
            (newest,) = self._db.execute(
                f"SELECT MAX(id) FROM ({_OLDEST.replace('MIN', 'MAX')})", (rank,)
            ).fetchone()
        while True:
            row = self._db.execute(
                f"SELECT {_VICTIM} FROM record WHERE id = (SELECT MIN(id) FROM ({_OLDEST}))",
                (rank,),
            ).fetchone()
            if row is None or row[0] == newest:
                return
            self._give_up(row, reason)
            yield

    def _give_up(self, row: tuple[Any, ...], reason: str) -> None:
        key, kind, lane, sequence, t0_ns, items, size = row
        if kind == "clips":
            items = samples(self._value(key))
        self._db.execute("DELETE FROM record WHERE id = ?", (key,))
        self._db.execute(
            "INSERT INTO given_up VALUES (?, 1, ?) ON CONFLICT (kind) DO UPDATE SET "
            "records = records + 1, bytes = bytes + excluded.bytes",
            (kind, size),
        )
        self._lose("given up", reason, (kind, lane, 1, items, size), sequence, t0_ns)

    def _value(self, key: int) -> bytes:
        (value,) = self._db.execute("SELECT value FROM body WHERE id = ?", (key,)).fetchone()
        return bytes(value)

    def _reduce(
        self,
        kind: str,
        reason: str,
        step: str,
        reduce: Callable[[bytes], tuple[bytes, int] | None],
    ) -> Iterator[None]:
        """Reduce the oldest of the least reduced records of a kind, once an iteration."""
        for _ in range(AT_ONCE):
            row = self._db.execute(
                f"SELECT {_VICTIM}, level FROM record WHERE rank = ? AND level < ? "
                f"AND {_GROUNDED} ORDER BY level, id LIMIT 1",
                (PRIORITY[kind], DEEPEST),
            ).fetchone()
            if row is None:
                return
            reduced = reduce(self._value(row[0]))
            if reduced is None:
                self._db.execute("UPDATE record SET level = ? WHERE id = ?", (DONE, row[0]))
                continue
            self._replace(row, *reduced, step, reason)
            yield

    def _replace(self, row: tuple[Any, ...], value: bytes, gone: int, step: str, why: str) -> None:
        """Put less in the place of a record's value."""
        key, kind, lane, sequence, t0_ns, _, size, level = row
        # First away with the old one: on a full disk that is the only room there is.
        self._db.execute("DELETE FROM body WHERE id = ?", (key,))
        self._db.execute("INSERT INTO body VALUES (?, ?)", (key, value))
        self._db.execute(
            "UPDATE record SET bytes = ?, level = ?, items = MAX(0, items - ?) WHERE id = ?",
            (len(value), level + 1, gone, key),
        )
        self._lose(step, why, (kind, lane, 1, gone, size - len(value)), sequence, t0_ns)

    def fit(self, key: int, most_bytes: int) -> None:
        """Cut a record short that is larger than one message may be; give up what stays so."""
        ways = {"features": ("thinned", thin), "clips": ("shortened", self._shorten)}
        while row := self._db.execute(
            f"SELECT {_VICTIM}, level FROM record WHERE id = ? AND bytes > ?", (key, most_bytes)
        ).fetchone():
            step, reduce = ways.get(row[1], ("", _cannot))
            reduced = reduce(self._value(key))
            if reduced is None:
                self._give_up(row[:-1], TOO_LARGE)
                return
            self._replace(row, *reduced, step, TOO_LARGE)

    def refuse(self, key: int) -> None:
        """Give up a record that the transport will never take, whatever its kind."""
        row = self._db.execute(f"SELECT {_VICTIM} FROM record WHERE id = ?", (key,)).fetchone()
        if row is not None:
            self._give_up(row, TOO_LARGE)

    def _lose(
        self, step: str, reason: str, took: tuple[str, str, int, int, int], number: int, t_ns: int
    ) -> None:
        self.gave_up = True
        loss = Loss(step, reason, *took, number, number, t_ns, t_ns)
        losses.add(self._db, [loss], self._age_ns)


def _cannot(value: bytes) -> None:
    """Nothing can be taken from events and heartbeats."""
