"""From the log into lake and store, exactly once in effect.

Order makes it so: a batch is first appended to the lake's tables, each with the topics' offsets in
its own commit, and last written to the relational store together with its offsets. The store's
offset is therefore never ahead of the lake; after a crash the batch is read again from there and
each lake table skips what it has. A repeat that a sender shipped twice is known by its sequence,
which lives in the same transaction; what is not admitted goes to ``vibro.v1.dead``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cloud_jobs.admission import admit
from cloud_jobs.columns import block_rows, clip_rows, spectrum_rows, table_name
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store, ingest
from vibro.errors import BadInputError
from vibro.log import Message, Stored, Transport
from vibro.records import Clip, Event, FeatureBlock, Health, Record, Spectrum

DEAD = "vibro.v1.dead"
KINDS = ("features", "events", "clips", "health")
_LIMITS = {"clips": 64}


@dataclass(slots=True)
class Counts:
    """What one poll did.

    `machines` are those with new events or clips, `alive` those whose nodes gave a heartbeat;
    spectra count among the features, whose topic they share.
    """

    messages: int = 0
    features: int = 0
    events: int = 0
    clips: int = 0
    health: int = 0
    repeats: int = 0
    dead: int = 0
    value_bytes: int = 0
    machines: set[str] = field(default_factory=set)
    alive: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Batch:
    """Admitted messages of one poll.

    `lake` holds what goes into each table, with the topic and offset that it came from: a block,
    or a clip or spectrum with its value.
    """

    positions: dict[str, int] = field(default_factory=dict)
    taken: dict[ingest.Sender, ingest.Taken] = field(default_factory=dict)
    lake: dict[str, list[tuple[str, int, Any]]] = field(default_factory=dict)
    clips: list[Clip] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    beats: list[Health] = field(default_factory=list)
    dead: list[tuple[str, Stored, str]] = field(default_factory=list)


class Consumer:
    """Reads every site's topics into lake and store.

    Parameters
    ----------
    log : Transport
    lake : Lake
    store : Store
    limit : int
        Most messages of one topic in one poll.
    """

    def __init__(self, log: Transport, lake: Lake, store: Store, limit: int = 2000) -> None:
        self._log, self._lake, self._store, self._limit = log, lake, store, limit
        with store.transaction() as session:
            self._offsets = ingest.offsets(session)
            self._taken = ingest.sequences(session)

    def poll(self) -> Counts:
        """Read once from every topic; nothing new means an empty `Counts`."""
        counts, batch = Counts(), _Batch()
        for kind in KINDS:
            for topic in self._log.topics(f"vibro.v1.*.{kind}"):
                self._read(topic, kind, batch, counts)
        if not counts.messages:
            return counts
        self._to_lake(batch)
        self._bury(batch.dead)
        with self._store.transaction() as session:
            counts.machines |= ingest.keep_events(session, batch.events)
            ingest.keep_clips(session, batch.clips)
            ingest.keep_health(session, batch.beats)
            ingest.keep_sequences(session, batch.taken)
            ingest.keep_offsets(session, batch.positions)
        self._offsets |= batch.positions
        self._taken |= batch.taken
        counts.machines |= {c.origin.machine_path for c in batch.clips}
        counts.alive |= {b.origin.machine_path for b in batch.beats}
        return counts

    def _read(self, topic: str, kind: str, batch: _Batch, counts: Counts) -> None:
        limit = min(self._limit, _LIMITS.get(kind, self._limit))
        for stored in self._log.read(topic, self._offsets.get(topic, 0), limit):
            counts.messages += 1
            counts.value_bytes += len(stored.value)
            batch.positions[topic] = stored.offset
            try:
                record = admit(topic, kind, stored.value)
            except BadInputError as error:
                batch.dead.append((topic, stored, str(error)))
                counts.dead += 1
                continue
            if self._is_repeat(record, kind, batch):
                counts.repeats += 1
                continue
            setattr(counts, kind, getattr(counts, kind) + 1)
            _sort_in(record, topic, stored, batch)

    def _is_repeat(self, record: Record, kind: str, batch: _Batch) -> bool:
        origin = record.origin
        sender = (origin.node, kind, origin.lane, origin.stream_epoch)
        held = batch.taken.get(sender) or self._taken.get(sender)
        number = origin.sequence
        first, last, missing = held or (number, number - 1, 0)
        if number <= last:
            return True
        batch.taken[sender] = ingest.Taken(first, number, missing + number - last - 1)
        return False

    def _to_lake(self, batch: _Batch) -> None:
        """Append to each table what it does not hold yet."""
        for table, found in batch.lake.items():
            held = self._lake.positions(table, {topic for topic, _, _ in found})
            fresh = [f for f in found if f[1] > held[f[0]]]
            if fresh:
                records = [record for _, _, record in fresh]
                rows = _ROWS.get(table, partial(block_rows, table))(records)
                self._lake.append(table, rows, {t: batch.positions[t] for t, _, _ in fresh})

    def _bury(self, dead: Sequence[tuple[str, Stored, str]]) -> None:
        """Send what was not admitted to the dead letters; doing it twice is a no-op."""
        messages = [
            Message(
                key=stored.key,
                value=stored.value,
                headers=(
                    ("topic", topic.encode()),
                    ("offset", str(stored.offset).encode()),
                    ("reason", reason.encode()),
                    *stored.headers,
                ),
                producer=f"dead:{topic}",
                sequence=stored.offset,
            )
            for topic, stored, reason in dead
        ]
        if messages:
            self._log.send(DEAD, messages)


_ROWS: dict[str, Callable[[Any], Any]] = {"clips": clip_rows, "spectra": spectrum_rows}
"""Tables that hold records as they were shipped."""


def _sort_in(record: Record, topic: str, stored: Stored, batch: _Batch) -> None:
    if isinstance(record, FeatureBlock):
        batch.lake.setdefault(table_name(record), []).append((topic, stored.offset, record))
    elif isinstance(record, Clip):
        batch.clips.append(record)
        row = (record, stored.value)
        batch.lake.setdefault("clips", []).append((topic, stored.offset, row))
    elif isinstance(record, Spectrum):
        whole = (record, stored.value)
        batch.lake.setdefault("spectra", []).append((topic, stored.offset, whole))
    elif isinstance(record, Event):
        batch.events.append(record)
    elif isinstance(record, Health):
        batch.beats.append(record)
