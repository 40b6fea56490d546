"""Where each place of the log stands: what is queued, what the server holds, what is to be read.

A place is *joined* while everything from what the server holds up to what the consumer has reached
lies in the queue. It is *behind* when that is not so: when it is new to this process, or when the
queue was full. What is behind is read from the log again, until it joins. No threads, no clocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cloud_jobs.timeseries.points import wanted
from vibro.log import Place
from vibro.records import FeatureBlock, Record

KINDS = frozenset({"features", "events", "health"})
"""Last words of the topics whose records become points."""
_RECORD_BYTES = 1000


@dataclass(slots=True)
class _Standing:
    """One place; ``held`` is None until it is known what the server holds."""

    reached: int
    since_s: float
    held: int | None = None
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What one batch of the consumer, or several, bring."""

    reached: dict[Place, int]
    records: list[Record]
    size: int = 0
    since_s: float = 0.0


@dataclass(slots=True)
class Progress:
    """The queue and every place's standing.

    Parameters
    ----------
    most_bytes : int
        Bound of the queue; beyond it everything is behind.
    """

    most_bytes: int
    size: int = 0
    overflows: int = 0
    _queue: deque[Taken] = field(default_factory=deque)
    _places: dict[Place, _Standing] = field(default_factory=dict)

    def take(
        self,
        reached: Mapping[Place, int],
        records: Sequence[tuple[Place, int, Record]],
        now_s: float,
    ) -> None:
        """Queue what the consumer hands over, of joined places; all others are read later."""
        ours = {p: o for p, o in reached.items() if p[0].rsplit(".", 1)[-1] in KINDS}
        for place in ours:
            self._places.setdefault(place, _Standing(0, now_s))
        joined = {p: o for p, o in ours.items() if self._places[p].joined}
        for place, offset in ours.items():
            self._places[place].reached = max(self._places[place].reached, offset)
        kept = [r for place, _, r in records if place in joined and wanted(r)]
        size = sum(_size(r) for r in kept)
        if joined and self.size + size > self.most_bytes:
            self._fall_behind(now_s)
        elif joined:
            self._queue.append(Taken(joined, kept, size, now_s))
            self.size += size

    def _fall_behind(self, now_s: float) -> None:
        """Let go of the queue: the log has it all."""
        since_s = self._queue[0].since_s if self._queue else now_s
        self._queue.clear()
        self.size = 0
        self.overflows += 1
        for standing in self._places.values():
            if standing.joined and (standing.held or 0) < standing.reached:
                standing.joined, standing.since_s = False, since_s

    def assigned(self, places: Iterable[Place]) -> None:
        """Take note that places are newly this process's: others may have written them since."""
        fresh = set(places)
        for place in fresh:
            self._places.pop(place, None)
        self._queue = deque(_without(t, fresh) for t in self._queue)

    @property
    def queued(self) -> bool:
        """Whether the queue holds anything."""
        return bool(self._queue)

    def waiting(self) -> bool:
        """Whether there is anything to write or to find out."""
        return self.queued or any(not s.joined for s in self._places.values())

    def next(self, most_points: int) -> Taken | None:
        """Take what is queued, up to about so many points or at least one batch; None if empty."""
        if not self._queue:
            return None
        reached: dict[Place, int] = {}
        records: list[Record] = []
        points, since_s = 0, self._queue[0].since_s
        while self._queue and (not reached or points < most_points):
            taken = self._queue.popleft()
            reached |= taken.reached
            records += taken.records
            points += sum(r.rows if isinstance(r, FeatureBlock) else 1 for r in taken.records)
            self.size -= taken.size
        return Taken(reached, records, 0, since_s)

    def unknown(self) -> list[Place]:
        """Places of which it is not known what the server holds."""
        return [p for p, s in self._places.items() if s.held is None]

    def know(self, held: Mapping[Place, int]) -> set[Place]:
        """Learn what the server holds, 0 of a place that it has nothing of.

        Returns
        -------
        set of Place
            Those that were made anew: the server would be ahead of the consumer, but what it holds
            is of another place of that name.
        """
        anew: set[Place] = set()
        for place in set(self.unknown()) & set(held):
            standing = self._places[place]
            if held[place] > standing.reached:
                anew.add(place)
            standing.held = 0 if place in anew else held[place]
            self._join(place)
        return anew

    def behind(self) -> tuple[Place, int, int] | None:
        """Return a place that is to be read, the offset after which, and that up to which."""
        for place, s in self._places.items():
            if not s.joined and s.held is not None:
                # The others have their turn first, next time.
                self._places[place] = self._places.pop(place)
                return place, s.held, s.reached
        return None

    def acknowledge(self, reached: Mapping[Place, int]) -> None:
        """Take note of what the server now holds."""
        for place, offset in reached.items():
            standing = self._places.get(place)
            if standing is not None and standing.held is not None:
                standing.held = max(standing.held, offset)
                self._join(place)

    def _join(self, place: Place) -> None:
        standing = self._places[place]
        if not standing.joined and standing.held is not None:
            standing.joined = standing.held >= standing.reached

    def missing(self) -> int:
        """Messages that the consumer has kept and the server does not hold."""
        return sum(max(0, s.reached - (s.held or 0)) for s in self._places.values())

    def oldest_s(self) -> float | None:
        """Since when something waits; None when nothing does."""
        waiting = [s.since_s for s in self._places.values() if not s.joined]
        waiting += [t.since_s for t in list(self._queue)[:1]]
        return min(waiting, default=None)


def _size(record: Record) -> int:
    if isinstance(record, FeatureBlock):
        return _RECORD_BYTES + sum(c.nbytes for c in record.columns.values())
    return _RECORD_BYTES


def _without(taken: Taken, places: set[Place]) -> Taken:
    """Leave places out: their records may stay, because writing them twice is a no-op."""
    kept = {p: o for p, o in taken.reached.items() if p not in places}
    return Taken(kept, taken.records, taken.size, taken.since_s)
