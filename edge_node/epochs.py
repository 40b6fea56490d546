"""The epochs of a node's stream: each has a node of its own, all share one spool.

A recorded stream goes on from its checkpoint. A live one cannot be read again: the epoch that a
checkpoint was left in is closed (rows, counters, events), and the next one begins afresh; what
passed in between is a gap before its first sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edge_node.acquisition import Ended, Live
from edge_node.node import Node
from edge_node.sources.port import Source
from edge_node.wake import Wake
from vibro.assets import Machine
from vibro.records import StreamInfo


class Epochs:
    """Gives every epoch its node.

    Parameters
    ----------
    make : callable
        Takes the source of an epoch; returns a node that goes on from the spool's checkpoint, or
        follows it.
    machine : Machine
    opened : Source or Live
    held : mapping
        The spool's checkpoint, empty without one.
    wake : Wake
        Is set whenever a live source has something to process.

    Attributes
    ----------
    node : Node
        Of the present epoch; while none has begun, of the last one.
    over : bool
        Whether the present epoch is closed and another is waited for.
    closed : bool
        Whether nothing will ever follow.
    """

    def __init__(
        self,
        make: Callable[[Source], Node],
        machine: Machine,
        opened: Source | Live,
        held: Mapping[str, Any],
        wake: Wake,
    ) -> None:
        self._make, self._commits = make, 0
        self._live = opened if isinstance(opened, Live) else None
        self.over = self.closed = False
        if isinstance(opened, Live):
            self._close_former(machine, held)
            left = (held["epoch"], self.node.now_ns if held["t0_ns"] else None) if held else None
            opened.start(wake, left)
            return
        if held and held.get("epoch") != opened.info.stream_epoch:
            self._close_former(machine, held)
        self._begin(opened)

    @property
    def commits(self) -> int:
        """How often something was handed to the spool, in all epochs."""
        return self._commits + self.node.commits

    def _begin(self, source: Source, before: Node | None = None) -> None:
        self._commits += before.commits if before is not None else 0
        self.node, self.over = self._make(source), False

    def _close_former(self, machine: Machine, held: Mapping[str, Any]) -> None:
        """Close the epoch that nobody can go on with; without one, stand in its place."""
        scale = np.ones(len(machine.channels), np.float32)
        rate_hz = held.get("rate_hz", machine.points[0].rate_hz)
        info = StreamInfo(machine.channels, rate_hz, scale, held.get("epoch", 0), 2)
        live = self._live
        self._begin(Ended(info, lambda: live is None or not live.over))
        if held and not held.get("closed"):
            self.node.finish(closing=True)
        self.over = True

    def turn(self, settle: Callable[[], None]) -> bool:
        """Close what is over and begin what has begun; return whether there was either.

        Parameters
        ----------
        settle : callable
            Waits for whoever writes for the node.
        """
        if self.closed or not self.node.source.finished:
            return False
        closing = not self.over
        if closing:
            settle()
            self.node.finish(closing=self._live is not None)
            self.over = True
        if self._live is not None:
            source = self._live.next_epoch()
            if source is not None:
                settle()
                self._begin(source, self.node)
                return True
            if not self._live.over:
                return closing
        self.closed = True
        return True

    def stop(self) -> bool:
        """Stop acquisition; return whether there is what may still be read, down to its end."""
        if self._live is None:
            return False
        self._live.stop()
        return True
