"""One edge node: every sample through features, score and decision into the spool.

The node is a state machine that is driven by `step`: it owns no thread, reads no wall clock and
draws no random number. What it finds is gathered in an outbox and committed to the spool together
with a checkpoint, in one transaction: after a kill at any instruction the node goes back to the
checkpoint, reads the samples again that a result may still depend on, and yields exactly what it
would have yielded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from edge_node.clips.packing import Packed
from edge_node.clips.requests import refusal
from edge_node.config import NodeConfig
from edge_node.gather import HopGatherer
from edge_node.judging.judge import Judge
from edge_node.judging.prior import prior_of
from edge_node.outbox import Batch
from edge_node.parts import Parts
from edge_node.reflex import Reflex, Trip
from edge_node.sources.port import Gap, Source
from edge_node.spool import EnduringSpool, Spool
from vibro import __version__
from vibro.assets import Machine
from vibro.bundle import Bundle
from vibro.records import Health, SampleBlock


class Node:
    """The pipeline of one machine.

    Parameters
    ----------
    config : NodeConfig
    machine : Machine
        The asset record of the machine that the node listens to.
    source : Source
    spool : Spool or EnduringSpool
    bundle : Bundle or None
        The bundle accepted before a restart.
    monotonic : callable
        Monotonic clock in seconds, for latencies only.
    act : callable, optional
        Takes the limits that 20 ms blocks exceed, and returns at once; without it none is judged.
    """

    def __init__(
        self,
        config: NodeConfig,
        machine: Machine,
        source: Source,
        spool: Spool | EnduringSpool,
        bundle: Bundle | None,
        monotonic: Callable[[], float],
        act: Callable[[Trip], None] | None = None,
    ) -> None:
        self.config, self.machine, self.source, self.spool = config, machine, source, spool
        self._monotonic = monotonic
        self._parts = parts = Parts.of(config, machine, source.info, spool)
        self._timeline, self._accounts, self._desk = parts.timeline, parts.accounts, parts.desk
        self._outbox, self._pipeline = parts.outbox, parts.pipeline
        self._rested = 0
        self._commissioned = self._closed = False
        self._decided: SampleBlock | None = None
        self._last_commit_ns = 0
        self._resume()
        reflex = None if act is None else Reflex(config.reflex, source.info, self._accounts.end)
        self._reflex = reflex if reflex is not None and reflex.armed else None
        self._act = act or (lambda _: None)
        # After the checkpoint, which may be older than the bundle and know only its predecessor's
        # reference.
        self._pipeline.use(bundle)
        self._pipeline.use(prior_of(config, machine))

    # -- start ---------------------------------------------------------------------------------

    def _resume(self) -> None:
        """Go back to the checkpoint and a little further, to fill windows and clip memory."""
        held = json.loads(self.spool.checkpoint() or "null")
        start = 0
        if held is not None and held.get("epoch") != self.source.info.stream_epoch:
            self._parts.follow(held)
            self._commissioned = True
        elif held is not None:
            self._parts.restore(held)
            self._last_commit_ns = held["last_commit_ns"]
            block = max(1, self._timeline.samples(self.config.source.block_s))
            back = max(self._desk.memory_samples, self._pipeline.memory_samples)
            start = self._accounts.end - back
            if (wanted := self._desk.first_wanted) is not None:
                start = min(start, wanted)
            start = max(0, start // block * block)
        self._pipeline.begin(start)
        self._gatherer = HopGatherer(self._pipeline.spans.fast_hop)
        self.source.seek(start)

    def _checkpoint(self, kept: Sequence[Packed], leaves: bool) -> bytes:
        if leaves:
            self._accounts.said(self.now_ns)
        info = self.source.info
        state = {
            "epoch": info.stream_epoch,
            "rate_hz": info.rate_hz,
            "closed": self._closed,
            "last_commit_ns": self._last_commit_ns,
            **self._parts.snapshot(kept),
        }
        return json.dumps(state).encode()

    # -- running -------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the source has ended and everything it led to is in the spool."""
        return self.source.finished and not self._outbox and not self._outbox.waiting

    @property
    def bundle_version(self) -> str:
        """Version of the bundle in use."""
        return self._pipeline.bundle_version

    @property
    def commits(self) -> int:
        """How often something was handed to the spool."""
        return self._outbox.commits

    @property
    def now_ns(self) -> int:
        """Stream time: when the newest processed sample happened."""
        return self._timeline.time_of(self._accounts.end)

    def rest(self) -> None:
        """Commit and say so when no sample has come for a moment: nothing waits in memory."""
        if not self._timeline.begun or (self._rested == self._accounts.end and not self._outbox):
            return
        self._rested = self._accounts.end
        self._outbox.add(self._heartbeat(full=True))
        self._commit()

    def use(self, bundle: Bundle) -> None:
        """Run another bundle from the next window on, and say so.

        Everything before is committed first.
        """
        self.commit()
        self._pipeline.use(bundle)
        if self._timeline.begun:
            self._outbox.add(self._heartbeat(full=True))
            self.commit()

    def reconfigure(self, config: NodeConfig, reflex: Reflex | None, judge: Judge | None) -> None:
        """Go on with another configuration from the next block on; see `reload`.

        Parameters
        ----------
        reflex, judge
            Made for its limits; None where these have not changed.
        """
        self._parts.reconfigure(config, self.machine, judge)
        if reflex is not None:
            self._reflex = reflex if reflex.armed else None
        self.config = config

    def latencies(self) -> dict[str, int]:
        """Counts of this process's decision latencies, by bin."""
        return self._accounts.tally.as_dict()

    @property
    def commit_due(self) -> bool:
        """Whether an event waits, or enough of the stream has passed since the last commit."""
        if not self._timeline.begun:
            return False
        passed_ns = self.now_ns - self._last_commit_ns
        return self._outbox.urgent or passed_ns >= self.config.reporting.commit_s * 1e9

    def step(self, *, commit: bool = True) -> bool:
        """Process one block if there is one; return whether there was.

        Parameters
        ----------
        commit : bool
            Commit when it is due; else whoever drives the node does, with `hand_over`.
        """
        block = self.source.read()
        if block is None:
            return False
        if isinstance(block, Gap):
            self._gap(block)
            return True
        self._settle()
        started = self._monotonic()
        ends = self._gatherer.push(block)
        if ends:
            self._decide(started)
        if self._reflex is not None:
            for trip in self._reflex.push(block):
                self._act(trip)
        if ends and commit:
            self._settle()
            if self.commit_due:
                self._commit()
        return True

    def _decide(self, started: float) -> None:
        """Decide on the windows that end with a hop; what follows from it waits for `_settle`."""
        block = self._decided = self._gatherer.take()
        # Before any of its windows is judged.
        self._date(block.first_sample, block.t0_ns)
        windows = self._pipeline.push(block)
        self._accounts.tally.add(self._monotonic() - started, windows)

    def _settle(self) -> None:
        """Report, count and remember what has been decided on, if that is still to be done."""
        if self._decided is None:
            return
        block, self._decided = self._decided, None
        self._pipeline.report()
        self._accounts.block(block)
        self._desk.push(block, self._pipeline.state)
        if self._accounts.silent(self.now_ns):
            self._outbox.add(self._heartbeat(full=self.source.finished))

    def complete(self) -> None:
        """Do what the last decisions did not wait for: reports, and the long windows.

        Whoever drives the node does so once it has decided for all machines; else the next step
        does.
        """
        self._settle()
        self._pipeline.complete()

    def _date(self, sample: int, t_ns: int) -> None:
        """Date the stream; what is due at fixed times of it is due from its first date on."""
        if self._timeline.date(sample, t_ns):
            self._last_commit_ns = t_ns
            self._accounts.said(t_ns)
            if not self._commissioned:
                self._desk.begin()

    def _gap(self, gap: Gap) -> None:
        """Account for samples that never came: no window and no clip spans them."""
        self.drain()
        self._date(gap.first_sample, gap.t0_ns)
        self._outbox.add(self._accounts.gap(gap, self.bundle_version, self._timeline.rate_hz))
        if gap.samples and gap.first_sample >= 0:
            self._desk.gap(self._pipeline.state)
            self._pipeline.begin(gap.first_sample + gap.samples)

    def _facts(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "spool_bytes": self._outbox.spool_bytes,
            "spool_max_bytes": round(self.config.spool.max_mb * 1e6),
            "finished": self.source.finished and not self.source.continues,
            **self._outbox.trouble,
            **self.source.facts(),
        }

    def _heartbeat(self, *, full: bool = False) -> Health:
        return self._accounts.heartbeat(self.now_ns, self.bundle_version, self._facts(), full=full)

    def ask(self, value: bytes, now_ns: int) -> None:
        """Take a message of the topic of requests: capture what it asks for, or say why not.

        Parameters
        ----------
        now_ns : int
            Time of day: requests expire by it.
        """
        asked = self._parts.requests.take(
            value, now_ns, forbidden=self._desk.forbidden("capture"), busy=self._desk.capturing
        )
        if asked is None:
            return
        if asked.refused:
            self._outbox.add(refusal(asked, self._accounts.note(self.now_ns, self.bundle_version)))
        else:
            self._desk.capture(asked.id, asked.seconds, self._accounts.end)

    @property
    def begun(self) -> bool:
        """Whether the stream has a date."""
        return self._timeline.begun

    # -- committing ----------------------------------------------------------------------------

    def drain(self) -> None:
        """Process what waits for the end of its hop, because nothing will follow."""
        self._settle()
        if self._gatherer:
            self._decide(self._monotonic())
            self._settle()

    def finish(self, *, closing: bool = False) -> None:
        """Close what is open and commit: the source has ended.

        Parameters
        ----------
        closing : bool
            The epoch is over for ever, though the stream may go on in another: its events are too.
        """
        self.drain()
        self._pipeline.finish()
        if closing:
            self._pipeline.close(self.now_ns)
            self._closed = True
        self._desk.finish(self._pipeline.state)
        if self.begun and not self._accounts.told_all(self.now_ns, self._facts()):
            self._outbox.add(self._heartbeat(full=True))
        self.commit(wait=True)

    def commit(self, *, wait: bool = False) -> None:
        """Hand everything that was found to the spool: no row waits for more of its kind.

        Parameters
        ----------
        wait : bool
            Wait for clips that are being packed. Else they come with a later commit, and the
            checkpoint asks for them again.
        """
        self._commit(everything=True, wait=wait)

    def _commit(self, *, everything: bool = False, wait: bool = False) -> None:
        """Hand over outbox, due rows, packed clips and checkpoint in one transaction."""
        if not self._timeline.begun:
            return
        with self._gathered(everything=everything, wait=wait) as batch:
            self.write(batch)

    def hand_over(self) -> Batch:
        """Return what is to be committed now; the caller must `write` it, before anything else.

        What was handed over is the node's no more: when it cannot be written the process must end,
        and a restart goes back to the last checkpoint.
        """
        with self._gathered(everything=False, wait=False) as batch:
            return batch

    def _gathered(self, *, everything: bool, wait: bool) -> AbstractContextManager[Batch]:
        self.complete()
        self._last_commit_ns = self.now_ns
        return self._outbox.gathered(
            self.now_ns,
            self.bundle_version,
            self._checkpoint,
            everything=everything,
            wait=wait,
        )

    def write(self, batch: Batch) -> None:
        """Write a batch into the spool; nothing else of the node may do so meanwhile."""
        self._outbox.write(batch)
