"""What every transport offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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


class Transport(Protocol):
    """Append-only topics with consumer offsets."""

    def send(self, topic: str, messages: Sequence[Message]) -> None:
        """Append messages in order; return only when all of them are durable.

        Raises
        ------
        VibroError
            If they could not be made durable: the caller keeps them and tries again.
        """

    def read(self, topic: str, after: int, limit: int) -> list[Stored]:
        """Messages with an offset above ``after``, in order, at most ``limit``."""

    def topics(self, pattern: str) -> list[str]:
        """Names of the topics that match a shell pattern, sorted."""

    def commit(self, group: str, topic: str, offset: int) -> None:
        """Remember, durably, that a group has consumed up to and including ``offset``."""

    def committed(self, group: str, topic: str) -> int:
        """Offset a group has committed; 0 before its first."""
