"""What every transport offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vibro.errors import VibroError

Place = tuple[str, int]
"""A topic and one of its partitions; the embedded log has partition 0 only."""


class TransportError(VibroError):
    """Messages could not be made durable, or not be read.

    Attributes
    ----------
    state : str
        What it means to whoever looks after the link: ``away`` (not reached), ``refused`` (reached,
        and it says no), ``slow`` (reached, and nothing was acknowledged in time), or ``full``.
    """

    def __init__(self, message: str, state: str = "away") -> None:
        super().__init__(message)
        self.state = state


class TooLargeError(TransportError):
    """One message is larger than the transport will ever take: trying again is no use.

    Attributes
    ----------
    at : int
        Which of the messages that were to be sent; none after it must go before it is given up.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message, "refused")
        self.at = at


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
    """Append-only topics."""

    def send(self, topic: str, messages: Sequence[Message]) -> None:
        """Append messages in order; return only when all of them are durable.

        Raises
        ------
        TransportError
            If they could not be made durable: the caller keeps them and tries again, in the same
            order. Some may have been stored nevertheless, but none without all before it.
        """

    def read(self, topic: str, after: int, limit: int, partition: int = 0) -> list[Stored]:
        """Messages with an offset above ``after``, in order, at most ``limit``.

        Offsets begin at 1 on every transport: ``after = 0`` reads from the start.
        """

    def topics(self, pattern: str) -> list[str]:
        """Names of the topics that match a shell pattern, sorted."""

    def close(self) -> None:
        """Let go of files and connections; the transport may be used again afterwards."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What one look at a feed brought.

    Attributes
    ----------
    messages : list of Stored
        In order within each place.
    fresh : mapping of Place to range
        Offsets that the transport holds of each place that is waiting for `Feed.start`.
    gone : set of Place
        Places that another consumer of the group has now; none of them is among `fresh`.
    """

    messages: list[Stored] = field(default_factory=list)
    fresh: Mapping[Place, range] = field(default_factory=dict)
    gone: frozenset[Place] = frozenset()


class Feed(Protocol):
    """Topics of some patterns, shared among all consumers of one group.

    A place that is newly this consumer's is not read before it was told from where: the consumer's
    own sinks know how far they came. Who is the owner of a place changes only within `poll`, but
    may be out of date at any time: a process that slept finds out late.
    """

    def poll(self, wait_s: float = 0.0) -> Polled:
        """Return the next messages, after waiting for them for at most a time (s).

        Raises
        ------
        VibroError
            If the transport refuses; polling again tries again.
        """

    def start(self, after: Mapping[Place, int]) -> None:
        """Read each of these places from behind an offset; those that are gone are left out."""

    def rewind(self) -> None:
        """Make all places fresh again: what was polled of them could not be kept."""

    def kept(self, reached: Mapping[Place, int]) -> None:
        """Tell the group up to which offset everything is kept; for displays, never relied on."""

    def ends(self) -> Mapping[Place, int]:
        """Last offset of each place that is this consumer's, as far as it is known."""

    def close(self) -> None:
        """Leave the group at once."""
