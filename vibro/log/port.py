"""What every transport offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Place = tuple[str, int]
"""A topic and one of its partitions; the embedded log has partition 0 only."""
Starts = Callable[[set[Place]], Mapping[Place, int]]
"""Offsets up to which each place has been consumed, asked whenever places are newly assigned."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to send.

    ``producer`` and ``sequence`` make sending idempotent: a message whose sequence a topic has
    already taken from that producer is taken as sent and not stored again.
    """

    key: str
    value: bytes
    producer: str
    sequence: int
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        return (
            len(self.key.encode())
            + len(self.value)
            + sum(len(k.encode()) + len(v) for k, v in self.headers)
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """One message as it stands in a topic."""

    topic: str
    offset: int
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    partition: int = 0

    @property
    def place(self) -> Place:
        """Topic and partition: offsets and order hold within it."""
        return self.topic, self.partition


class Transport(Protocol):
    """Append-only topics with consumer offsets."""

    def send(self, topic: str, messages: Sequence[Message]) -> None:
        """Append messages in order; return only when all of them are durable.

        Raises
        ------
        VibroError
            If they could not be made durable: the caller keeps them and tries again.
        """

    def read(self, topic: str, after: int, limit: int, partition: int = 0) -> list[Stored]:
        """Messages with an offset above ``after``, in order, at most ``limit``.

        Offsets begin at 1 on every transport: ``after = 0`` reads from the start.
        """

    def topics(self, pattern: str) -> list[str]:
        """Names of the topics that match a shell pattern, sorted."""

    def commit(self, group: str, topic: str, offset: int) -> None:
        """Remember, durably, that a group has consumed up to and including ``offset``."""

    def committed(self, group: str, topic: str) -> int:
        """Offset a group has committed; 0 before its first."""


class Feed(Protocol):
    """Topics of some patterns, shared among all consumers of one group."""

    def poll(self, wait_s: float = 0.0) -> list[Stored]:
        """Return the next messages of the places that are this consumer's now, in order in each.

        Places that were newly assigned are first asked of `Starts`, and read from there; places
        that were taken away never appear again.
        """

    def rewind(self) -> None:
        """Read again from where `Starts` says: what was polled could not be kept."""

    def lag(self) -> Mapping[Place, int]:
        """Messages of each assigned place that were not polled yet."""

    def close(self) -> None:
        """Leave the group."""
