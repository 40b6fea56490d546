"""From samples to rows and events: features, verdict and reports of every window."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.clips.desk import ClipDesk
from edge_node.config import NodeConfig, ReportingSection
from edge_node.judging.judge import FACTS, Judge, Verdict
from edge_node.outbox import Outbox
from edge_node.reporting.intervals import PathReporter, Row, StatusReporter
from edge_node.timeline import Timeline
from vibro.assets import Machine
from vibro.bundle import Bundle
from vibro.decide import UNJUDGED
from vibro.features.spans import Spans
from vibro.features.stream import MachineFeatures
from vibro.forest import BLOCK
from vibro.records import Event, Origin, SampleBlock, StreamInfo

_Judged = tuple[str, int, int, int, NDArray[np.float32], Verdict]
"""Path, first sample, start, end and values of a window, and what it came to."""


class Pipeline:
    """What becomes of the samples of one machine; the same in any chunking.

    Parameters
    ----------
    machine : Machine
    info : StreamInfo
    config : NodeConfig
    origin : Origin
        Of the node's records.
    timeline : Timeline
    outbox : Outbox
        Takes rows and events.
    desk : ClipDesk
        Is told of every event.
    """

    def __init__(
        self,
        machine: Machine,
        info: StreamInfo,
        config: NodeConfig,
        origin: Origin,
        timeline: Timeline,
        outbox: Outbox,
        desk: ClipDesk,
    ) -> None:
        self._origin, self._timeline, self._outbox, self._desk = origin, timeline, outbox, desk
        self._rate_hz = info.rate_hz
        self._scale = info.scale
        reporting = config.reporting
        sample_ns = round(reporting.sample_s * 1e9)
        self.judge = Judge(
            machine,
            info,
            BLOCK * sample_ns,
            states=config.states.rules,
            limits=[section.limit for section in config.limits],
        )
        self._paths = {
            path: PathReporter(path, origin.node, round(reporting.summary_s * 1e9), sample_ns)
            for path in ("fast", "long")
        }
        self._status = StatusReporter(len(info.channels), round(reporting.status_s * 1e9))
        self._done = {"fast": -1, "long": -1}
        self._judged: list[_Judged] = []
        self._long: deque[tuple[int, NDArray[np.float32], float]] = deque()
        self._reached = 0
        self.begin(0)

    def reconfigure(self, reporting: ReportingSection, judge: Judge | None) -> None:
        """Go on with other intervals, and by the limits of another judge if there is one."""
        for path in self._paths.values():
            path.reconfigure(round(reporting.summary_s * 1e9))
        self._status.reconfigure(round(reporting.status_s * 1e9))
        if judge is not None:
            self.judge.limit_as(judge)

    def begin(self, start_sample: int) -> None:
        """Expect this sample next; windows that were judged before are passed over."""
        self._judge_long(math.inf)
        self._features = MachineFeatures(
            self._rate_hz,
            self.judge.setups,
            start_sample=start_sample,
            scale=self._scale,
            reflex=False,
        )

    @property
    def spans(self) -> Spans:
        """Lengths of windows and hops."""
        return self._features.spans

    @property
    def memory_samples(self) -> int:
        """How far back before the newest sample a window may reach that is not yet judged."""
        return self.spans.memory_samples + 2 * self.spans.fast_hop

    @property
    def bundle_version(self) -> str:
        """Version of the bundle in use, empty while there is none."""
        return self.judge.bundle_version

    @property
    def state(self) -> str:
        """Operating state of the machine."""
        return self.judge.state

    def use(self, bundle: Bundle | None) -> None:
        """Judge by another bundle from the next window on."""
        self.complete()
        self.judge.use(bundle)

    def push(self, block: SampleBlock) -> int:
        """Take the next samples: score and decide on every fast window that they end.

        What the last of them came to is reported, and the long windows are judged, by `complete`
        or the next push: no fast decision of any machine waits for that.

        Returns
        -------
        int
            Fast windows that were judged.
        """
        if self._judged or self._long:
            self.complete()
        batch = self._features.push(block.counts, block.rpm, patient=True)
        for first, values, rpm in _windows(batch.long_first, batch.long, batch.long_rpm):
            if first > self._done["long"]:
                self._long.append((first, values, rpm))
        judged = 0
        for first, values, rpm in _windows(batch.fast_first, batch.fast, batch.fast_rpm):
            if first > self._done["fast"]:
                if judged:
                    self.complete()
                self._reached = first + self.spans.fast_window
                self._judge("fast", first, self._reached, values, rpm)
                self._done["fast"] = first
                judged += 1
        return judged

    def complete(self) -> None:
        """Report what was judged, and judge the long windows that have ended.

        Each is judged after the first fast window that ends when it does or later, however long
        the blocks are.
        """
        self.report()
        if self._long:
            self._judge_long(self._reached)

    def _judge_long(self, upto: float) -> None:
        while self._long and self._long[0][0] + self.spans.long_window_samples <= upto:
            self._features.complete()
            first, values, rpm = self._long.popleft()
            self._judge("long", first, first + self.spans.long_window_samples, values, rpm)
            self._done["long"] = first
            self.report()

    def _judge(
        self, path: str, first: int, end: int, values: NDArray[np.float32], rpm: float
    ) -> None:
        t0_ns, end_ns = self._timeline.time_of(first), self._timeline.time_of(end)
        verdict = self.judge.window(path, first, t0_ns, end_ns, values, rpm)
        self._judged.append((path, first, t0_ns, end_ns, values, verdict))

    def report(self) -> None:
        """Report every window that was judged and is not yet reported."""
        judged, self._judged = self._judged, []
        for path, first, t0_ns, end_ns, values, verdict in judged:
            rows: list[Row] = []
            if verdict.state not in UNJUDGED:
                rows = self._paths[path].window(first, t0_ns, verdict.state, values)
            if verdict.facts is not None:
                rows += self._status.fast(
                    first, t0_ns, verdict.state, verdict.judged, FACTS, verdict.facts
                )
            if rows:
                self._outbox.rows(rows)
            for event in verdict.events:
                self._keep(replace(event, origin=self._origin))
            self._desk.window(end_ns, verdict.state)
            self._desk.later(end_ns)

    def _keep(self, event: Event) -> None:
        """Hand on an event's revision; a clip is asked for where one is due."""
        self._outbox.add(event)
        self._desk.event(event)

    def close(self, now_ns: int) -> None:
        """Declare every open event over: its stream epoch is."""
        for event in self.judge.close(now_ns):
            self._keep(replace(event, origin=self._origin))

    def finish(self) -> None:
        """Judge what is left and close whatever interval is open, because the stream ends."""
        self.report()
        self._judge_long(math.inf)
        self._outbox.rows(self._status.close())
        for path in self._paths.values():
            self._outbox.rows(path.close())

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state."""
        return {
            "done": self._done,
            "judge": self.judge.snapshot(),
            "paths": {k: p.snapshot() for k, p in self._paths.items()},
            "status": self._status.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self._done = state["done"]
        self._reached = self._done["fast"] + self.spans.fast_window
        self.follow(state)
        for k, p in self._paths.items():
            p.restore(state["paths"][k])
        self._status.restore(state["status"])

    def follow(self, state: Mapping[str, Any]) -> None:
        """Go on judging where the epoch before left off."""
        self.judge.restore(state["judge"])


def _windows(
    first: NDArray[np.int64], values: NDArray[np.float32], rpm: NDArray[np.float64]
) -> Iterable[tuple[int, NDArray[np.float32], float]]:
    return zip(first.tolist(), values, rpm.tolist(), strict=True) if len(first) else ()
