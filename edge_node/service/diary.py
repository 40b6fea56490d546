"""What happens to the nodes of a process, one line a change: begun, link lost, silent, ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from edge_node.hosted import HostedNode
from edge_node.service.live import ailments, node_facts
from edge_node.uplink.link import SLOW_S

LOG = logging.getLogger("vibro.node")


class Diary:
    """Compares what it sees with what it saw last, and says what has changed.

    Parameters
    ----------
    nodes : sequence of HostedNode
    """

    def __init__(self, nodes: Sequence[HostedNode]) -> None:
        self._nodes = nodes
        self._bundles = [hosted.node.bundle_version for hosted in nodes]
        self._refused = [0 for _ in nodes]
        self._links = [("", "")] * len(nodes)
        self._deaf = [""] * len(nodes)
        self._ill: set[str] = set()
        self._since_s = 0.0

    def begun(self, now_s: float) -> None:
        """Say which nodes run, now that the loop begins."""
        self._since_s = now_s
        for hosted in self._nodes:
            config = hosted.config
            LOG.info(
                "%s: listens to %s, %d channels, %s; %s", config.node.id, hosted.machine.path,
                len(hosted.machine.points), config.source.kind,
                f"bundle {hosted.node.bundle_version}" if hosted.node.bundle_version
                else "learning (no bundle yet)",
            )  # fmt: skip

    def look(self, now_s: float) -> None:
        """Say what has changed since the last look."""
        for at, hosted in enumerate(self._nodes):
            self._bundle(at, hosted)
            self._link(at, hosted)
        self._ailments(now_s)

    def ended(self) -> None:
        """Say how far the nodes came."""
        for hosted in self._nodes:
            LOG.info(
                "%s: ended in order; %s", hosted.config.node.id,
                hosted.shipper.last_error or "everything is shipped",
            )  # fmt: skip

    def _bundle(self, at: int, hosted: HostedNode) -> None:
        version = hosted.node.bundle_version
        if version != self._bundles[at]:
            self._bundles[at] = version
            LOG.info("%s: runs bundle %s", hosted.config.node.id, version)
        for why in hosted.refused[self._refused[at] :]:
            LOG.warning("%s: bundle refused: %s", hosted.config.node.id, why)
        self._refused[at] = len(hosted.refused)

    def _link(self, at: int, hosted: HostedNode) -> None:
        """Say how the link stands when that changes, not at every attempt."""
        node, link = hosted.config.node.id, hosted.shipper.link.facts()
        was, self._links[at] = self._links[at], (link.state, link.error)
        if link.error and was != self._links[at]:
            LOG.warning("%s: the link is down (%s): %s", node, link.state, link.error)
        elif link.state == "slow" != was[0]:
            LOG.warning("%s: the link is slow: an answer takes more than %g s", node, SLOW_S)
        elif link.state == "connected" and was[0] not in {"", "untried", "connected"}:
            LOG.warning("%s: the link is back", node)
        deaf = hosted.uplink.deaf
        if deaf not in {"", self._deaf[at]} and deaf != link.error:
            LOG.warning("%s: neither models nor requests can be read: %s", node, deaf)
        self._deaf[at] = deaf

    def _ailments(self, now_s: float) -> None:
        """Say when something falls ill and when it is well again, without the figures between."""
        now_ns = time.time_ns()
        nodes = [node_facts(h, self._since_s, now_s, now_ns) for h in self._nodes]
        # The loop that looks has just gone round.
        ill = ailments(0.0, nodes)
        for matter in ill.keys() - self._ill:
            LOG.warning("%s", ill[matter])
        for matter in self._ill - ill.keys():
            LOG.warning("%s: well again", matter)
        self._ill = set(ill)
