"""Where each place of the log stands: what the server holds, what is queued, what is missing.

Of a place the server holds everything up to an offset; behind it may be a gap; from the gap's end
on everything was handed over, and is written or queued. A gap is there when this process takes a
place over that is farther than the server, and when the queue was full and was let go. Gaps are
read from the log, nothing else is: whoever has decoded a record has decoded it for all sinks. No
threads, no clocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloud_jobs.timeseries.points import wanted
from vibro.log import Place
from vibro.records import FeatureBlock, Record

KINDS = frozenset({"features", "events", "health"})
"""Last words of the topics whose records become points."""
_RECORD_BYTES = 1000


@dataclass(slots=True)
class _Standing:
    """One place.

    Attributes
    ----------
    held : int or None
        The server has everything up to here; None until that is known.
    start, written, reached : int
        Behind ``start`` everything was handed over: up to ``written`` it is written, up to
        ``reached`` queued.
    since_s : float
        When a gap was first known.
    later_s : float
        When it is tried to read the gap again.
    """

    start: int
    written: int
    reached: int
    since_s: float
    held: int | None = None
    later_s: float = float("-inf")

    @property
    def whole(self) -> bool:
        """Whether there is no gap."""
        return self.held is not None and self.held >= self.start

    def close(self) -> None:
        """Go on to what is written, where there is no gap before it."""
        if self.held is not None and self.held >= self.start:
            self.held = max(self.held, self.written)


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
        Bound of the queue.
    """

    most_bytes: int
    size: int = 0
    overflows: int = 0
    _queue: deque[Taken] = field(default_factory=deque)
    _places: dict[Place, _Standing] = field(default_factory=dict)

    # -- from the consumer -----------------------------------------------------------------------

    def assigned(self, after: Mapping[Place, int], now_s: float) -> None:
        """Take note that the consumer takes places (over), and behind which offset it goes on.

        One that stands where it was handed over to has been nobody else's since.
        """
        for place, offset in after.items():
            standing = self._places.get(place)
            if _is_ours(place) and (standing is None or standing.reached != offset):
                self._places[place] = _Standing(offset, offset, offset, now_s)
                self._queue = deque(_without(t, place) for t in self._queue)

    def take(
        self,
        reached: Mapping[Place, int],
        records: Sequence[tuple[Place, int, Record]],
        now_s: float,
    ) -> None:
        """Queue what the consumer hands over, of the places that it was assigned."""
        ours = {p: o for p, o in reached.items() if p in self._places}
        kept = [r for place, _, r in records if place in ours and wanted(r)]
        size = sum(_size(r) for r in kept)
        for place, offset in ours.items():
            self._places[place].reached = offset
        if self.size + size > self.most_bytes:
            self._let_go(now_s)
        elif ours:
            self._queue.append(Taken(ours, kept, size, now_s))
            self.size += size

    def _let_go(self, now_s: float) -> None:
        """Empty the queue: the log has it all."""
        since_s = self._queue[0].since_s if self._queue else now_s
        self._queue.clear()
        self.size = 0
        self.overflows += 1
        for standing in self._places.values():
            if standing.whole:
                standing.since_s = since_s
            if standing.written < standing.reached:
                standing.start = standing.written = standing.reached

    # -- to the server ---------------------------------------------------------------------------

    @property
    def queued(self) -> bool:
        """Whether the queue holds anything."""
        return bool(self._queue)

    def waiting(self, now_s: float) -> bool:
        """Whether there is anything to write or to find out now."""
        return self.queued or any(not s.whole and s.later_s <= now_s for s in self._places.values())

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

    def wrote(self, reached: Mapping[Place, int]) -> dict[Place, int]:
        """Take note that what `next` gave is written; return what the server holds by now."""
        for place, offset in reached.items():
            if place in self._places:
                standing = self._places[place]
                standing.written = min(max(standing.written, offset), standing.reached)
                standing.close()
        return self._held(reached)

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
            standing.close()
        return anew

    def gap(self, now_s: float) -> tuple[Place, int, int] | None:
        """Return a place with a gap: behind which offset it begins, and with which it ends."""
        for place, s in self._places.items():
            if s.held is not None and s.held < s.start and s.later_s <= now_s:
                # The others have their turn first, next time.
                self._places[place] = self._places.pop(place)
                return place, s.held, s.start
        return None

    def postpone(self, place: Place, later_s: float) -> None:
        """Leave a gap, about which the log has nothing to tell now, alone until a time."""
        if place in self._places:
            self._places[place].later_s = later_s

    def filled(self, reached: Mapping[Place, int]) -> dict[Place, int]:
        """Take note that a gap is written up to an offset; return what the server holds by now."""
        for place, offset in reached.items():
            standing = self._places.get(place)
            if standing is not None and standing.held is not None:
                standing.held = max(standing.held, offset)
                standing.close()
        return self._held(reached)

    def _held(self, places: Mapping[Place, int]) -> dict[Place, int]:
        standings = {p: self._places[p] for p in places if p in self._places}
        return {p: s.held for p, s in standings.items() if s.held is not None}

    # -- for whoever looks -----------------------------------------------------------------------

    def missing(self) -> int:
        """Messages that the consumer has kept and that the server is not known to hold."""
        return sum(max(0, s.reached - (s.held or 0)) for s in self._places.values())

    def oldest_s(self) -> float | None:
        """Since when something waits; None when nothing does."""
        waiting = [s.since_s for s in self._places.values() if not s.whole]
        waiting += [t.since_s for t in list(self._queue)[:1]]
        return min(waiting, default=None)


def _is_ours(place: Place) -> bool:
    return place[0].rsplit(".", 1)[-1] in KINDS


def _size(record: Record) -> int:
    if isinstance(record, FeatureBlock):
        return _RECORD_BYTES + sum(c.nbytes for c in record.columns.values())
    return _RECORD_BYTES


def _without(taken: Taken, place: Place) -> Taken:
    """Leave a place out; its records may stay, because writing them twice is a no-op."""
    kept = {p: o for p, o in taken.reached.items() if p != place}
    return Taken(kept, taken.records, taken.size, taken.since_s)
