"""From a feed into lake and store, exactly once in effect.

Order makes it so. A batch is first appended to the lake's tables, each with the places' offsets in
its own commit; then what was not admitted goes to the dead letters; last comes the relational
store, whose transaction moves the offsets from where this consumer last saw them. The store is
therefore never ahead of the lake: after a crash the batch is read again from there, and each table
of the lake skips what it has. A consumer that was overtaken, because it slept while another one
took its places over, finds an offset moved: its transaction is undone, its batch dropped, and it
reads again from where the store stands. A repeat that a sender shipped twice is known by its
sequence, which lives in the same transaction.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import DataError, IntegrityError

from cloud_jobs.consume.batch import Batch, Counts, app_id
from cloud_jobs.consume.intake import Intake
from cloud_jobs.consume.letters import bury
from cloud_jobs.consume.starting import start_of
from cloud_jobs.consume.tap import Tap
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store, ingest, progress
from vibro.errors import VibroError
from vibro.log import Feed, Place, Stored, Transport

LOG = logging.getLogger("vibro.consume")
KINDS = ("features", "events", "clips", "health")
PATTERNS = tuple(f"vibro.v1.*.{kind}" for kind in KINDS)
UNFORESEEN = (ArithmeticError, LookupError, TypeError, ValueError, DataError, IntegrityError)
"""What tables raise on a record that nobody thought of: one must not stop all others."""


@dataclass(frozen=True, slots=True)
class Holding:
    """How long features are held back, so that commits of the lake are few.

    Nothing else waits: what people are told of is kept at once.
    """

    seconds: float = 0.0
    messages: int = 20_000
    rows: int = 200_000


class Consumer:
    """Takes what a feed brings into lake and store.

    Parameters
    ----------
    feed : Feed
    log : Transport
        Where dead letters go.
    lake : Lake
    store : Store
    tap : Tap, optional
        A further sink; its attribute.
    holding : Holding
    late_s : float
        Age from which on events are history, see `cloud_jobs.store.ingest.Arrival`.
    clock : callable, optional
        Time (ns UTC); without one only backfill is late.
    """

    def __init__(
        self,
        feed: Feed,
        log: Transport,
        lake: Lake,
        store: Store,
        *,
        tap: Tap | None = None,
        holding: Holding = Holding(),
        late_s: float = ingest.LATE_S,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._feed, self._log, self._lake, self._store = feed, log, lake, store
        self.tap, self._holding, self._late_s, self._clock = tap, holding, late_s, clock
        self._offsets: dict[Place, int] = {}
        self._intake = Intake(store, clock)
        self._prompt, self._held = Batch(), Batch()
        self._careful = False

    def poll(self, wait_s: float = 0.0) -> Counts:
        """Take in what has arrived; nothing new means an empty `Counts`.

        Parameters
        ----------
        wait_s : float
            Longest wait for something to arrive.

        Raises
        ------
        VibroError
            If feed, lake or store fail: nothing is lost, and the next poll tries again.
        """
        counts = Counts()
        try:
            self._look(wait_s, counts)
            self._keep(self._prompt, counts)
            self._prompt = Batch()
            if self._is_due(self._held):
                self._keep_held(counts)
        except progress.OvertakenError as error:
            LOG.warning("%s: what it had read is read again", error)
            self.rewind()
            counts.overtaken += 1
        except VibroError:
            self.rewind()
            raise
        except UNFORESEEN:
            LOG.exception("a batch cannot be kept: its messages are kept one by one")
            self.rewind()
            self._careful = True
            counts.add(self.poll(wait_s))
        except BaseException:
            self.rewind()
            raise
        return counts

    def flush(self) -> Counts:
        """Keep what is held back, as `poll` does when its time has come."""
        counts = Counts()
        try:
            self._keep_held(counts)
        except progress.OvertakenError:
            self.rewind()
        except BaseException:
            self.rewind()
            raise
        return counts

    def rewind(self) -> None:
        """Let go of all that is not kept; it is read again."""
        self._prompt, self._held = Batch(), Batch()
        self._feed.rewind()

    def lag(self) -> dict[str, int]:
        """Messages of each topic that were not kept yet."""
        lag: dict[str, int] = {}
        for (topic, partition), end in self._feed.ends().items():
            kept = self._offsets.get((topic, partition), 0)
            lag[topic] = lag.get(topic, 0) + max(0, end - kept)
        return lag

    # -- reading -------------------------------------------------------------------------------

    def _look(self, wait_s: float, counts: Counts) -> None:
        polled = self._feed.poll(wait_s)
        if self._held.reached.keys() & (polled.gone | polled.fresh.keys()):
            self.rewind()
            polled = self._feed.poll()
        if polled.fresh:
            self._begin(polled.fresh, counts)
            if not polled.messages:
                polled = self._feed.poll(wait_s)
        if self._careful:
            self._one_by_one(polled.messages, counts)
            self._careful = False
        else:
            self._intake.sort(polled.messages, self._prompt, self._held)

    def _begin(self, fresh: Mapping[Place, range], counts: Counts) -> None:
        """Read each new place from where the store stands."""
        with self._store.transaction() as session:
            kept = progress.offsets(session, fresh)
        starts = {place: start_of(kept.get(place, 0), held) for place, held in fresh.items()}
        for place, start in starts.items():
            self._offsets[place] = kept.get(place, 0)
            if start.expired:
                LOG.warning(
                    "%s: %d messages were deleted by the broker's retention before they were taken",
                    app_id(place),
                    start.expired,
                )
                counts.expired += start.expired
            if start.anew:
                LOG.warning("%s was made anew: it is read from its start", app_id(place))
                self._forget(place, start.after)
        self._intake.sequences.forget()
        if self.tap is not None:
            self.tap.assigned({place: start.after for place, start in starts.items()})
        self._feed.start({place: start.after for place, start in starts.items()})

    def _forget(self, place: Place, offset: int) -> None:
        """Count a place that was made anew from its start: in the lake first, then in the store."""
        self._lake.forget(app_id(place))
        with self._store.transaction() as session:
            progress.move_offsets(session, {place: (self._offsets[place], offset)})
        self._offsets[place] = offset

    def _one_by_one(self, messages: Sequence[Stored], counts: Counts) -> None:
        """Keep each message by itself; one that cannot be kept is a dead letter."""
        for stored in messages:
            single = Batch()
            try:
                self._intake.sort([stored], single, single)
                self._keep(single, counts)
            except VibroError:
                raise
            except UNFORESEEN as error:
                LOG.exception("%s, offset %d cannot be kept", app_id(stored.place), stored.offset)
                single = Batch()
                single.pass_by(stored)
                single.bury(self._intake.letter(stored, f"it could not be kept: {error!r}"))
                self._keep(single, counts)

    # -- keeping -------------------------------------------------------------------------------

    def _is_due(self, batch: Batch) -> bool:
        hold = self._holding
        return bool(batch.reached) and (
            time.monotonic() - batch.since_s >= hold.seconds
            or batch.counts.messages >= hold.messages
            or batch.counts.rows >= hold.rows
        )

    def _keep_held(self, counts: Counts) -> None:
        self._keep(self._held, counts)
        self._held = Batch()

    def _keep(self, batch: Batch, counts: Counts) -> None:
        if not batch.reached:
            return
        began_s = time.monotonic()
        batch.to_lake(self._lake)
        bury(batch.letters, self._log)
        moves = {place: (self._offsets[place], end) for place, end in batch.reached.items()}
        arrival = ingest.Arrival(self._clock() if self._clock else None, self._late_s)
        with self._store.transaction() as session:
            progress.move_offsets(session, moves)
            changed = ingest.keep_events(session, batch.events, arrival)
            changed |= ingest.keep_clips(session, batch.clips, arrival)
            ingest.keep_health(session, batch.beats)
            progress.keep_sequences(session, batch.taken)
            progress.keep_replays(session, batch.replays)
            ingest.keep_news(session, changed, uuid.uuid4().hex)
        self._offsets |= batch.reached
        self._intake.sequences.keep(batch.taken)
        batch.counts.machines |= changed
        if self.tap is not None:
            self.tap.take(batch.reached, batch.admitted)
        self._feed.kept(batch.reached)
        batch.counts.seconds = time.monotonic() - began_s
        counts.add(batch.counts)
