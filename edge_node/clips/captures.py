"""When a clip of an event is due: at once, again when it grows, and again while it stays.

A fault is often detected before its lines can be told from the noise, so the first clip of an
event may show nothing that an analyst could name. While an event stays open another clip follows
after the spacing, then after four times that, and so on: the fault grows, the traffic not. An event
that has grown is news: its clip may follow after a quarter of the spacing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vibro.faults import Severity
from vibro.records import Event

DAY_NS = 86_400 * 10**9
STRETCH = 4
NEWS = 4
"""A grown event waits this many times less."""


@dataclass(frozen=True, slots=True)
class Due:
    """A clip to take now, of which event (its thing) and revision."""

    event: str
    revision: int


class CaptureRules:
    """Decides on the clips of one machine's events.

    Parameters
    ----------
    spacing_ns : int
        Least time between two clips, but for an event that has grown.
    per_day : int
        Most clips within a day.
    """

    def __init__(self, spacing_ns: int, per_day: int) -> None:
        self._spacing_ns, self._per_day = spacing_ns, per_day
        self._taken: list[int] = []
        self._open: dict[str, int] = {}
        self._wait_ns = spacing_ns

    def reconfigure(self, spacing_ns: int, per_day: int) -> None:
        """Go on with another spacing and number; what was taken counts."""
        self._spacing_ns, self._per_day = spacing_ns, per_day

    def event(self, event: Event) -> Due | None:
        """Take note of an event's revision; return the clip that it calls for."""
        thing, now_ns = event.id.thing, event.t_decided_ns
        if event.t_clear_ns is not None:
            self._open.pop(thing, None)
            return None
        if event.severity < Severity.WATCH:
            return None
        spacing_ns = self._spacing_ns // (NEWS if thing in self._open else 1)
        if event.sensor_fault is None:
            self._open[thing] = event.id.revision
        else:
            # What a broken sensor says next is as worthless as what it says now.
            self._open.pop(thing, None)
        if not self._may(now_ns, spacing_ns):
            return None
        self._take(now_ns, self._spacing_ns)
        return Due(thing, event.id.revision)

    def later(self, now_ns: int) -> Due | None:
        """Return the clip that an event calls for because it has stayed."""
        if not self._open or not self._taken or now_ns - self._taken[-1] < self._wait_ns:
            return None
        if not self._may(now_ns, self._spacing_ns):
            return None
        self._take(now_ns, STRETCH * self._wait_ns)
        thing = next(iter(self._open))
        return Due(thing, self._open[thing])

    def _may(self, now_ns: int, spacing_ns: int) -> bool:
        self._taken = [t for t in self._taken if now_ns - t < DAY_NS]
        spaced = not self._taken or now_ns - self._taken[-1] >= spacing_ns
        return spaced and len(self._taken) < self._per_day

    def _take(self, now_ns: int, wait_ns: int) -> None:
        self._taken.append(now_ns)
        self._wait_ns = wait_ns

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state."""
        return {"taken": self._taken, "open": self._open, "wait_ns": self._wait_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a snapshot."""
        self._taken, self._open = list(state["taken"]), dict(state["open"])
        self._wait_ns = state["wait_ns"]
