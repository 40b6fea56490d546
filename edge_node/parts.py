"""The parts of a node that have a state: made together, remembered together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_node.clips.desk import ClipDesk
from edge_node.clips.packing import Packed
from edge_node.clips.requests import CaptureRequests
from edge_node.config import NodeConfig
from edge_node.judging.judge import Judge
from edge_node.outbox import Outbox
from edge_node.pipeline import Pipeline
from edge_node.privacy import Privacy
from edge_node.reporting.accounts import Accounts
from edge_node.reporting.blocks import Waiting
from edge_node.spool import EnduringSpool, Spool, SpoolWriter
from edge_node.timeline import Timeline
from vibro.assets import Machine
from vibro.records import LIVE, Origin, StreamInfo


@dataclass(frozen=True, slots=True)
class Parts:
    """What a node is made of for one stream epoch."""

    origin: Origin
    timeline: Timeline
    accounts: Accounts
    desk: ClipDesk
    outbox: Outbox
    pipeline: Pipeline
    requests: CaptureRequests

    @classmethod
    def of(
        cls, config: NodeConfig, machine: Machine, info: StreamInfo, spool: Spool | EnduringSpool
    ) -> Parts:
        """Make the parts for a stream."""
        node, reporting = config.node, config.reporting
        # The sequence is given by the spool at the moment of the append.
        origin = Origin(node.id, node.site, node.machine, LIVE, 0, info.stream_epoch)
        timeline = Timeline(info.rate_hz)
        privacy = _privacy(config, machine)
        desk = ClipDesk(reporting, info, origin, timeline, privacy)
        outbox = Outbox(
            SpoolWriter(spool, origin.machine_path, round(config.ship.live_s * 1e9)),
            origin,
            tuple(c.channel for c in info.channels),
            Waiting(round(reporting.status_s * 1e9), round(reporting.sample_s * 1e9)),
            desk,
            privacy,
        )
        return cls(
            origin,
            timeline,
            Accounts(origin, len(info.channels), info.sample_bytes, reporting.heartbeat_s),
            desk,
            outbox,
            Pipeline(machine, info, config, origin, timeline, outbox, desk),
            CaptureRequests(
                reporting.captures_s_per_day, reporting.clip_s, reporting.capture_max_s
            ),
        )

    def reconfigure(self, config: NodeConfig, machine: Machine, judge: Judge | None) -> None:
        """Go on with other intervals, limits and rules of what may leave."""
        privacy = _privacy(config, machine)
        self.desk.reconfigure(config.reporting, privacy)
        self.outbox.reconfigure(config.reporting, privacy)
        self.accounts.reconfigure(config.reporting.heartbeat_s)
        self.pipeline.reconfigure(config.reporting, judge)

    def snapshot(self, kept: Sequence[Packed]) -> dict[str, Any]:
        """JSON-able state if ``kept`` are the clips that reach the spool."""
        return {
            "t0_ns": self.timeline.t0_ns,
            **self.accounts.snapshot(),
            **self.pipeline.snapshot(),
            "waiting": self.outbox.waiting.snapshot(),
            **self.desk.snapshot(kept),
            "asked": self.requests.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue the epoch of a snapshot; what an older one did not know begins afresh."""
        self.timeline.date(0, state["t0_ns"])
        self.accounts.restore(state)
        self.pipeline.restore(state)
        self.outbox.waiting.restore(state.get("waiting"))
        self.desk.restore(state)
        self.requests.restore(state.get("asked"))

    def follow(self, state: Mapping[str, Any]) -> None:
        """Take over from the epoch before what outlives it: its judgement and its bounds a day."""
        self.pipeline.follow(state)
        self.desk.follow(state)
        self.requests.restore(state.get("asked"))


def _privacy(config: NodeConfig, machine: Machine) -> Privacy:
    return Privacy(config.privacy, config.ship.region, machine.region)
