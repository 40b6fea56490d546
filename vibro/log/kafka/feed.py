"""A share of a broker's topics, as one consumer of a group; see `vibro.log.port.Feed`.

The group hands partitions out; how far each was taken is asked of the consumer, whose sinks know.
So a partition that is newly ours is paused in the same instant, and goes on only from `start`.
Heartbeats are sent by kafka-python's own thread: a consumer that is busy, or waits for a sink that
is away, stays in the group as long as it polls now and then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vibro.errors import VibroError
from vibro.log.kafka.client import load, opened, reader_options, stored
from vibro.log.kafka.diagnosis import Diagnosis
from vibro.log.kafka.settings import KafkaSection
from vibro.log.port import Place, Polled

BUSY_S = 900.0
"""A consumer that has not polled for so long is taken for hung."""
QUIET_S = 20.0
"""Silence after which it is asked whether the broker is there at all."""
FETCH_BYTES, PARTITION_BYTES = 8 * 2**20, 2 * 2**20
"""At once, unless a single message is larger; decoded, features are fifteen times as large."""
CLOSE_S = 5.0
SETTLE_S = 10.0
"""Longest wait in one poll for the slowest consumer of the group to join again."""
LONGEST_WAIT_S = 0.5
"""A wait for messages cannot be ended early; whoever is told to stop must not be kept."""


class KafkaFeed:
    """Topics that match a pattern, shared among all consumers of a group.

    Making one costs nothing and cannot fail: what is wrong with files or brokers is raised by the
    first poll.

    Parameters
    ----------
    settings : KafkaSection
    folder : Path
        What relative paths of the settings start from.
    group : str
        Consumer group; those of one group share one store and one lake.
    pattern : str
        Regular expression of topics.
    client_id : str
        How the broker's own logs name this client.
    most : int
        Most messages of a poll.
    session_s : float
        Silence after which the broker gives this consumer's partitions to others.
    """

    def __init__(
        self,
        settings: KafkaSection,
        folder: Path,
        group: str,
        pattern: str,
        *,
        client_id: str = "vibro-consume",
        most: int = 500,
        session_s: float = 10.0,
    ) -> None:
        self._settings, self._folder = settings, folder
        self._group, self._pattern, self._name = group, pattern, client_id
        self._most, self._session_s = most, session_s
        self._why = Diagnosis(settings, folder, client_id)
        self._reader: Any = None
        self._lock = threading.Lock()
        self._waiting: set[Any] = set()
        self._gone: set[Place] = set()
        self._heard_s = 0.0

    def poll(self, wait_s: float = 0.0) -> Polled:
        """Return the next messages of the partitions that are ours now.

        Raises
        ------
        TransportError
            If the broker is away or refuses; says why, and what helps.
        """
        try:
            return self._poll(wait_s)
        except VibroError:
            raise
        except Exception as error:
            raise self._why.explained(error, "read") from None

    def _poll(self, wait_s: float) -> Polled:
        from kafka.errors import OffsetOutOfRangeError  # noqa: PLC0415 (see `client.load`)

        if self._reader is None:
            self._join()
        self._settle()
        found: dict[Any, list[Any]] = {}
        try:
            wait_ms = round(min(wait_s, LONGEST_WAIT_S) * 1000)
            found = self._reader.poll(timeout_ms=wait_ms, max_records=self._most)
        except OffsetOutOfRangeError as error:
            self._hold(error.args[0])
        self._settle()
        with self._lock:
            waiting = set(self._waiting)
            gone, self._gone = self._gone, set()
        ours = (records for tp, records in found.items() if tp not in waiting)
        messages = [stored(record) for records in ours for record in records]
        self._listen(bool(messages or waiting))
        fresh = self._spans(waiting)
        return Polled(messages, fresh, frozenset(gone) - fresh.keys())

    def _settle(self) -> None:
        """Take part to its end when the group hands its partitions out anew.

        kafka-python 3.0 forgets the outcome of a join that ends while nobody polls: it joins again
        at the next poll, or, if the join was for new topics, never, and is a member no more that
        believes it is one. So no join is left half-way, and one that was is begun again.
        """
        coordinator = self._reader._coordinator  # noqa: SLF001 (its `poll` waits for joins alone)
        join = coordinator._join_task  # noqa: SLF001
        if join is not None and join.is_done:
            coordinator.request_rejoin()
        until_s = time.monotonic() + SETTLE_S
        while coordinator.need_rejoin() and time.monotonic() < until_s:
            coordinator.poll(timeout_ms=1000)

    def _listen(self, heard: bool) -> None:
        """Ask, after some silence, whether there is a broker: its client would never say."""
        now_s = time.monotonic()
        if heard:
            self._heard_s = now_s
        elif now_s - self._heard_s > QUIET_S:
            self._heard_s = now_s
            self._why.require("read")

    def _spans(self, partitions: Iterable[Any]) -> dict[Place, range]:
        """Offsets that the broker holds; ours are Kafka's and one."""
        asked = list(partitions)
        if not asked:
            return {}
        first, end = self._reader.beginning_offsets(asked), self._reader.end_offsets(asked)
        return {(tp.topic, tp.partition): range(first[tp] + 1, end[tp] + 1) for tp in asked}

    def start(self, after: Mapping[Place, int]) -> None:
        """Read each of these partitions from behind an offset."""
        from kafka import TopicPartition  # noqa: PLC0415 (see `client.load`)

        for place, offset in after.items():
            partition = TopicPartition(*place)
            with self._lock:
                if partition not in self._waiting:
                    continue
                self._waiting.discard(partition)
            # The next one of Kafka's offsets is ours of the last.
            self._reader.seek(partition, offset)
            self._reader.resume(partition)

    def rewind(self) -> None:
        """Make all partitions fresh again."""
        if self._reader is not None:
            self._hold(self._reader.assignment())

    def _hold(self, partitions: Iterable[Any]) -> None:
        """Read no more of partitions until `start`."""
        for partition in partitions:
            self._reader.pause(partition)
            # Without a position its client would ask the group for one, which knows none at first.
            self._reader.seek(partition, 0)
        with self._lock:
            self._waiting |= set(partitions)

    def kept(self, reached: Mapping[Place, int]) -> None:
        """Commit the group's offsets, for who watches its lag."""
        from kafka import TopicPartition  # noqa: PLC0415 (see `client.load`)
        from kafka.structs import OffsetAndMetadata  # noqa: PLC0415

        ours = self._reader.assignment()
        offsets = {
            tp: OffsetAndMetadata(offset, "", -1)
            for place, offset in reached.items()
            if (tp := TopicPartition(*place)) in ours
        }
        with suppress(Exception):
            self._reader.commit_async(offsets)

    def ends(self) -> dict[Place, int]:
        """Last offset of each partition that is ours, as the broker last said."""
        if self._reader is None:
            return {}
        ends = {tp: self._reader.highwater(tp) for tp in self._reader.assignment()}
        return {(tp.topic, tp.partition): end for tp, end in ends.items() if end is not None}

    def close(self) -> None:
        """Leave the group at once, so that others need not wait for this one's silence."""
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(Exception):
                reader.close(autocommit=False, timeout_ms=round(CLOSE_S * 1000))

    # -- the group -----------------------------------------------------------------------------

    def _join(self) -> None:
        self._why.require("read")
        load()
        from kafka.coordinator.assignors.roundrobin import (  # noqa: PLC0415
            RoundRobinPartitionAssignor,
        )

        session_ms = round(self._session_s * 1000)
        options = reader_options(self._settings, self._folder, self._name) | {
            "group_id": self._group,
            # Told, never silent: where an offset is gone, `poll` asks again from where to read.
            "auto_offset_reset": "none",
            "session_timeout_ms": session_ms,
            "heartbeat_interval_ms": session_ms // 4,
            "max_poll_interval_ms": round(BUSY_S * 1000),
            "fetch_max_bytes": FETCH_BYTES,
            "max_partition_fetch_bytes": PARTITION_BYTES,
            "partition_assignment_strategy": (RoundRobinPartitionAssignor,),
        }
        reader = opened("KafkaConsumer", options)
        reader.subscribe(pattern=self._pattern, listener=_listener(self._came, self._went))
        self._reader, self._heard_s = reader, time.monotonic()

    def _came(self, partitions: Iterable[Any]) -> None:
        self._hold(partitions)

    def _went(self, partitions: Iterable[Any]) -> None:
        with self._lock:
            self._waiting -= set(partitions)
            self._gone |= {(tp.topic, tp.partition) for tp in partitions}


def _listener(came: Any, went: Any) -> Any:
    """Make what kafka-python tells of partitions, on a thread of its own while we poll."""
    from kafka import ConsumerRebalanceListener  # noqa: PLC0415 (see `client.load`)

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
        def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
            came(assigned)

        def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
            went(revoked)

    return Listener()
