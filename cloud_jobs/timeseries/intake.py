"""From what the consumer handed over, from the log, or from the store, to lines to be written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cloud_jobs.admission import admit
from cloud_jobs.store import Store
from cloud_jobs.timeseries.fleet import Fleet, Points
from cloud_jobs.timeseries.lines import batches
from cloud_jobs.timeseries.points import HOUR_NS, hours_of, lines_of
from cloud_jobs.timeseries.progress import Taken
from vibro.errors import BadInputError
from vibro.log import Place, Transport
from vibro.records import Event, Record

READ_MESSAGES = 200
"""Messages of the log that are read at once."""


@dataclass(slots=True)
class Batch:
    """What is to be written.

    Attributes
    ----------
    pieces : deque of bytes
        Lines, in runs of one write each.
    hours : set of (str, int)
        Site and start of the hours that they lie in.
    reached : dict of Place to int
        How far this brings places.
    fills : bool
        Whether it was read from the log to fill a gap.
    news : Points
        Those of them that are the store's.
    """

    pieces: deque[bytes]
    hours: set[tuple[str, int]]
    reached: dict[Place, int] = field(default_factory=dict)
    fills: bool = False
    news: Points = field(default_factory=dict)
    news_ns: int = 0


class Intake:
    """Makes batches.

    Parameters
    ----------
    log : Transport
    store : Store
    batch_points : int
        Points of one write.
    refuse : callable
        Is told of a number of records or messages that can never become points, and why.
    """

    def __init__(
        self, log: Transport, store: Store, batch_points: int, refuse: Callable[[int, str], None]
    ) -> None:
        self._log, self._store, self._most, self._refuse = log, store, batch_points, refuse
        self._fleet = Fleet(store)

    def of_queue(self, taken: Taken) -> Batch:
        """Return what was handed over, but for revisions of events that are out of date."""
        records = [r for r in taken.records if not self._superseded(r)]
        try:
            lines = lines_of(records)
        except Exception:
            lines = b"".join(self._one_by_one(records))
        return Batch(deque(batches(lines, self._most)), hours_of(records), dict(taken.reached))

    def _superseded(self, record: Record) -> bool:
        """Whether the store knows a later revision of an event: a backfilled one may come last."""
        if not isinstance(record, Event):
            return False
        row = self._store.event(record.id.thing)
        return row is not None and row.revision > record.id.revision

    def _one_by_one(self, records: Sequence[Record]) -> Iterator[bytes]:
        for record in records:
            try:
                yield lines_of([record])
            except Exception as error:
                self._refuse(1, f"a record cannot become points: {error!r}")

    def of_log(self, place: Place, after: int, upto: int) -> Batch | None:
        """Return what the log holds of a place behind an offset, up to another one at most.

        None if it tells nothing: whether it is slow or has nothing left cannot be told apart.
        What it no longer holds is passed over only when it shows what comes after.

        Raises
        ------
        VibroError
            If the log cannot be read now.
        """
        topic, partition = place
        found = self._log.read(topic, after, READ_MESSAGES, partition)
        if not found:
            return None
        ours = [m for m in found if m.offset <= upto]
        first, last = (ours[0].offset, ours[-1].offset) if ours else (upto + 1, upto)
        if first > after + 1:
            self._refuse(first - after - 1, f"log topic {topic} no longer holds messages")
        records: list[Record] = []
        for message in ours:
            try:
                records.append(admit(topic, topic.rsplit(".", 1)[-1], message.value))
            except BadInputError:
                continue  # It lies among the dead letters.
        batch = self.of_queue(Taken({place: last}, records))
        batch.fills = True
        return batch

    def of_store(self, now_ns: int) -> Batch | None:
        """Return what has changed of cases, models, maintenance and limits; None if nothing has."""
        news = self._fleet.news(now_ns)
        if not news:
            return None
        hours = {(key.site, key.t_ns // HOUR_NS * HOUR_NS) for key in news}
        pieces = deque(batches(b"".join(news.values()), self._most))
        return Batch(pieces, hours, news=news, news_ns=now_ns)

    def written(self, batch: Batch) -> None:
        """Take note that the server has a batch."""
        if batch.news:
            self._fleet.told(batch.news, batch.news_ns)
