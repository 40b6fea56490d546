"""The embedded log as a feed: one consumer reads every topic of some patterns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from vibro.log.embedded import EmbeddedLog
from vibro.log.port import Place, Polled, Stored

CHUNK = 64
"""Messages of one query; the bytes of what it brought are counted after each."""


class EmbeddedFeed:
    """Every topic of some patterns, in portions; see `vibro.log.port.Feed`.

    Parameters
    ----------
    log : EmbeddedLog
    patterns : sequence of str
        Shell patterns of topics.
    most : int
        Most messages of one topic in a poll.
    most_bytes : int
        Bytes of values from which on a poll takes no more.
    pause : callable
        Waits for a time (s) when there is nothing new.
    """

    def __init__(
        self,
        log: EmbeddedLog,
        patterns: Sequence[str],
        *,
        most: int = 2000,
        most_bytes: int = 8 * 2**20,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._log, self._patterns = log, patterns
        self._most, self._most_bytes, self._pause = most, most_bytes, pause
        self._after: dict[Place, int] = {}
        self._turn = 0

    def poll(self, wait_s: float = 0.0) -> Polled:
        """Read once from every topic; each poll begins with another topic."""
        names = [n for pattern in self._patterns for n in self._log.topics(pattern)]
        # A topic that went with its file and came back is another one.
        self._after = {place: after for place, after in self._after.items() if place[0] in names}
        fresh = {(n, 0): self._log.span(n) for n in names if (n, 0) not in self._after}
        self._turn = (self._turn + 1) % max(len(names), 1)
        messages: list[Stored] = []
        left = self._most_bytes
        for name in names[self._turn :] + names[: self._turn]:
            if left > 0 and (name, 0) not in fresh:
                found = self._read(name, left)
                left -= sum(len(m.value) for m in found)
                messages += found
        if wait_s and not messages and not fresh:
            self._pause(wait_s)
        return Polled(messages, fresh)

    def _read(self, topic: str, most_bytes: int) -> list[Stored]:
        found: list[Stored] = []
        while len(found) < self._most and most_bytes > 0:
            limit = min(CHUNK, self._most - len(found))
            more = self._log.read(topic, self._after[topic, 0], limit)
            found += more
            most_bytes -= sum(len(m.value) for m in more)
            if more:
                self._after[topic, 0] = more[-1].offset
            if len(more) < limit:
                break
        return found

    def start(self, after: Mapping[Place, int]) -> None:
        """Read each of these topics from behind an offset."""
        self._after |= after

    def rewind(self) -> None:
        """Make all topics fresh again."""
        self._after.clear()

    def kept(self, reached: Mapping[Place, int]) -> None:
        """Do nothing: there is no group whose progress others could ask for."""

    def ends(self) -> dict[Place, int]:
        """Last offset of each topic."""
        return {place: self._log.end_offset(place[0]) for place in self._after}

    def close(self) -> None:
        """Do nothing: the log is its owner's."""
