"""What a node remembers across a kill, and across the end of a stream epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_node.accounts import Accounts
from edge_node.blocks import Waiting
from edge_node.clip_desk import ClipDesk
from edge_node.packing import Packed
from edge_node.pipeline import Pipeline
from edge_node.requests import CaptureRequests
from edge_node.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Memory:
    """The parts of a node that have a state; together they make its checkpoint."""

    timeline: Timeline
    accounts: Accounts
    pipeline: Pipeline
    waiting: Waiting
    desk: ClipDesk
    requests: CaptureRequests

    def snapshot(self, kept: Sequence[Packed]) -> dict[str, Any]:
        """JSON-able state if ``kept`` are the clips that reach the spool."""
        return {
            "t0_ns": self.timeline.t0_ns,
            **self.accounts.snapshot(),
            **self.pipeline.snapshot(),
            "waiting": self.waiting.snapshot(),
            **self.desk.snapshot(kept),
            "asked": self.requests.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue the epoch of a snapshot; what an older one did not know begins afresh."""
        self.timeline.date(0, state["t0_ns"])
        self.accounts.restore(state)
        self.pipeline.restore(state)
        self.waiting.restore(state.get("waiting"))
        self.desk.restore(state)
        self.requests.restore(state.get("asked"))

    def follow(self, state: Mapping[str, Any]) -> None:
        """Take over from the epoch before what outlives it: its judgement and its bounds a day."""
        self.pipeline.follow(state)
        self.desk.follow(state)
        self.requests.restore(state.get("asked"))
