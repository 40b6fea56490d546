"""What a spool gave up and has not yet said: one line a step, reason, kind and lane.

However much is given up, it is a handful of lines until a gap record has taken them: that is what
bounds the accounts. A gap record is made as soon as there is room again, and else after an hour of
stream time; while `MOST_GAPS` of them wait to be shipped the lines go on counting instead.
"""

# ruff: noqa: S608 (nothing but our own names of columns is put into a query)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

SAY_NS = 3600 * 10**9
MOST_GAPS = 100
ROOM = 0.9
"""A spool that is this full, or fuller, has no room."""

UNKNOWN = -1
"""Of records in a file that can no longer be read."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a step took from records of a kind and lane.

    Attributes
    ----------
    step : str
        ``given up``, ``thinned``, ``shortened``, or ``torn``.
    reason : str
        ``too old``, ``spool full``, ``disk full``, ``memory full`` or the disk's own words.
    records, items, bytes : int
        Records touched; rows or samples, and bytes, that are gone. `UNKNOWN` = not to be read.
    first, last : int
        Range of the sequence numbers.
    from_ns, to_ns : int
        Stream times of their appends.
    """

    step: str
    reason: str
    kind: str
    lane: str
    records: int
    items: int
    bytes: int
    first: int
    last: int
    from_ns: int
    to_ns: int


_NAMES = tuple(Loss.__dataclass_fields__)
_ADD = (
    f"INSERT INTO loss ({', '.join(_NAMES)}, since_ns) VALUES ({', '.join('?' * 12)}) "
    "ON CONFLICT (step, reason, kind, lane) DO UPDATE SET "
    "records = records + excluded.records, items = items + excluded.items, "
    "bytes = bytes + excluded.bytes, first = MIN(first, excluded.first), "
    "last = MAX(last, excluded.last), from_ns = MIN(from_ns, excluded.from_ns), "
    "to_ns = MAX(to_ns, excluded.to_ns), since_ns = MIN(since_ns, excluded.since_ns)"
)


def add(db: sqlite3.Connection, losses: Iterable[Loss], age_ns: int) -> None:
    """Count losses, at the age of the spool's clock."""
    db.executemany(_ADD, [(*(getattr(loss, n) for n in _NAMES), age_ns) for loss in losses])


def open_losses(db: sqlite3.Connection) -> list[Loss]:
    """Return what was lost and is in no gap record."""
    rows = db.execute(f"SELECT {', '.join(_NAMES)} FROM loss ORDER BY step, reason, kind, lane")
    return [Loss(*row) for row in rows]


def due(db: sqlite3.Connection, age_ns: int, *, room: bool) -> bool:
    """Whether a gap record is to be made now."""
    (since_ns,) = db.execute("SELECT MIN(since_ns) FROM loss").fetchone()
    if since_ns is None or not (room or age_ns - since_ns >= SAY_NS):
        return False
    (waiting,) = db.execute(
        "SELECT COUNT(*) FROM (SELECT 1 FROM record WHERE rank = -1 LIMIT ?)", (MOST_GAPS,)
    ).fetchone()
    return bool(waiting < MOST_GAPS)


def told(db: sqlite3.Connection) -> tuple[dict[str, Any], int]:
    """Hand over all losses as the detail of a gap record, with the record's number."""
    number, spool = db.execute(
        "UPDATE identity SET gaps = gaps + 1 RETURNING gaps, name"
    ).fetchone()
    losses = [asdict(loss) for loss in open_losses(db)]
    db.execute("DELETE FROM loss")
    return {"reason": "spool", "spool": spool, "losses": losses}, int(number)
