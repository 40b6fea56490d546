"""Append-only topics on a Kafka broker; see `vibro.log.port.Transport`.

**What keeps the order.** A consumer drops a record whose number is not above the last one that it
took from the same node, kind and lane. So a record may arrive twice, or late; what must never
happen is that a record is stored before one with a lower number that is still to come: the lower
one would be dropped for ever. Therefore

- at most one batch of a transport is unacknowledged at any time: messages are cut into chunks of
  one key, every chunk is one Kafka batch (which a broker stores as a whole or not at all), and the
  next one is made when the one before was acknowledged by all replicas;
- after any failure, also a timeout, the producer is ended by force and the next attempt has a new
  one. The caller then begins again with the same messages;
- so if a batch of an ended producer reaches the broker late (it lay in a buffer on the way, or in
  that of a broker that hung), everything before it was stored before it was made, and everything
  after it is sent by a producer that first sent its messages again. It is stored either first,
  and then the new one is the repeat, or later, and then it is.

kafka-python ends a producer for good after some errors (a message that is too large is one), and
its `close` gives up, with the thread still trying, while a batch waits: hence `_end`. Few tries are
left to it, because what it tries again it does not explain; the caller's spool tries for days.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from vibro.errors import VibroError
from vibro.log.kafka.client import client_options, opened, reader_options, stored
from vibro.log.kafka.diagnosis import Diagnosis
from vibro.log.kafka.settings import KafkaSection
from vibro.log.port import Message, Stored, TooLargeError

CHUNK_BYTES = 900_000
"""Less than what every broker takes as one batch unless it is told otherwise, 1 MiB."""
RECORD_BYTES = 96
"""What a message takes in a batch beside key, value and headers, at most."""
SLOWEST_BYTES_S = 16_000.0
"""A link that carries less is too slow for a message that fills a chunk of its own."""
LINGER_S = 600.0
"""No batch leaves before it is whole, however long that takes."""
TRIES, TRY_AGAIN_S = 3, 0.3
END_S = 1.0
READ_S = 1.0
_TOO_LARGE = {"MessageSizeTooLargeError", "RecordListTooLargeError"}
_SPLITS = 40
"""How often the halves of a batch that was too large can end a wait, and more."""


class KafkaTransport:
    """One producer, and for reading one consumer, made when they are first needed.

    Not for several threads at once, but any may close it, and so end what another waits for. Making
    one costs nothing and cannot fail: what is wrong with
    files or brokers is raised by the first call that needs them.

    Parameters
    ----------
    settings : KafkaSection
    folder : Path
        What relative paths of the settings start from.
    client_id : str
        How the broker's own logs name this client.
    extra : str
        What is named when kafka-python is missing.
    """

    def __init__(
        self, settings: KafkaSection, folder: Path, client_id: str, extra: str = "cloud"
    ) -> None:
        self._settings, self._folder = settings, folder
        self._name, self._extra = client_id, extra
        self._why = Diagnosis(settings, folder, client_id)
        self._producer: Any = None
        self._reader: Any = None
        self._at: tuple[Any, int] | None = None

    def close(self) -> None:
        """Let go of all connections; the transport may be used again afterwards."""
        self._end()
        self._end_reading()

    # -- writing -------------------------------------------------------------------------------

    def send(self, topic: str, messages: Sequence[Message]) -> None:
        """Append messages in order; return only when all replicas in sync hold all of them.

        Raises
        ------
        TransportError
            If not all were acknowledged; says why, and what helps.
        TooLargeError
            If the broker will not take one of them; those before it may be stored.
        """
        before = 0
        for chunk in _chunks(messages):
            began = time.monotonic()
            failed = self._try(topic, chunk)
            if failed is not None:
                waited_s = time.monotonic() - began
                self._end()
                at, error = failed
                if type(error).__name__ in _TOO_LARGE:
                    raise TooLargeError(_too_large(topic, chunk[at]), before + at)
                raise self._why.explained(error, "write", topic, waited_s)
            before += len(chunk)

    def _try(self, topic: str, chunk: Sequence[Message]) -> tuple[int, Exception] | None:
        """Send a chunk; return None when it is acknowledged, else which message failed, and why."""
        futures: list[Any] = []
        try:
            if self._producer is None:
                self._begin(topic)
            for m in chunk:
                key, headers = m.key.encode(), list(m.headers)
                futures.append(self._producer.send(topic, m.value, key, headers))
        except VibroError:
            raise
        except Exception as error:
            return len(futures), error
        self._wait(futures, self._patience_s(chunk))
        for at, future in enumerate(futures):
            if not future.is_done:
                return at, TimeoutError()
            if future.failed():
                return at, future.exception
        return None

    def _begin(self, topic: str) -> None:
        """Make a producer, once a connection of our own has shown that it can be had."""
        self._why.require("write", topic)
        settings = self._settings
        # Beyond our own patience: it is `_wait` that ends a wait.
        longest_s = 2 * settings.request_timeout_s + settings.message_max_bytes / SLOWEST_BYTES_S
        options = client_options(settings, self._folder, self._name) | {
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": "zstd",
            "batch_size": CHUNK_BYTES + 100_000,
            "linger_ms": _ms(LINGER_S),
            "max_request_size": settings.message_max_bytes,
            "max_block_ms": _ms(settings.request_timeout_s),
            "request_timeout_ms": _ms(longest_s),
            "delivery_timeout_ms": _ms(LINGER_S + 2 * longest_s),
            "connections_max_idle_ms": _ms(max(540.0, 2 * longest_s)),
            "retries": TRIES,
            "retry_backoff_ms": _ms(TRY_AGAIN_S),
        }
        self._producer = opened("KafkaProducer", options, self._extra)

    def _patience_s(self, chunk: Sequence[Message]) -> float:
        """How long an acknowledgement may take: a large message may fill a slow link for long."""
        alone = chunk[0].size / SLOWEST_BYTES_S if len(chunk) == 1 else 0.0
        return self._settings.request_timeout_s + alone

    def _wait(self, futures: Sequence[Any], patience_s: float) -> None:
        """Let the chunk leave, and wait until all of it has an answer, or patience ends."""
        until = time.monotonic() + patience_s
        for _ in range(_SPLITS):
            left_s = until - time.monotonic()
            if left_s <= 0 or all(future.is_done for future in futures):
                return
            # A batch that is split into halves ends a wait early, as an error.
            with suppress(Exception):
                self._producer.flush(left_s)

    def _end(self) -> None:
        """End the producer by force: nothing of it is sent any more, whatever waits in it."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        # `close` alone raises while a batch waits, and the thread goes on trying.
        sender = producer._sender  # noqa: SLF001
        sender.force_close()
        sender.join(END_S)
        with suppress(Exception):
            producer.close(timeout=0)

    # -- reading -------------------------------------------------------------------------------

    def read(self, topic: str, after: int, limit: int, partition: int = 0) -> list[Stored]:
        """Messages with an offset above ``after``; waits up to a second for the first.

        Raises
        ------
        TransportError
            If they cannot, or may not, be read; a topic that does not exist has none.
        """
        try:
            reader = self._reading()
            place = self._turned_to(reader, topic, partition, after)
            polled = reader.poll(timeout_ms=_ms(READ_S), max_records=limit)
        except VibroError:
            raise
        except Exception as error:
            self._end_reading()
            raise self._why.explained(error, "read", topic) from None
        found = [stored(record) for records in polled.values() for record in records]
        self._at = place, found[-1].offset if found else after
        return found

    def _turned_to(self, reader: Any, topic: str, partition: int, after: int) -> Any:
        """Turn to a place in a topic, unless the last read ended there."""
        from kafka import TopicPartition  # noqa: PLC0415 (see `client.load`)

        place = TopicPartition(topic, partition)
        if self._at is None or self._at[0] != place:
            # A topic that may not be seen has no messages, as far as a consumer says.
            self._why.require("read", topic, there=False)
            reader.assign([place])
        if self._at != (place, after):
            # Offset n of ours is n - 1 of Kafka's.
            reader.seek(place, after)
        self._at = None
        return place

    def topics(self, pattern: str) -> list[str]:
        """Names of the topics that match a shell pattern, sorted; those that may be seen.

        Raises
        ------
        TransportError
            If the broker does not say.
        """
        try:
            names = self._reading().topics()
        except VibroError:
            raise
        except Exception as error:
            self._end_reading()
            raise self._why.explained(error, "read") from None
        return sorted(name for name in names if fnmatch.fnmatchcase(name, pattern))

    def _reading(self) -> Any:
        if self._reader is None:
            self._why.require("read")
            options = reader_options(self._settings, self._folder, self._name)
            self._reader = opened("KafkaConsumer", options, self._extra)
        return self._reader

    def _end_reading(self) -> None:
        reader, self._reader, self._at = self._reader, None, None
        if reader is not None:
            with suppress(Exception):
                reader.close(autocommit=False)


def _chunks(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Cut messages into what one batch holds: of one key, and of less than `CHUNK_BYTES`."""
    for _, of_key in groupby(messages, key=lambda m: m.key):
        chunk: list[Message] = []
        size = 0
        for message in of_key:
            size += message.size + RECORD_BYTES
            if chunk and size > CHUNK_BYTES:
                yield chunk
                chunk, size = [], message.size + RECORD_BYTES
            chunk.append(message)
        yield chunk


def _too_large(topic: str, message: Message) -> str:
    return (
        f"a message of {message.size} bytes is larger than topic {topic} takes: raise its "
        "max.message.bytes ('vibro cloud setup' sets it from kafka.message_max_mb)"
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
