"""A process that runs nodes: drives them turn by turn, looks for new bundles, and ends in order."""

from __future__ import annotations

import gc
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from edge_node.config import NodeConfig, load
from edge_node.hosted import LAST_S, HostedNode, Opener
from edge_node.kernels import warm_up
from edge_node.reflex import Action
from edge_node.service.diary import Diary
from edge_node.service.live import process_facts
from edge_node.service.lock import FolderLock
from edge_node.service.reload import merged, reconfigure
from edge_node.service.systemd import Watchdog, notify
from edge_node.sources import open_source
from edge_node.uplink.uplink import over_kafka
from edge_node.wake import Wake
from vibro.errors import VibroError

LOG = logging.getLogger("vibro.host")
IDLE_S, LEAST_IDLE_S = 0.02, 2e-4
MODELS_EVERY_S = 0.5
SWITCH_S = 5e-4
"""After which a thread that ships or commits lets the one that decides go on; Python's own 5 ms
are more than a decision may take."""
STOP_S = 4.5
"""Time to end in order; who hangs longer is cut short, before a manager's five seconds are over."""
CUT_SHORT = 1
"""Exit status of a process that was."""

Check = Callable[[Path], NodeConfig]
"""Reads a configuration; raises VibroError with everything that is wrong with it."""


class Host:
    """Runs several nodes, turn by turn, until their sources end or it is told to stop.

    Raises
    ------
    VibroError
        If another process runs one of the nodes.
    """

    def __init__(
        self,
        configs: Sequence[Path],
        now_ns: int,
        opener: Opener = open_source,
        action: Action | None = None,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        sys.setswitchinterval(SWITCH_S)
        self._files, self._end = list(configs), end
        self.began_s = self.turned_s = self.looped_s = time.monotonic()
        with ExitStack() as held:
            for path in configs:
                held.callback(FolderLock(path.resolve().parent).release)
            self._wake = Wake()
            self.nodes = [
                HostedNode(load(path), now_ns, opener, action, self._wake) for path in configs
            ]
            self._locks = held.pop_all()
        self.stopping = self._looping = False
        self._stop_asked = threading.Lock()
        self._ended = threading.Event()
        self._check: Check | None = None
        self._watchdog = Watchdog(os.environ)
        self._diary = Diary(self.nodes)
        self._looked_at = 0.0

    # -- told from outside, on any thread --------------------------------------------------------

    def stop(self) -> None:
        """End in order; if that does not come about in time, end.

        Before the loop there is nothing to put in order, and a compiler that takes its time.
        """
        self.stopping = True
        if not self._looping:
            self._end(0)
        if self._stop_asked.acquire(blocking=False):
            threading.Thread(target=self._cut_short, name="end", daemon=True).start()

    def _cut_short(self) -> None:
        if not self._ended.wait(STOP_S):
            LOG.error(
                "not ended within %g s of being told to: something hangs (disk, link or source). "
                "The process ends now; the nodes go on from their last commit", STOP_S,
            )  # fmt: skip
            self._end(CUT_SHORT)

    def reload(self, check: Check) -> None:
        """Read the configurations again before the next turn; ``check`` finds what is wrong."""
        self._check = check

    # -- the loop --------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until every source has ended or `stopping` is set; then drain."""
        try:
            warm_up()
            # What a process loads stays: looking through it again and again would stall decisions.
            gc.collect()
            gc.freeze()
            self.turned_s = self.looped_s = time.monotonic()
            self._looping = True
            notify("READY=1")
            self._diary.begun(self.looped_s)
            while not self.stopping and not all(n.done for n in self.nodes):
                self.turn_or_wait()
                self.turned_s = time.monotonic()
                self._watchdog.turned(self.turned_s)
            notify("STOPPING=1")
            self._drain()
            self._diary.ended()
        finally:
            self._ended.set()
            self._locks.close()

    def _drain(self) -> None:
        """Commit every node before any is shipped; one that cannot must not keep the others."""
        failed: list[VibroError] = []

        def each(what: Callable[[HostedNode], None]) -> None:
            for hosted in self.nodes:
                try:
                    what(hosted)
                except VibroError as error:
                    failed.append(error)

        each(HostedNode.secure)
        until_s = time.monotonic() + LAST_S
        each(lambda hosted: hosted.close(until_s - time.monotonic()))
        if failed:
            raise failed[0]

    def release(self) -> None:
        """Let go of everything as it is, without an end in order: for who drives the turns."""
        for hosted in self.nodes:
            hosted.actuator.close(1.0)
            hosted.settle()
            hosted.uplink.close()
            hosted.node.spool.close()
        self._locks.close()

    def turn_or_wait(self) -> None:
        """Give every node its turn; when none has anything more to process, wait a little."""
        busy, due_s = self.turn(), self._due_s()
        # Of a live source, or one that has ended, only another turn can tell.
        if not busy or 0.0 < due_s < math.inf:
            self._idle(due_s)

    def turn(self) -> bool:
        """Give every node its turn; return whether any had a block to process."""
        now = time.monotonic()
        if now >= self._looked_at:
            self._looked_at = now + MODELS_EVERY_S
            self._look_round(now)
        # No short cut: every node gets its turn. All decide before any does more than that.
        busy = [hosted.step() for hosted in self.nodes]
        handed = False
        for hosted in self.nodes:
            # One commit a turn: gathering all at once would hold up the decisions that come next.
            handed = hosted.keep(commit=not handed) or handed
        return any(busy)

    def _look_round(self, now_s: float) -> None:
        """Do what need not be done in every turn."""
        for hosted in self.nodes:
            hosted.poll_models()
            hosted.poll_requests(time.time_ns())
        check, self._check = self._check, None
        if check is not None:
            notify("RELOADING=1")
            self._reconfigure(check)
            notify("READY=1")
        self._diary.look(now_s)

    def _reconfigure(self, check: Check) -> None:
        """Take over what can be, node by node; a configuration with a mistake changes nothing."""
        for path, hosted in zip(self._files, self.nodes, strict=True):
            node = hosted.config.node.id
            try:
                config, taken, waits = merged(hosted.config, check(path))
                if taken or over_kafka(config):
                    reconfigure(hosted, config)
            except VibroError as error:
                LOG.error("%s: the old configuration stays: %s", node, error)  # noqa: TRY400
                continue
            LOG.info("%s: reloaded: %s", node, ", ".join(taken) or "nothing has changed")
            if waits:
                LOG.warning(
                    "%s: not taken over, because it begins another stream: %s; restart the node",
                    node, ", ".join(waits),
                )  # fmt: skip

    def _due_s(self) -> float:
        """Seconds until a source that knows it has a block; infinite if none does."""
        return min(hosted.node.source.wait_s() for hosted in self.nodes)

    def _idle(self, due_s: float) -> None:
        """Wait for whichever source is due first, briefly, so that no signal waits for long.

        A live source ends the wait at once.
        """
        now = time.monotonic()
        for hosted in self.nodes:
            hosted.rest(now)
        self._wake.wait(min(max(due_s, LEAST_IDLE_S), IDLE_S))

    def facts(self) -> dict[str, object]:
        """What the process knows of its nodes; may be asked for from any thread."""
        return process_facts(self, time.monotonic(), time.time_ns())
