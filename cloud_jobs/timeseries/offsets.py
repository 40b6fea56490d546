"""How far a sink beside lake and store has come in each place of the log: kept in the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from cloud_jobs.store import Store
from cloud_jobs.store.books import TapOffsetRow
from vibro.log import Place


class TapOffsets:
    """Offsets of one sink; several processes may keep them, and none ever takes one back.

    Parameters
    ----------
    store : Store
    tap : str
        Name of the sink.
    """

    def __init__(self, store: Store, tap: str) -> None:
        self._store, self._tap = store, tap

    def load(self, places: Iterable[Place]) -> dict[Place, int]:
        """Offset up to which the sink has each place; 0 of one that it has nothing of."""
        query = select(TapOffsetRow).where(TapOffsetRow.tap == self._tap)
        with self._store.transaction() as session:
            held = {(r.topic, r.partition): r.offset for r in session.scalars(query)}
        return {place: held.get(place, 0) for place in places}

    def save(self, reached: Mapping[Place, int]) -> None:
        """Keep how far the sink has come, where that is farther than what is kept."""
        rows = [
            {"tap": self._tap, "topic": topic, "partition": partition, "offset": offset}
            for (topic, partition), offset in reached.items()
        ]
        table = TapOffsetRow.__table__
        assert isinstance(table, Table)  # noqa: S101 (for the type checker)
        with self._store.transaction() as session:
            dialect = session.get_bind().dialect.name
            insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
            farther = insert.on_conflict_do_update(
                index_elements=["tap", "topic", "partition"],
                set_={"offset": insert.excluded.offset},
                where=insert.excluded.offset > table.c.offset,
            )
            session.execute(farther, rows)

    def forget(self, places: Iterable[Place]) -> None:
        """Begin with some places anew."""
        with self._store.transaction() as session:
            for topic, partition in places:
                session.execute(
                    delete(TapOffsetRow).where(
                        TapOffsetRow.tap == self._tap,
                        TapOffsetRow.topic == topic,
                        TapOffsetRow.partition == partition,
                    )
                )
