"""A node with what surrounds it: its spool, its uplink, its bundle slot and its actuator."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from edge_node.acquisition import Live
from edge_node.config import NodeConfig
from edge_node.epochs import Epochs
from edge_node.judging.models import BundleSlot, Notice
from edge_node.node import Node
from edge_node.outbox import Batch
from edge_node.reflex import Action, Actuator, action_of
from edge_node.service.facts import status
from edge_node.ship import Shipper
from edge_node.sources import open_source
from edge_node.sources.port import Source
from edge_node.spool import EnduringSpool
from edge_node.uplink.uplink import Uplink, largest_bytes
from edge_node.wake import Wake
from vibro.assets import Machine, parse_register, register_text
from vibro.errors import BadInputError

ACTION_S, LAST_S = 1.0, 1.5
"""Time for queued actions, and for what all nodes still have to ship, when the process ends."""
QUIET_S = 1.0
"""A stream in real time that says nothing for so long, beside two blocks, has come to rest."""

Opener = Callable[[NodeConfig, Machine, int], Source | Live]
"""Opens the source of a node; the time dates a stream that has no date."""


class HostedNode:
    """A node with what surrounds it: spool, uplink and bundle slot.

    A node lives for one stream epoch. When that is over its records are closed, and the next epoch
    gets a node of its own on the same spool.

    Parameters
    ----------
    config : NodeConfig
    now_ns : int
        Time of day, dates a recorded stream that has no date.
    opener : callable, optional
    action : callable, optional
        Of the reflex, instead of the configured one.
    wake : Wake, optional
        Is set whenever a live source has something to process.
    """

    def __init__(
        self,
        config: NodeConfig,
        now_ns: int,
        opener: Opener = open_source,
        action: Action | None = None,
        wake: Wake | None = None,
    ) -> None:
        self.config = config
        self.machine = machine_of(config)
        self._spool = EnduringSpool(
            config.folder / "spool.db",
            round(config.spool.max_mb * 1e6),
            round(config.spool.max_age_days * 86_400e9),
            clip_lead_s=config.reporting.clip_lead_s,
            reserve_bytes=round(config.spool.reserve_mb * 1e6),
            largest_bytes=largest_bytes(config),
        )
        self._slot = BundleSlot(config.folder, config.node.site, self.machine.machine_class)
        held = json.loads(self._spool.checkpoint() or "{}")
        # A recording begins when it first did, unless its epoch was closed for ever.
        began_ns = None if held.get("closed") else held.get("t0_ns")
        opened = opener(config, self.machine, began_ns or now_ns)
        self._keeper = ThreadPoolExecutor(1, "keeper")
        self._keeping: Future[None] | None = None
        self.actuator = Actuator(action or action_of(config.reflex, config.folder))
        self._epochs = Epochs(self._node, self.machine, opened, held, wake or Wake())
        self.real = config.source.pace == "real"
        self.uplink = Uplink(self._spool, config, real=self.real)
        self._told = -1
        self._stepped_at = time.monotonic()
        self._keeping_since = 0.0
        self.refused = self._slot.refused
        self._quiet_s = 2.0 * config.source.block_s + QUIET_S if self.real else 0.0

    @property
    def node(self) -> Node:
        """The node of the present stream epoch."""
        return self._epochs.node

    def _node(self, source: Source) -> Node:
        return Node(
            self.config,
            self.machine,
            source,
            self._spool,
            self._slot.accepted(),
            time.perf_counter,
            self.actuator,
        )

    @property
    def shipper(self) -> Shipper:
        """What empties the spool; it counts what it shipped."""
        return self.uplink.shipper

    # -- facts, for whoever asks on whichever thread ---------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the source has ended."""
        return self._epochs.closed

    @property
    def trouble(self) -> str:
        """Why the spool cannot be written; empty while it can."""
        return self._spool.trouble

    def quiet_s(self, now_s: float) -> float:
        """Time since the source last said something."""
        return now_s - self._stepped_at

    def held_up_s(self, now_s: float) -> float:
        """Time for which a commit has waited for the disk; 0 = none does."""
        if self._keeping is None or self._keeping.done():
            return 0.0
        return now_s - self._keeping_since

    # -- turns -----------------------------------------------------------------------------------

    def poll_models(self) -> None:
        """Take over a newly announced bundle of this machine's class, if it proves good."""
        for stored in self.uplink.received("models"):
            if stored.key != self.machine.machine_class:
                continue
            try:
                notice = Notice.parse(self.config.node.site, stored.key, stored.value)
            except BadInputError as error:
                # Whoever can write to the topic must not be able to stop the node.
                self._slot.refused.append(str(error))
                continue
            if notice.version == self.node.bundle_version:
                continue
            bundle = self._slot.offer(
                notice,
                self.config.path(self.config.ship.bundles),
                dict(stored.headers).get("bundle"),
            )
            if bundle is not None:
                self.settle()
                self.node.use(bundle)

    def poll_requests(self, now_ns: int) -> None:
        """Answer what people ask of this machine, once the stream has a date."""
        if not self.node.begun:
            return
        for stored in self.uplink.received("requests"):
            if stored.key == self.machine.path:
                self.node.ask(stored.value, now_ns)

    def step(self) -> bool:
        """Process one block; when there is none, close or commit and ship.

        In real time it is the keeper that commits: no decision waits for the disk.
        """
        if self.node.step(commit=not self.real):
            self._stepped_at = time.monotonic()
            return True
        if not self._epochs.turn(self.settle):
            return False
        if self._epochs.closed:
            self._ship()
        return True

    def rest(self, now_s: float) -> None:
        """Commit and say so when the source has been quiet; between two blocks it only pauses."""
        if not self._epochs.over and now_s - self._stepped_at >= self._quiet_s:
            self.settle()
            self.node.rest()

    @property
    def done(self) -> bool:
        """Whether the source has ended and everything is shipped."""
        if not self._epochs.closed:
            return False
        self.settle()
        return not self.shipper.pending

    def report(self) -> dict[str, Any]:
        """What the node did, for `vibro edge run --json`."""
        return {
            **status(self.config),
            "bundle": self.node.bundle_version,
            "bundles_refused": self.refused,
            "shipped_records": self.shipper.records,
            "shipped_bytes": self.shipper.bytes_by_kind,
            "reflex": {"trips": self.actuator.trips, "dropped": self.actuator.dropped},
        }

    def ship(self, within_s: float = LAST_S) -> None:
        """Ship what is committed, as far as that can be done within a time."""
        self.settle()
        self.uplink.finish(within_s)

    def _ship(self) -> None:
        """Let go what is committed."""
        commits = self._epochs.commits
        if commits != self._told:
            self._told = commits
            self.uplink.tell()
        self.uplink.turn()

    def keep(self, *, commit: bool = True) -> bool:
        """Do what no fast decision waits for: report, judge long windows, commit and ship.

        In real time the disk is left to a thread of its own, and the link to another.

        Parameters
        ----------
        commit : bool
            Hand over a commit that is due; else that is left to the next turn.

        Returns
        -------
        bool
            Whether one was handed over.
        """
        self.node.complete()
        handed = False
        if self.real:
            if self._keeping is not None and not self._keeping.done():
                return False
            self.settle()
            handed = commit and self.node.commit_due
            if handed:
                self._keeping_since = time.monotonic()
                self._keeping = self._keeper.submit(self._write, self.node.hand_over())
        self._ship()
        return handed

    def _write(self, batch: Batch) -> None:
        self.node.write(batch)
        self.uplink.tell()

    def settle(self) -> None:
        """Wait for the keeper; what it could not do is raised here."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.result()

    def secure(self) -> None:
        """Commit everything: what comes now may be cut short."""
        self.settle()
        if self._epochs.stop():
            while self.step():
                pass
        # A device that hangs keeps its epoch open: what there is of it is kept nevertheless.
        if not self._epochs.over:
            self.node.drain()
            self.node.commit(wait=True)

    def close(self, within_s: float = LAST_S) -> None:
        """End actions and ship what is committed, before the process ends."""
        self.actuator.close(ACTION_S)
        self.ship(within_s)
        self._keeper.shutdown()
        self.uplink.close()


def machine_of(config: NodeConfig) -> Machine:
    """Asset record of the node's machine, from the register its configuration names."""
    path = config.path(config.register)
    return parse_register(register_text(path), str(path)).machine(
        f"{config.node.site}/{config.node.machine}"
    )
