"""How far everything is taken: the store's own account, moved in the transaction of what it counts.

An offset is moved from where its mover last saw it. Who finds it elsewhere has been overtaken: a
process that slept while another one took its places over writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Executable, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from cloud_jobs.store.books import OffsetRow, ReplayRow, SequenceRow
from cloud_jobs.store.database import upsert
from vibro.errors import VibroError
from vibro.log import Place

CHUNK = 500
"""Keys of one query."""

Sender = tuple[str, str, str, int, int]
"""(node, kind, lane, stream epoch, partition): within it sequences only rise."""


class OvertakenError(VibroError):
    """Another consumer has moved an offset: this one reads again from where the store stands."""


class Taken(NamedTuple):
    """First and last sequence taken from a sender, and how many between them never came."""

    first: int
    last: int
    missing: int


def offsets(session: Session, places: Iterable[Place] | None = None) -> dict[Place, int]:
    """Return the offset up to which everything of each place is kept, of all or of some."""
    if places is None:
        rows = list(session.scalars(select(OffsetRow)))
    else:
        wanted = set(places)
        rows = [
            row
            for topics in chunks(sorted({topic for topic, _ in wanted}))
            for row in session.scalars(select(OffsetRow).where(OffsetRow.topic.in_(topics)))
            if (row.topic, row.partition) in wanted
        ]
    return {(row.topic, row.partition): row.offset for row in rows}


def move_offsets(session: Session, moves: Mapping[Place, tuple[int, int]]) -> None:
    """Move offsets from what they were to what they are, 0 = none yet; first in a transaction.

    Raises
    ------
    OvertakenError
        If one of them is not what it was.
    """
    rows = [
        {"of_topic": topic, "of_partition": partition, "was": old, "is": new}
        for (topic, partition), (old, new) in sorted(moves.items())
    ]
    connection = session.connection()
    move, begin = _statements(connection.dialect.name)
    # Else PostgreSQL's driver does not tell how many rows an insert met.
    counted = {"preserve_rowcount": True}
    moved = sum(
        connection.execute(move if r["was"] else begin, r, execution_options=counted).rowcount
        for r in rows
    )
    if moved != len(moves):
        raise OvertakenError("another consumer has taken over some of this one's partitions")


@cache
def _statements(dialect: str) -> tuple[Executable, Executable]:
    """How an offset is moved on, and how it is moved from 0 or nothing."""
    table = cast("Table", OffsetRow.__table__)
    move = update(table).where(
        table.c.topic == bindparam("of_topic"),
        table.c.partition == bindparam("of_partition"),
        table.c.offset == bindparam("was"),
    )
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    begin = insert.values(
        topic=bindparam("of_topic"), partition=bindparam("of_partition"), offset=bindparam("is")
    )
    return move.values(offset=bindparam("is")), begin.on_conflict_do_update(
        index_elements=["topic", "partition"],
        set_={"offset": insert.excluded.offset},
        where=table.c.offset == bindparam("was"),
    )


def sequences(session: Session, senders: Iterable[Sender] | None = None) -> dict[Sender, Taken]:
    """Return what has been taken from senders, of all or of some."""
    query = select(SequenceRow)
    if senders is None:
        return {_sender(row): _taken(row) for row in session.scalars(query)}
    wanted = set(senders)
    found: dict[Sender, Taken] = {}
    epochs = sorted({epoch for _, _, _, epoch, _ in wanted})
    for nodes in chunks(sorted({node for node, *_ in wanted})):
        for some in chunks(epochs):
            part = query.where(SequenceRow.node.in_(nodes), SequenceRow.stream_epoch.in_(some))
            found |= {_sender(row): _taken(row) for row in session.scalars(part)}
    return {sender: held for sender, held in found.items() if sender in wanted}


def _sender(row: SequenceRow) -> Sender:
    return row.node, row.kind, row.lane, row.stream_epoch, row.partition


def _taken(row: SequenceRow) -> Taken:
    return Taken(row.first, row.last, row.missing)


def keep_sequences(session: Session, taken: Mapping[Sender, Taken]) -> None:
    """Keep what has been taken from some senders."""
    names = ("node", "kind", "lane", "stream_epoch", "partition", *Taken._fields)
    rows = [dict(zip(names, (*sender, *held), strict=True)) for sender, held in taken.items()]
    upsert(session, SequenceRow, rows)


def replays(session: Session, letters: Iterable[str] | None = None) -> dict[str, ReplayRow]:
    """Return what was registered to be sent back, of all letters or of some, by their names."""
    query = select(ReplayRow)
    if letters is None:
        return {row.letter: row for row in session.scalars(query)}
    return {
        row.letter: row
        for some in chunks(sorted(letters))
        for row in session.scalars(query.where(ReplayRow.letter.in_(some)))
    }


def keep_replays(session: Session, letters: Iterable[str]) -> None:
    """Take note that letters were let in: once and for all."""
    for some in chunks(sorted(letters)):
        session.execute(update(ReplayRow).where(ReplayRow.letter.in_(some)).values(taken=True))


def chunks(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Split keys into as many as fit into one query."""
    for i in range(0, len(keys), CHUNK):
        yield keys[i : i + CHUNK]
