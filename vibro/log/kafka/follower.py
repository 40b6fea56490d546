"""Whoever reads a few small topics from their start, and then whatever is added: no group, no sums.

One long question stays open at the broker, however many topics there are, and is answered as soon
as there is something: ten thousand nodes that wait cost it a thousand questions a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vibro.log.kafka.client import opened, reader_options, stored
from vibro.log.kafka.diagnosis import Diagnosis
from vibro.log.kafka.settings import KafkaSection
from vibro.log.port import Stored

QUESTION_S = 10.0
METADATA_AGE_S = 60.0
"""Age at which it is asked again whether a topic is there now."""
AT_ONCE = 20


class Follower:
    """Reads the first partition of some topics.

    Parameters
    ----------
    settings : KafkaSection
    folder : Path
        What relative paths of the settings start from.
    client_id : str
    topics : sequence of str
    after : mapping of str to int
        Offsets, from 1 on, up to which topics were read; from the start where there is none.
    extra : str
        What is named when kafka-python is missing.

    Raises
    ------
    TransportError
        If the broker cannot be had, or a topic may not be read; one may not be there yet.
    """

    def __init__(
        self,
        settings: KafkaSection,
        folder: Path,
        client_id: str,
        topics: Sequence[str],
        after: Mapping[str, int],
        extra: str = "cloud",
    ) -> None:
        self._why = Diagnosis(settings, folder, client_id)
        self._topics = ", ".join(topics)
        for topic in topics:
            # A topic that may not be seen has no messages, as far as a consumer says.
            self._why.require("read", topic, there=False)
        options = reader_options(settings, folder, client_id) | {
            "fetch_max_wait_ms": round(min(QUESTION_S, settings.request_timeout_s / 2) * 1000),
            "metadata_max_age_ms": round(METADATA_AGE_S * 1000),
        }
        try:
            self._reader = opened("KafkaConsumer", options, extra)
        except Exception as error:
            raise self._why.explained(error, "read", waited_s=settings.request_timeout_s) from None
        self._assign(topics, after)

    def _assign(self, topics: Sequence[str], after: Mapping[str, int]) -> None:
        from kafka import TopicPartition  # noqa: PLC0415 (see `client.load`)

        places = [TopicPartition(topic, 0) for topic in topics]
        self._reader.assign(places)
        for place in places:
            if place.topic in after:
                # Offset n of ours is n - 1 of Kafka's.
                self._reader.seek(place, after[place.topic])

    def poll(self, wait_s: float) -> list[Stored]:
        """Return what has come, `AT_ONCE` messages at most; wait for the first.

        A broker that is away yields nothing, until it is back.

        Raises
        ------
        TransportError
            If it refuses; the follower must then be closed.
        """
        try:
            polled: dict[Any, list[Any]] = self._reader.poll(
                timeout_ms=round(wait_s * 1000), max_records=AT_ONCE
            )
        except Exception as error:
            raise self._why.explained(error, "read", self._topics) from None
        return [stored(record) for records in polled.values() for record in records]

    def close(self) -> None:
        """Let go of the connection."""
        with suppress(Exception):
            self._reader.close(autocommit=False)
