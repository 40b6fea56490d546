"""Scores and decides on the windows of one machine: bundle, operating state and deciders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.judging.learning import Models, Usual
from edge_node.judging.screening import Screen
from vibro.assets import Machine
from vibro.bundle import Bundle, Judged
from vibro.decide import (
    STOPPED,
    TRANSIENT,
    UNJUDGED,
    Block,
    BlockLevels,
    Change,
    ChannelDecider,
    DecisionRules,
    Limit,
    OperatingStates,
    StateRules,
    Window,
    limits_by_channel,
)
from vibro.features.setup import ChannelSetup
from vibro.features.spans import spans_of
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.forest import BLOCK
from vibro.iso10816 import IsoLimits
from vibro.records import LIVE, Event, Origin, RecordId, StreamInfo

Floats = NDArray[np.float32]
FACTS = (
    *("score_fast", "p_fast", "severity", "rpm", "judged_share"),
    *("score_long", "p_long", "velocity_rms_mm_s"),
)
"""What a fast window adds to the status, in the order of the rows of `Verdict.facts`."""
_LAST = FACTS[5:]
Told = tuple[str, tuple[tuple[str, float], ...]]
_NAN = float("nan")
_RMS = FAST_NAMES.index("rms")
_VELOCITY = LONG_NAMES.index("velocity_rms_mm_s")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one window of all channels came to.

    Attributes
    ----------
    facts : ndarray of float32, shape (len(FACTS), channels), or None
        None for a long window.
    """

    state: str
    judged: bool
    events: tuple[Event, ...]
    facts: Floats | None


