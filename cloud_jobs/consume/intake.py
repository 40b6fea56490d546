"""What becomes of each message: admitted, known already, or a dead letter."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from cloud_jobs.admission import admit
from cloud_jobs.consume.batch import Batch
from cloud_jobs.consume.letters import Letter, digest, sent_back
from cloud_jobs.consume.sequences import Sequences, after
from cloud_jobs.store import Store, progress
from cloud_jobs.store.books import ReplayRow
from vibro.errors import BadInputError
from vibro.log import Stored
from vibro.records import Record

HELD = "features"
"""The kind that may be held back."""


class Intake:
    """Sorts messages into batches.

    Parameters
    ----------
    store : Store
        Knows what was taken from each sender, and which letters may come back.
    clock : callable, optional
        Time (ns UTC) that dead letters tell; 0 without one.
    """

    def __init__(self, store: Store, clock: Callable[[], int] | None) -> None:
        self._store, self._clock = store, clock
        self.sequences = Sequences()

    def sort(self, messages: Sequence[Stored], prompt: Batch, held: Batch) -> None:
        """Put messages into the batch that is kept at once, or into the one that may wait."""
        found: list[tuple[Stored, Record | str]] = []
        for stored in messages:
            try:
                found.append((stored, admit(stored.topic, kind_of(stored), stored.value)))
            except BadInputError as error:
                found.append((stored, str(error)))
        registered = self._ask(found)
        for stored, record in found:
            row = registered.get(sent_back(stored)[0])
            if row is not None and row.sha256 != digest(stored.value):
                row = None
            batch = held if kind_of(stored) == HELD else prompt
            if not batch.reached:
                batch.since_s = time.monotonic()
            self._put(stored, record, row, batch)

    def _ask(self, found: Sequence[tuple[Stored, Record | str]]) -> dict[str, ReplayRow]:
        """Ask for senders that are not at hand, and for the letters that some say they were."""
        senders = {_sender(s, r) for s, r in found if not isinstance(r, str)}
        back = {name for stored, _ in found if (name := sent_back(stored)[0])}
        if not back and not self.sequences.missing(senders):
            return {}
        with self._store.transaction() as session:
            self.sequences.load(session, senders)
            return progress.replays(session, back)

    def _put(
        self, stored: Stored, record: Record | str, back: ReplayRow | None, batch: Batch
    ) -> None:
        batch.pass_by(stored)
        if isinstance(record, str):
            batch.bury(self.letter(stored, record, back))
            return
        sender = _sender(stored, record)
        held = batch.taken.get(sender) or self.sequences[sender]
        taken = after(held, record.origin.sequence, sent_back=back is not None)
        if taken is None or (back and (back.taken or back.letter in batch.replays)):
            batch.counts.repeats += 1
            return
        if back:
            batch.replays.add(back.letter)
        batch.taken[sender] = taken
        batch.add(stored, record)

    def letter(self, stored: Stored, reason: str, back: ReplayRow | None = None) -> Letter:
        """Return the dead letter of a message."""
        first = sent_back(stored) if back else ("", 0)
        return Letter(stored, reason, self._clock() if self._clock else 0, *first)


def kind_of(stored: Stored) -> str:
    """Last word of a message's topic."""
    return stored.topic.rsplit(".", 1)[-1]


def _sender(stored: Stored, record: Record) -> progress.Sender:
    origin = record.origin
    return origin.node, kind_of(stored), origin.lane, origin.stream_epoch, stored.partition
