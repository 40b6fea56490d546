"""A process that runs nodes: drives them turn by turn, looks for new bundles, and ends in order."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from pathlib import Path

from edge_node.config import load
from edge_node.hosted import HostedNode, Opener
from edge_node.kernels import warm_up
from edge_node.reflex import Action
from edge_node.service import notify
from edge_node.sources import open_source

IDLE_S, LEAST_IDLE_S = 0.02, 2e-4
MODELS_EVERY_S = 0.5


class Host:
    """Runs several nodes, turn by turn, until their sources end or it is told to stop."""

    def __init__(
        self,
        configs: Sequence[Path],
        now_ns: int,
        opener: Opener = open_source,
        action: Action | None = None,
    ) -> None:
        self.nodes = [HostedNode(load(path), now_ns, opener, action) for path in configs]
        self.stopping = False
        self._models_at = 0.0

    def run(self) -> None:
        """Run until every source has ended or `stopping` is set; then drain."""
        warm_up()
        # What a process loads stays: looking through it again and again would stall decisions.
        gc.collect()
        gc.freeze()
        notify("READY=1")
        while not self.stopping and not all(n.done for n in self.nodes):
            self.turn_or_wait()
        notify("STOPPING=1")
        for hosted in self.nodes:
            hosted.drain()

    def turn_or_wait(self) -> None:
        """Give every node its turn; when none had anything to process, wait a little."""
        if not self.turn():
            self._idle()

    def turn(self) -> bool:
        """Give every node its turn; return whether any had a block to process."""
        now = time.monotonic()
        if now >= self._models_at:
            self._models_at = now + MODELS_EVERY_S
            for hosted in self.nodes:
                hosted.poll_models()
        # No short cut: every node gets its turn.
        busy = [hosted.step() for hosted in self.nodes]
        for hosted in self.nodes:
            hosted.keep()
        return any(busy)

    def _idle(self) -> None:
        """Wait for whichever source is due first, briefly, so that no signal waits for long."""
        now = time.monotonic()
        for hosted in self.nodes:
            hosted.rest(now)
            hosted.keep()
        due = min(hosted.node.source.wait_s() for hosted in self.nodes)
        time.sleep(min(max(due, LEAST_IDLE_S), IDLE_S))