class Judge:
    """The models, the operating state and the deciders of one machine.

    Parameters
    ----------
    machine : Machine
    info : StreamInfo
    block_ns : int
        Length of the blocks on which small lasting shifts are judged: as long as the stretch of
        sampled vectors that a block is in training, so that drift within it counts alike.
    rules : DecisionRules
    states : StateRules
        The register's range of speeds is put in by the judge.
    limits : sequence of Limit
        Limits set by hand.

    Raises
    ------
    BadInputError
        If a limit does not fit the machine.
    """

    def __init__(
        self,
        machine: Machine,
        info: StreamInfo,
        block_ns: int,
        rules: DecisionRules | None = None,
        states: StateRules | None = None,
        limits: Sequence[Limit] = (),
    ) -> None:
        self._info, rules = info, rules or DecisionRules()
        self.setups = [ChannelSetup(lines=p.lines) for p in machine.points]
        iso = machine.iso_limits if isinstance(machine.iso_limits, IsoLimits) else None
        own_limits = limits_by_channel(limits, [p.channel for p in machine.points])
        self._deciders = [
            ChannelDecider(rules, p.range_m_s2, iso, own)
            for p, own in zip(machine.points, own_limits, strict=True)
        ]
        self._screen = Screen(
            self._deciders,
            rules,
            [p.range_m_s2 for p in machine.points],
            own_limits,
            spans_of(info.rate_hz, self.setups).fast_window,
        )
        self._models = Models(info.channels)
        self._states = OperatingStates(with_range(states or StateRules(), machine))
        self._blocks = {path: BlockLevels(path, block_ns) for path in ("fast", "long")}
        self._levels_of = ""
        n = len(self._deciders)
        self._usual_levels: Usual | None = None
        self._severity = np.zeros(n, np.float32)
        self._running, self._judged = 0, np.zeros(n, np.int64)
        self._told: list[Told] = [("", ())] * n
        self._last = np.full((len(_LAST), n), np.nan, np.float32)

    @property
    def state(self) -> str:
        """Operating state of the machine."""
        return self._states.state

    @property
    def bundle_version(self) -> str:
        """Version of the site's bundle, empty while there is none."""
        return self._models.version

    def use(self, bundle: Bundle | None) -> None:
        """Judge by another bundle, or prior of the fleet, from the next window on."""
        if bundle is None:
            return
        self._models.use(bundle)
        if not bundle.is_prior:
            if bundle.version != self._levels_of:
                for blocks in self._blocks.values():
                    blocks.forget()
            self._levels_of = bundle.version
        self._refer()

    def _refer(self) -> None:
        """Take what is usual in the present state as the reference of change."""
        self._usual_levels = None
        if self.bundle_version and self.state not in UNJUDGED:
            usual = self._models.usual_velocity_mm_s(self.state)
            for decider, velocity in zip(self._deciders, usual, strict=True):
                decider.reference_mm_s = velocity

    def _usual(self) -> Usual:
        if self._usual_levels is None:
            self._usual_levels = self._models.usual_envelope_db(self.state)
        return self._usual_levels

    def limit_as(self, other: Judge) -> None:
        """Take over another judge's limits; events that are open stay so until they clear."""
        for new, held in zip(other._deciders, self._deciders, strict=True):
            new.restore(held.snapshot())
        self._deciders, self._screen = other._deciders, other._screen
        self._screen.settle()

    def window(
        self, path: str, first: int, t0_ns: int, end_ns: int, values: Floats, rpm: float
    ) -> Verdict:
        """Judge one window of every channel, ``values`` of shape (channels, features)."""
        state = self._enter(path, t0_ns, end_ns, values, rpm)
        judged = self._models.judge(path, values, state)
        head, asked = (path, first, t0_ns, end_ns, rpm), {}
        if state not in UNJUDGED:
            by_speed = self._states.by == "speed"
            asked = self._screen.asked(head, values, judged, self._usual, by_speed)
        block = self._blocks[path].window(t0_ns, state, judged.level)
        if block is not None and state not in UNJUDGED:
            asked = {
                c: asked.get(c) or self._screen.told(head, c, values, judged)
                for c in range(len(self._deciders))
            }
        if path == "long":
            self._last[:] = judged.score, judged.p_value, values[:, _VELOCITY]
        events = []
        for c, w in asked.items():
            windows = [w] if block is None else [*self._block(block, c, w), w]
            changes = [self._deciders[c].window(x) for x in windows]
            self._severity[c] = self._deciders[c].severity
            for change in filter(None, changes):
                if change.t_clear_ns is None:
                    self._told[c] = self._models.told_by(path, c, values[c], self.state)
                events.append(self._event(c, change, rpm))
        if asked:
            self._screen.settle()
        known = judged.p_value == judged.p_value
        facts = self._facts(judged, known, rpm, state) if path == "fast" else None
        return Verdict(state, bool(known.any()), tuple(events), facts)

    def _enter(self, path: str, t0_ns: int, end_ns: int, values: Floats, rpm: float) -> str:
        """State that a window stands in; transient where none held over all of it."""
        if path != "fast":
            held = self.state in UNJUDGED or self._states.held_over(t0_ns)
            return self.state if held else TRANSIENT
        if self._states.goes_back(end_ns):
            for decider in self._deciders:
                decider.rewind(t0_ns)
            self._screen.settle()
        before = self.state
        level = _NAN if rpm == rpm else float(values[:, _RMS].max())
        state = self._states.window(t0_ns, end_ns, rpm, level)
        if state != before:
            self._refer()
        return state

    def _block(self, block: Block, c: int, w: Window) -> list[Window]:
        """Return what a block says of one channel, told at the window that closed it."""
        if block.count[c] < BLOCK:
            return []
        p = self._models.block_p_value(block.path, c, float(block.level[c]), block.state)
        # Two paths, two chances.
        p = min(1.0, 2.0 * p)
        return [Window("block", w.first_sample, w.t0_ns, w.end_ns, _NAN, p, w.rpm)]

    # -- what is told --------------------------------------------------------------------------

    def _facts(self, judged: Judged, known: NDArray[np.bool_], rpm: float, state: str) -> Floats:
        if state != STOPPED:
            self._running += 1
            self._judged += known
        facts = np.empty((len(FACTS), len(known)), np.float32)
        facts[0], facts[1], facts[2] = judged.score, judged.p_value, self._severity
        facts[3], facts[4] = rpm, known
        facts[5:] = self._last
        return facts

    def close(self, now_ns: int) -> list[Event]:
        """Declare every open event over, because nothing more of this stream will come."""
        self._severity[:] = 0.0
        closed = [d.close(now_ns) for d in self._deciders]
        self._screen.settle()
        return [self._event(c, x, _NAN) for c, x in enumerate(closed) if x]

    def _event(self, c: int, change: Change, rpm: float) -> Event:
        channel, epoch = self._info.channels[c], self._info.stream_epoch
        # What cleared is told by what stood out when it last grew.
        version, contributions = self._told[c]
        return Event(
            id=RecordId("event", str(channel), epoch, change.onset_sample, change.revision),
            origin=Origin("", channel.site, channel.machine, LIVE, 0, epoch),
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
            bundle=version,
            contributions=() if change.sensor_fault is not None else contributions,
            sensor_fault=change.sensor_fault,
        )

    def standing(self) -> list[str]:
        """What each channel is judged by now, or why it is not: for whoever looks at the node."""
        if self.state in UNJUDGED:
            return [self.state] * len(self._deciders)
        held = zip(self._deciders, self._models.standing(self.state), strict=True)
        return [f"sensor:{d.sensor_fault}" if d.sensor_fault else word for d, word in held]

    def judged_share(self) -> list[float]:
        """Share of the time that the machine ran in which each channel was judged; NaN = never."""
        if not self._running:
            return [_NAN] * len(self._deciders)
        return [float(x) for x in self._judged / self._running]

    # -- restart -------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state, and what status shows of it."""
        return {
            "state": self.state,
            "states": self._states.snapshot(),
            "standing": self.standing(),
            "running": self._running,
            "judged": self._judged.tolist(),
            "deciders": [d.snapshot() for d in self._deciders],
            "blocks": {path: b.snapshot() for path, b in self._blocks.items()},
            "levels_of": self._levels_of,
            "told": self._told,
            "last": dict(zip(_LAST, self._last.astype(float).tolist(), strict=True)),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a snapshot; an older one knows fewer keys."""
        self._states.restore(state.get("states", {"state": state["state"]}))
        self._running = state.get("running", 0)
        self._judged = np.array(state.get("judged", [0] * len(self._deciders)), np.int64)
        for path, blocks in self._blocks.items():
            blocks.restore(state.get("blocks", {}).get(path))
        self._levels_of = state.get("levels_of", "")
        self._told = [
            (version, tuple((name, value) for name, value in told))
            for version, told in state.get("told", self._told)
        ]
        for decider, held in zip(self._deciders, state["deciders"], strict=True):
            decider.restore(held)
        self._severity[:] = [d.severity for d in self._deciders]
        self._screen.settle()
        self._last[:] = [state["last"][name] for name in _LAST]


def with_range(states: StateRules, machine: Machine) -> StateRules:
    """Rules with the register's range of speeds; a register that gives one speed gives no range."""
    low, high = machine.rpm_min, machine.rpm_max
    return replace(states, rpm_range=(_NAN if low is None else low, _NAN if high is None else high))
