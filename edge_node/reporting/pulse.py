"""When a node says that it lives, and how much it says then.

Every record is a sign of life. A heartbeat is due only when nothing else has left for a while; it
tells all facts once an hour, and in between those that have changed. What is left out still holds:
the reader keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FULL_NS = 3_600 * 10**9
"""All facts are told so often."""
SLOW = frozenset({"latency_us_log20", "spool_bytes", "acquisition"})
"""Facts that change with every block: they are told with all others."""


class Pulse:
    """The heartbeats of one node.

    Parameters
    ----------
    every_ns : int
        Longest silence.
    """

    def __init__(self, every_ns: int) -> None:
        self._every_ns = every_ns
        self._began_ns: int | None = None
        self._said_ns: int | None = None
        self._full_ns: int | None = None
        self._told: dict[str, Any] = {}

    def reconfigure(self, every_ns: int) -> None:
        """Go on with another longest silence."""
        self._every_ns = every_ns

    def said(self, now_ns: int) -> None:
        """Take note that a record has been handed over, or that the stream has begun."""
        self._said_ns = now_ns
        if self._began_ns is None:
            self._began_ns = now_ns

    def due(self, now_ns: int) -> bool:
        """Whether it is time for a heartbeat: it was silent, or an hour has not been summed up.

        The first one does not wait for silence: a node that learns sends records all the time.
        """
        if self._said_ns is not None and now_ns - self._said_ns >= self._every_ns:
            return True
        if self._full_ns is None:
            return self._began_ns is not None and now_ns - self._began_ns >= self._every_ns
        return now_ns - self._full_ns >= max(FULL_NS, self._every_ns)

    def detail(
        self, facts: Mapping[str, Any], now_ns: int, *, full: bool = False
    ) -> dict[str, Any]:
        """Return what a heartbeat at this instant tells of the facts.

        All of them when an hour has passed or ``full`` is asked for; else those that have changed,
        with None for those that there are no more.
        """
        self._said_ns = now_ns
        full = full or self._full_ns is None or now_ns - self._full_ns >= FULL_NS
        changed = self._changed(facts)
        self._told = {k: v for k, v in facts.items() if k not in SLOW}
        if not full:
            return changed
        self._full_ns = now_ns
        return {**{k: None for k in changed if k not in facts}, **facts}

    def told_all(self, facts: Mapping[str, Any], now_ns: int) -> bool:
        """Whether all of these facts were told at this very instant."""
        return self._full_ns == now_ns and not self._changed(facts)

    def _changed(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return what differs from what was told last, None for what there is no more."""
        return {
            k: facts.get(k)
            for k in (*facts, *(k for k in self._told if k not in facts))
            if k not in SLOW and facts.get(k) != self._told.get(k)
        }

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state."""
        return {
            "began_ns": self._began_ns,
            "said_ns": self._said_ns,
            "full_ns": self._full_ns,
            "told": self._told,
        }

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from a snapshot; a checkpoint from before there were any has none."""
        if state is not None:
            self._said_ns, self._full_ns = state["said_ns"], state["full_ns"]
            self._began_ns = state.get("began_ns", self._said_ns)
            self._told = dict(state["told"])
