"""Scores and decides on the windows of one machine: bundle, operating state and deciders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.assets import Machine
from vibro.bundle import Bundle, Judged, Scorer
from vibro.decide import (
    Block,
    BlockLevels,
    Change,
    ChannelDecider,
    DecisionRules,
    FastSuspects,
    Window,
)
from vibro.features.setup import ChannelSetup
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.forest import BLOCK
from vibro.iso10816 import IsoLimits
from vibro.records import LIVE, Event, Origin, RecordId, StreamInfo

STOPPED, RUNNING = "stopped", "running"
STOPPED_RPM = 30.0
STOPPED_RMS_M_S2 = 0.05
"""Without a speed a machine whose every channel is quieter than this stands still."""

Floats = NDArray[np.float32]
_F = {name: i for i, name in enumerate(FAST_NAMES)}
_L = {name: i for i, name in enumerate(LONG_NAMES)}
_SIGNS = [_F[name] for name in ("rms", "peak", "mean", "repeat_share")]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one window of all channels came to."""

    state: str
    judged: bool
    events: tuple[Event, ...]
    facts: dict[str, Floats]


class Judge:
    """The scorer and the deciders of one machine.

    Parameters
    ----------
    machine : Machine
    info : StreamInfo
    block_ns : int
        Length of the blocks on which small lasting shifts are judged: as long as the stretch of
        sampled vectors that a block is in training, so that drift within it counts alike.
    rules : DecisionRules
    """

    def __init__(
        self,
        machine: Machine,
        info: StreamInfo,
        block_ns: int,
        rules: DecisionRules | None = None,
    ) -> None:
        self._info = info
        self.setups = [ChannelSetup(lines=p.lines) for p in machine.points]
        iso = machine.iso_limits
        self._deciders = [
            ChannelDecider(
                rules or DecisionRules(), p.range_m_s2, iso if isinstance(iso, IsoLimits) else None
            )
            for p in machine.points
        ]
        self._suspects = FastSuspects(
            rules or DecisionRules(), [p.range_m_s2 for p in machine.points]
        )
        self._scorer: Scorer | None = None
        self.state = RUNNING
        self._blocks = {path: BlockLevels(path, block_ns) for path in ("fast", "long")}
        self._levels_of = ""
        n = len(self._deciders)
        self._severity = np.zeros(n, np.float32)
        nan = np.full(n, np.nan, np.float32)
        self._last = {"score_long": nan, "p_long": nan, "velocity_rms_mm_s": nan}

    @property
    def bundle_version(self) -> str:
        """Version of the bundle in use, empty while there is none."""
        return "" if self._scorer is None else self._scorer.bundle.version

    def use(self, bundle: Bundle | None) -> None:
        """Judge by another bundle from the next window on."""
        if bundle is None:
            return
        if bundle.version != self._levels_of:
            for blocks in self._blocks.values():
                blocks.forget()
        self._levels_of = bundle.version
        self._scorer = Scorer(bundle, self._info.channels)
        column = _L["velocity_rms_mm_s"]
        for channel, decider in zip(self._info.channels, self._deciders, strict=True):
            scaling = bundle.long.scaling.get(f"{channel}|{RUNNING}")
            if scaling is not None:
                decider.reference_mm_s = float(scaling.usual(bundle.long.logs)[column])

    def window(
        self, path: str, first: int, t0_ns: int, end_ns: int, values: Floats, rpm: float
    ) -> Verdict:
        """Judge one window of every channel, ``values`` of shape (channels, features)."""
        if path == "fast":
            self.state = self._state_of(values, rpm)
        scores, p, levels = self._score(path, values)
        if path == "long":
            velocity = values[:, _L["velocity_rms_mm_s"]]
            self._last = {
                "score_long": scores,
                "p_long": p.astype(np.float32),
                "velocity_rms_mm_s": velocity,
            }
        block = self._blocks[path].window(t0_ns, self.state, levels)
        events = []
        for c in self._concerned(path, values, p, block):
            w = _window(path, first, t0_ns, end_ns, values[c], float(scores[c]), float(p[c]), rpm)
            windows = [w] if block is None else [*self._block(block, c, w), w]
            changes = [self._deciders[c].window(x) for x in windows]
            self._severity[c] = self._deciders[c].severity
            events += [self._event(c, x, path, values[c], rpm) for x in changes if x is not None]
        facts = self._facts(scores, p, rpm) if path == "fast" else {}
        return Verdict(self.state, self._scorer is not None, tuple(events), facts)

    def _concerned(
        self, path: str, values: Floats, p: NDArray[np.float64], block: Block | None
    ) -> Sequence[int]:
        """Channels whose decider this window may change; for a fast one, seldom any."""
        if self.state != RUNNING:
            return ()
        if path != "fast" or block is not None:
            return range(len(self._deciders))
        found = self._suspects.of(values[:, _SIGNS].tolist(), p.tolist())
        return [c for c, d in enumerate(self._deciders) if found[c] or not d.quiet]

    def _state_of(self, values: Floats, rpm: float) -> str:
        if rpm == rpm:
            return RUNNING if rpm >= STOPPED_RPM else STOPPED
        return RUNNING if values[:, _F["rms"]].max() >= STOPPED_RMS_M_S2 else STOPPED

    def _score(self, path: str, values: Floats) -> Judged:
        if self._scorer is None:
            n = len(self._deciders)
            return Judged(np.full(n, np.nan, np.float32), *np.full((2, n), np.nan))
        return self._scorer.judge(path, values, self.state)

    def _block(self, block: Block, c: int, w: Window) -> list[Window]:
        """Return what a block says of one channel, told at the window that closed it."""
        if self._scorer is None or block.count[c] < BLOCK:
            return []
        p = self._scorer.block_p_value(block.path, c, float(block.level[c]), block.state)
        # Two paths, two chances.
        p = min(1.0, 2.0 * p)
        return [Window("block", w.first_sample, w.t0_ns, w.end_ns, float("nan"), p, w.rpm)]

    def _facts(self, scores: Floats, p: NDArray[np.float64], rpm: float) -> dict[str, Floats]:
        return {
            "score_fast": scores,
            "p_fast": p.astype(np.float32),
            "severity": self._severity.copy(),
            "rpm": np.full(len(scores), rpm, np.float32),
            **self._last,
        }

    def close(self, now_ns: int) -> list[Event]:
        """Declare every open event over, because nothing more of this stream will come."""
        changes = [d.close(now_ns) for d in self._deciders]
        self._severity[:] = 0.0
        return [
            self._told(c, change, (), float("nan"))
            for c, change in enumerate(changes)
            if change is not None
        ]

    def _event(self, c: int, change: Change, path: str, row: Floats, rpm: float) -> Event:
        names = FAST_NAMES if path == "fast" else LONG_NAMES
        contributions = (
            self._scorer.contributions(path, c, row, self.state, names)
            if self._scorer is not None and change.sensor_fault is None
            else ()
        )
        return self._told(c, change, contributions, rpm)

    def _told(
        self, c: int, change: Change, contributions: tuple[tuple[str, float], ...], rpm: float
    ) -> Event:
        channel = self._info.channels[c]
        return Event(
            id=RecordId(
                "event",
                str(channel),
                self._info.stream_epoch,
                change.onset_sample,
                change.revision,
            ),
            origin=Origin("", channel.site, channel.machine, LIVE, 0, self._info.stream_epoch),
            channel=channel.channel,
            t_onset_ns=change.t_onset_ns,
            t_last_ns=change.t_last_ns,
            t_clear_ns=change.t_clear_ns,
            t_decided_ns=change.t_decided_ns,
            severity=change.severity,
            causes=change.causes,
            state=self.state,
            score=change.score,
            p_value=change.p_value,
            velocity_rms_mm_s=change.velocity_mm_s,
            rpm=rpm,
            bundle=self.bundle_version,
            contributions=contributions,
            sensor_fault=change.sensor_fault,
        )

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state."""
        return {
            "state": self.state,
            "deciders": [d.snapshot() for d in self._deciders],
            "blocks": {path: b.snapshot() for path, b in self._blocks.items()},
            "levels_of": self._levels_of,
            "last": {k: [float(x) for x in v] for k, v in self._last.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a snapshot."""
        self.state = state["state"]
        for path, blocks in self._blocks.items():
            blocks.restore(state.get("blocks", {}).get(path))
        self._levels_of = state.get("levels_of", "")
        for decider, held in zip(self._deciders, state["deciders"], strict=True):
            decider.restore(held)
        self._severity[:] = [d.severity for d in self._deciders]
        self._last = {k: np.array(v, np.float32) for k, v in state["last"].items()}


def _window(
    path: str,
    first: int,
    t0_ns: int,
    end_ns: int,
    row: Floats,
    score: float,
    p_value: float,
    rpm: float,
) -> Window:
    common = (path, first, t0_ns, end_ns, score, p_value, rpm)
    if path == "fast":
        return Window(
            *common,
            rms_m_s2=float(row[_F["rms"]]),
            peak_m_s2=float(row[_F["peak"]]),
            mean_m_s2=float(row[_F["mean"]]),
            repeat_share=float(row[_F["repeat_share"]]),
        )
    return Window(
        *common,
        velocity_mm_s=float(row[_L["velocity_rms_mm_s"]]),
        displacement_um=float(row[_L["displacement_rms_um"]]),
    )
