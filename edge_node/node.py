"""One edge node: every sample through features, score and decision into the spool.

The node is a state machine that is driven by `step`: it owns no thread, reads no wall clock and
draws no random number. What it finds is gathered in an outbox and committed to the spool together
with a checkpoint, in one transaction: after a kill at any instruction the node goes back to the
checkpoint, reads the samples again that a result may still depend on, and yields exactly what it
would have yielded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.blocks import Waiting, feature_blocks
from edge_node.captures import CaptureRules, Due
from edge_node.clips import ClipCutter, Cut, Request
from edge_node.config import NodeConfig
from edge_node.gather import HopGatherer
from edge_node.judge import Judge
from edge_node.packing import ClipPacker, Packed
from edge_node.reflex import Reflex, Trip
from edge_node.reporting import PathReporter, StatusReporter
from edge_node.sources.port import Source
from edge_node.spool import Spool
from edge_node.spool.sqlite import Transaction
from edge_node.tally import LatencyTally
from vibro.assets import Machine
from vibro.bundle import Bundle
from vibro.errors import VibroError
from vibro.features.stream import MachineFeatures
from vibro.forest import BLOCK
from vibro.records import LIVE, TOPIC_OF, Clip, Event, Health, Origin, Record, RecordId, SampleBlock
from vibro.wire import encode


@dataclass(slots=True)
class Counters:
    """Samples of all channels since the stream epoch began; seen = processed + lost."""

    seen: int = 0
    processed: int = 0
    lost: int = 0
    raw_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit makes durable together."""

    records: list[Record]
    clips: list[Packed]
    checkpoint: bytes
    t_ns: int


