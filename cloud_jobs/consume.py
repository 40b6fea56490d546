"""From the log into lake and store, exactly once in effect.

Order makes it so: a batch is first appended to the lake's tables, each with the topics' offsets in
its own commit, and last written to the relational store together with its offsets. The store's
offset is therefore never ahead of the lake; after a crash the batch is read again from there and
each lake table skips what it has. A repeat that a sender shipped twice is known by its sequence,
which lives in the same transaction; what cannot be decoded goes to ``vibro.v1.dead``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cloud_jobs.columns import SCHEMAS, block_rows, clip_rows, table_name
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store, ingest
from vibro.errors import BadInputError
from vibro.log import Message, Stored, Transport
from vibro.records import TOPIC_OF, Clip, Event, FeatureBlock, Health, Record
from vibro.wire import decode

DEAD = "vibro.v1.dead"
KINDS = ("features", "events", "clips", "health")
_LIMITS = {"clips": 64}


@dataclass(slots=True)
class Counts:
    """What one poll did.

    `machines` are those with new events or clips, `alive` those whose nodes gave a heartbeat.
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
    """Decoded messages of one poll, each record with the topic and offset it came from."""

    positions: dict[str, int] = field(default_factory=dict)
    taken: dict[ingest.Sender, tuple[int, int]] = field(default_factory=dict)
    blocks: list[tuple[str, int, FeatureBlock]] = field(default_factory=list)
    clips: list[tuple[str, int, Clip, bytes]] = field(default_factory=list)
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
            ingest.keep_clips(session, [c for _, _, c, _ in batch.clips])
            ingest.keep_health(session, batch.beats)
            ingest.keep_sequences(session, batch.taken)
            ingest.keep_offsets(session, batch.positions)
        self._offsets |= batch.positions
        self._taken |= batch.taken
        counts.machines |= {c.origin.machine_path for _, _, c, _ in batch.clips}
        counts.alive |= {b.origin.machine_path for b in batch.beats}
        return counts

    def _read(self, topic: str, kind: str, batch: _Batch, counts: Counts) -> None:
        limit = min(self._limit, _LIMITS.get(kind, self._limit))
        for stored in self._log.read(topic, self._offsets.get(topic, 0), limit):
            counts.messages += 1
            counts.value_bytes += len(stored.value)
            batch.positions[topic] = stored.offset
            try:
                record = _decoded(topic, kind, stored.value)
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
        last, missing = held or (origin.sequence - 1, 0)
        if origin.sequence <= last:
            return True
        batch.taken[sender] = (origin.sequence, missing + origin.sequence - last - 1)
        return False

    def _to_lake(self, batch: _Batch) -> None:
        held = {
            (table, topic): self._lake.position(table, topic)
            for table in SCHEMAS
            for topic in batch.positions
        }
        blocks: dict[str, list[tuple[str, FeatureBlock]]] = {}
        for topic, offset, block in batch.blocks:
            table = table_name(block)
            if offset > held[table, topic]:
                blocks.setdefault(table, []).append((topic, block))
        for table, found in blocks.items():
            topics = {t: batch.positions[t] for t, _ in found}
            self._lake.append(table, block_rows(table, [b for _, b in found]), topics)
        clips = [c for c in batch.clips if c[1] > held["clips", c[0]]]
        if clips:
            topics = {c[0]: batch.positions[c[0]] for c in clips}
            self._lake.append("clips", clip_rows([(c, v) for _, _, c, v in clips]), topics)

    def _bury(self, dead: Sequence[tuple[str, Stored, str]]) -> None:
        """Send what cannot be decoded to the dead letters; doing it twice is a no-op."""
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


def _decoded(topic: str, kind: str, value: bytes) -> Record:
    """Decode a value and hold it against the topic that it came by.

    Raises
    ------
    BadInputError
        If it is malformed, or of another kind or site than the topic's.
    """
    record = decode(value)
    if TOPIC_OF[type(record)] != kind:
        raise BadInputError(f"a record of {TOPIC_OF[type(record)]} does not belong on {topic}")
    if topic != f"vibro.v1.{record.origin.site}.{kind}":
        raise BadInputError(f"a record of site '{record.origin.site}' does not belong on {topic}")
    if isinstance(record, FeatureBlock) and table_name(record) not in SCHEMAS:
        raise BadInputError(f"a feature block of path '{record.path}' belongs to no table")
    return record


def _sort_in(record: Record, topic: str, stored: Stored, batch: _Batch) -> None:
    if isinstance(record, FeatureBlock):
        batch.blocks.append((topic, stored.offset, record))
    elif isinstance(record, Clip):
        batch.clips.append((topic, stored.offset, record, stored.value))
    elif isinstance(record, Event):
        batch.events.append(record)
    elif isinstance(record, Health):
        batch.beats.append(record)