class Node:
    """The pipeline of one machine.

    Parameters
    ----------
    config : NodeConfig
    machine : Machine
        The asset record of the machine that the node listens to.
    source : Source
    spool : Spool
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
        spool: Spool,
        bundle: Bundle | None,
        monotonic: Callable[[], float],
        act: Callable[[Trip], None] | None = None,
    ) -> None:
        self.config, self.machine, self.source, self.spool = config, machine, source, spool
        self._monotonic = monotonic
        info, reporting = source.info, config.reporting
        self._rate_hz, self._scale = info.rate_hz, info.scale[:, None].astype(np.float32)
        self._channels = tuple(c.channel for c in info.channels)
        self._judge = Judge(machine, info, BLOCK * _ns(reporting.sample_s))
        self._paths = {
            path: PathReporter(
                path, config.node.id, _ns(reporting.summary_s), _ns(reporting.sample_s)
            )
            for path in ("fast", "long")
        }
        self._status = StatusReporter(len(self._channels), _ns(reporting.status_s))
        self._waiting = Waiting(_ns(reporting.status_s), _ns(reporting.sample_s))
        self._outbox: list[Record] = []
        self._counters = Counters()
        self._done = {"fast": -1, "long": -1}
        self._tally = LatencyTally()
        self._captures = CaptureRules(_ns(reporting.clip_spacing_s), reporting.clips_per_day)
        self._end = 0
        self._rested = 0
        self.commits = 0
        self._spool_bytes = spool.size_bytes()
        self._t0_ns: int | None = None
        self._last_commit_ns = self._last_heartbeat_ns = 0
        self._resume()
        reflex = None if act is None else Reflex(config.reflex, info, self._end)
        self._reflex = reflex if reflex is not None and reflex.armed else None
        self._act = act or (lambda _: None)
        # After the checkpoint, which may be older than the bundle and know only its predecessor's
        # reference.
        self._judge.use(bundle)

    # -- start ---------------------------------------------------------------------------------

    def _resume(self) -> None:
        """Go back to the checkpoint and a little further, to fill windows and clip memory."""
        reporting = self.config.reporting
        memory = round((reporting.clip_s + reporting.clip_lead_s) * self._rate_hz)
        self._cutter = ClipCutter(memory, self._rate_hz)
        held = self.spool.checkpoint()
        start = 0
        if held is not None:
            self._restore(json.loads(held))
            block = max(1, round(self.config.source.block_s * self._rate_hz))
            spans = MachineFeatures(self._rate_hz, self._judge.setups).spans
            back = max(memory, spans.memory_samples)
            start = min([self._end - back, *(r.first_sample for r in self._cutter.requests)])
            start = max(0, start // block * block)
        self._packer = ClipPacker(self.spool.produced().get(("clips", LIVE), 0))
        self._features = MachineFeatures(self._rate_hz, self._judge.setups, start_sample=start)
        self._gatherer = HopGatherer(self._features.spans.fast_hop)
        self.source.seek(start)

    def _checkpoint(self, unpacked: list[Request]) -> bytes:
        return json.dumps(
            {
                "end": self._end,
                "t0_ns": self._t0_ns,
                "done": self._done,
                "counters": asdict(self._counters),
                "judge": self._judge.snapshot(),
                "paths": {k: p.snapshot() for k, p in self._paths.items()},
                "status": self._status.snapshot(),
                "waiting": self._waiting.snapshot(),
                "requests": [*map(asdict, unpacked), *self._cutter.snapshot()],
                "captures": self._captures.snapshot(),
                "last_commit_ns": self._last_commit_ns,
                "last_heartbeat_ns": self._last_heartbeat_ns,
            }
        ).encode()

    def _restore(self, state: dict[str, Any]) -> None:
        self._end, self._t0_ns, self._done = state["end"], state["t0_ns"], state["done"]
        self._counters = Counters(**state["counters"])
        self._judge.restore(state["judge"])
        for k, p in self._paths.items():
            p.restore(state["paths"][k])
        self._status.restore(state["status"])
        self._waiting.restore(state.get("waiting"))
        self._cutter.restore(state["requests"])
        self._captures.restore(state["captures"])
        self._last_commit_ns = state["last_commit_ns"]
        self._last_heartbeat_ns = state["last_heartbeat_ns"]

    # -- running -------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the source has ended and everything it led to is in the spool."""
        return self.source.finished and not self._outbox and not self._waiting

    @property
    def bundle_version(self) -> str:
        """Version of the bundle in use."""
        return self._judge.bundle_version

    def rest(self) -> None:
        """Commit and say so when no sample has come for a moment: nothing waits in memory."""
        if self._t0_ns is None or (self._rested == self._end and not self._outbox):
            return
        self._rested = self._end
        self._outbox.append(self._heartbeat(self._time_of(self._end)))
        self._commit()

    def use(self, bundle: Bundle) -> None:
        """Run another bundle from the next window on, and say so.

        Everything before is committed first.
        """
        self.commit()
        self._judge.use(bundle)
        if self._t0_ns is not None:
            self._outbox.append(self._heartbeat(self._time_of(self._end)))
            self.commit()

    @property
    def commit_due(self) -> bool:
        """Whether enough of the stream has passed since the last commit."""
        length = _ns(self.config.reporting.commit_s)
        return self._t0_ns is not None and (
            self._time_of(self._end) - self._last_commit_ns >= length
        )

    def step(self, *, commit: bool = True) -> bool:
        """Process one block if there is one; return whether there was.

        Parameters
        ----------
        commit : bool
            Commit when it is due; else whoever drives the node does, with `keep`.
        """
        block = self.source.read()
        if block is None:
            return False
        started = self._monotonic()
        if self._reflex is not None:
            for trip in self._reflex.push(block):
                self._act(trip)
        joined = self._gatherer.push(block)
        if joined is not None:
            self._take(joined, started)
            if commit:
                self.keep()
        return True

    def keep(self) -> None:
        """Commit if it is due."""
        if self.commit_due:
            self._commit()

    def _take(self, block: SampleBlock, started: float) -> None:
        """Process samples up to the end of a window."""
        self._begin(block)
        samples = block.counts.astype(np.float32) * self._scale
        batch = self._features.push(samples, block.rpm)
        windows = self._judge_windows(batch)
        self._tally.add(self._monotonic() - started, windows)
        self._account(block)
        for cut in self._cutter.push(block):
            self._keep_clip(cut)
        self._periodic()

    def _judge_windows(self, batch: Any) -> int:
        """Score, decide and report every new window, in the order of their last samples."""
        spans = self._features.spans
        jobs: list[tuple[int, str, int]] = []
        for path, firsts, span in (
            ("fast", batch.fast_first, spans.fast_window),
            ("long", batch.long_first, spans.long_window_samples),
        ):
            jobs += [
                (int(first) + span, path, i)
                for i, first in enumerate(firsts)
                if first > self._done[path]
            ]
        for end, path, i in sorted(jobs):
            values, first, rpm = (
                (batch.fast[i], int(batch.fast_first[i]), float(batch.fast_rpm[i]))
                if path == "fast"
                else (batch.long[i], int(batch.long_first[i]), float(batch.long_rpm[i]))
            )
            self._window(path, first, end, values, rpm)
            self._done[path] = first
        return sum(path == "fast" for _, path, _ in jobs)

    def _window(
        self, path: str, first: int, end: int, values: NDArray[np.float32], rpm: float
    ) -> None:
        t0_ns = self._time_of(first)
        verdict = self._judge.window(path, first, t0_ns, self._time_of(end), values, rpm)
        if verdict.state != "stopped":
            self._waiting.add(self._paths[path].window(first, t0_ns, verdict.state, values))
        if path == "fast":
            self._waiting.add(
                self._status.fast(first, t0_ns, verdict.state, verdict.judged, verdict.facts)
            )
        for event in verdict.events:
            self._keep_event(event)
        now_ns = self._time_of(end)
        self._ask_clip(self._captures.later(now_ns), now_ns)

    def _time_of(self, sample: int) -> int:
        return int(self._t0_ns or 0) + round(sample * 1e9 / self._rate_hz)

    # -- what is kept --------------------------------------------------------------------------

    def _origin(self) -> Origin:
        # The sequence is given by the spool at the moment of the append.
        node = self.config.node
        return Origin(node.id, node.site, node.machine, LIVE, 0, self.source.info.stream_epoch)

    def _keep_event(self, event: Event) -> None:
        """Put an event's revision into the outbox and ask for a clip where one is due."""
        self._outbox.append(replace(event, origin=self._origin()))
        self._ask_clip(self._captures.event(event), event.t_decided_ns)

    def _ask_clip(self, due: Due | None, now_ns: int) -> None:
        if due is None:
            return
        reporting = self.config.reporting
        lead = round(reporting.clip_lead_s * self._rate_hz)
        decided = round((now_ns - int(self._t0_ns or 0)) * self._rate_hz / 1e9)
        n = round(reporting.clip_s * self._rate_hz)
        first = max(0, decided - lead)
        self._cutter.request(Request("event", due.event, first, n, due.revision))

    def _keep_clip(self, cut: Cut) -> None:
        info = self.source.info
        request = replace(cut.request, state=cut.request.state or self._judge.state)
        source = str(info.channels[0].machine_path)
        clip = Clip(
            id=RecordId("clip", source, info.stream_epoch, request.first_sample),
            origin=self._origin(),
            reason=request.reason,
            event=request.event,
            t0_ns=cut.t0_ns,
            rate_hz=self._rate_hz,
            rpm=cut.rpm,
            state=request.state,
            channels=self._channels,
            scale=info.scale,
            samples=cut.counts,
        )
        self._packer.add(request, clip)

    def _begin(self, block: SampleBlock) -> None:
        """Date the stream by its first block, before any of its windows is judged."""
        if self._t0_ns is None:
            self._t0_ns = block.t0_ns - round(block.first_sample * 1e9 / self._rate_hz)
            self._last_commit_ns = self._last_heartbeat_ns = block.t0_ns
            self._ask_clips()

    def _account(self, block: SampleBlock) -> None:
        channels, n = block.counts.shape
        fresh = max(0, block.first_sample + n - max(self._end, block.first_sample))
        self._end = max(self._end, block.first_sample + n)
        self._counters.seen += channels * fresh
        self._counters.processed += channels * fresh
        self._counters.raw_bytes += channels * fresh * self.source.info.sample_bytes

    def _ask_clips(self) -> None:
        """Ask for the clips that are due at fixed times of the stream."""
        reporting = self.config.reporting
        n = round(reporting.clip_s * self._rate_hz)
        due = {round(reporting.commissioning_clip_s * self._rate_hz): "commissioning"}
        for at in reporting.capture_at_s:
            # A clip is known by its first sample: no instant is cut twice.
            due.setdefault(round(at * self._rate_hz), "capture")
        for first, reason in due.items():
            self._cutter.request(Request(reason, "", first, n))

    def _heartbeat(self, now_ns: int) -> Health:
        info, c = self.source.info, self._counters
        return Health(
            id=RecordId("health", self.config.node.id, info.stream_epoch, self._end),
            origin=self._origin(),
            content="heartbeat",
            t0_ns=now_ns,
            seen=c.seen,
            processed=c.processed,
            lost=c.lost,
            raw_bytes=c.raw_bytes,
            bundle=self._judge.bundle_version,
            detail={
                "latency_us_log20": self._tally.as_dict(),
                "end_ns": self._time_of(self._end),
                "spool_bytes": self._spool_bytes,
                "finished": self.source.finished,
            },
        )

    # -- committing ----------------------------------------------------------------------------

    def _periodic(self) -> None:
        now_ns, reporting = self._time_of(self._end), self.config.reporting
        if now_ns - self._last_heartbeat_ns >= _ns(reporting.heartbeat_s):
            self._outbox.append(self._heartbeat(now_ns))
            self._last_heartbeat_ns = now_ns

    def drain(self) -> None:
        """Process what waits for the end of its hop, because nothing will follow."""
        if (waiting := self._gatherer.rest()) is not None:
            self._take(waiting, self._monotonic())

    def finish(self) -> None:
        """Close what is open and commit: the source has ended or the node is being drained."""
        self.drain()
        self._waiting.add(self._status.close())
        for path in self._paths.values():
            self._waiting.add(path.close())
        for cut in self._cutter.finish():
            self._keep_clip(cut)
        now_ns = self._time_of(self._end)
        if self._last_heartbeat_ns != now_ns:
            self._outbox.append(self._heartbeat(now_ns))
            self._last_heartbeat_ns = now_ns
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
        if self._t0_ns is None:
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

    @contextmanager
    def _gathered(self, *, everything: bool, wait: bool) -> Iterator[Batch]:
        """Gather a commit; unless writing it fails, the node then forgets what it holds."""
        now_ns = self._last_commit_ns = self._time_of(self._end)
        # Whoever is learning, or looking at an event, wants to see everything now.
        awaited = not self.bundle_version or any(isinstance(r, Event) for r in self._outbox)
        clips = self._packer.ready(wait=wait)
        with self._waiting.taken(now_ns, everything=everything or awaited) as rows:
            blocks = feature_blocks(rows, self._origin(), self._channels, self.bundle_version)
            checkpoint = self._checkpoint(self._packer.requests(clips))
            yield Batch([*self._outbox, *blocks], clips, checkpoint, now_ns)
        self._packer.kept(clips)
        self._outbox = []
        self.commits += 1

    def write(self, batch: Batch) -> None:
        """Write a batch into the spool; nothing else of the node may do so meanwhile."""
        with self.spool.transaction() as transaction:
            for record in batch.records:
                sequence = transaction.next_sequence(TOPIC_OF[type(record)], LIVE)
                value = encode(replace(record, origin=replace(record.origin, sequence=sequence)))
                self._append(transaction, TOPIC_OF[type(record)], value, batch.t_ns)
            for packed in batch.clips:
                if transaction.next_sequence("clips", LIVE) != packed.sequence:
                    raise VibroError(f"{self.config.node.id}: somebody else writes into its spool")
                self._append(transaction, "clips", packed.value.result(), batch.t_ns)
            transaction.checkpoint(batch.checkpoint)
        self._spool_bytes = self.spool.size_bytes()

    def _append(self, transaction: Transaction, kind: str, value: bytes, t_ns: int) -> None:
        key = self.source.info.channels[0].machine_path
        transaction.append(kind, key, LIVE, value, t_ns)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
