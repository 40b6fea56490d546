"""Operating states of a machine: stopped, transient, or one of its regimes, window by window.

By speed where there is one. Without a speed the level of the loudest channel tells standstill from
running, but never one regime from another: a fault raises the level, and must not hide in a regime
of its own. `OperatingStates.by` says which of the two it was.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

STOPPED, TRANSIENT, RUNNING = "stopped", "transient", "running"
SLOW, FAST = "slow", "fast"
"""Regimes outside the register's range of speeds."""
UNJUDGED = frozenset({STOPPED, TRANSIENT})
"""States in which nothing is scored and nothing decided."""

RANGE_MARGIN = 0.1
"""Share by which a machine may leave the register's range of speeds (rated speeds are rounded)."""
LEVEL_HYSTERESIS = 1.5
"""A stopped machine must be louder than the limit of standstill by this factor to have started."""
BUCKET_NS = 250_000_000
SPEED_NS, LEVEL_NS = 3 * 10**9, 4 * 10**9
"""Time over which a slope of speed, and of level, is measured."""
START_NS = 30 * 10**9
"""Without a speed, a level that rises is a run-up only so soon after standstill."""


@dataclass(frozen=True, slots=True)
class StateRules:
    """Where states begin and end; by default nothing is transient but what a change falls into.

    Attributes
    ----------
    stopped_rpm : float
        Speed below which the machine stands.
    stopped_rms_m_s2 : float
        Without a speed: RMS of the loudest channel below which it stands.
    rpm_edges : tuple of float
        Speeds (rpm, rising) that part the regimes ``r0``, ``r<edge>``, ...; none = one regime
        ``running``, and ``slow`` and ``fast`` outside ``rpm_range``.
    hysteresis : float
        Share of an edge by which the speed must pass it.
    speed_slope : float
        Change of speed, as a share of it a second over 3 s, above which a state is transient.
    level_slope_db_s : float
        Without a speed: fall of the level over 4 s (or its rise within 30 s of a start), likewise.
    blanking_s : float
        Time after a start in which nothing is judged.
    rpm_range : (float, float)
        Least and greatest speed of the register; NaN where it does not say.
    """

    stopped_rpm: float = 30.0
    stopped_rms_m_s2: float = 0.05
    rpm_edges: tuple[float, ...] = ()
    hysteresis: float = 0.02
    speed_slope: float = math.inf
    level_slope_db_s: float = math.inf
    blanking_s: float = 0.0
    rpm_range: tuple[float, float] = (math.nan, math.nan)

    def regimes(self) -> tuple[str, ...]:
        """Names of all regimes, by rising speed."""
        if self.rpm_edges:
            return ("r0", *(f"r{edge:g}" for edge in self.rpm_edges))
        return (SLOW, RUNNING, FAST)

    def edges(self) -> tuple[float, ...]:
        """Speeds between `regimes`; infinite where the register knows no range."""
        if self.rpm_edges:
            return self.rpm_edges
        low, high = self.rpm_range
        return (
            -math.inf if math.isnan(low) else low * (1.0 - RANGE_MARGIN),
            math.inf if math.isnan(high) else high * (1.0 + RANGE_MARGIN),
        )


class _Track:
    """Means of a value over quarters of a second, as far back as a slope is measured."""

    def __init__(self, span_ns: int) -> None:
        self.held: list[list[float]] = []
        self._buckets = span_ns // BUCKET_NS

    def push(self, t_ns: int, value: float) -> bool:
        """Take a value; return whether it is the first of its quarter of a second."""
        number = t_ns // BUCKET_NS
        if self.held and self.held[-1][0] == number:
            self.held[-1][1] += value
            self.held[-1][2] += 1
            return False
        self.held.append([number, value, 1])
        # The bucket before the span stays when windows are longer than it.
        while len(self.held) > 2 and self.held[0][0] < number - self._buckets:
            del self.held[0]
        return True

    def spread(self) -> tuple[float, float]:
        """Greatest difference among the means, and the seconds over which they were taken."""
        means = [total / n for _, total, n in self.held]
        return max(means) - min(means), (self.held[-1][0] - self.held[0][0]) * BUCKET_NS / 1e9

    def slope(self) -> float:
        """Change a second from the older half of the means to the newer; 0 with less than four."""
        half = len(self.held) // 2
        if half < 2:
            return 0.0
        old, new = (
            sum(total / n for _, total, n in part) / len(part)
            for part in (self.held[:half], self.held[half:])
        )
        seconds = (self.held[-1][0] - self.held[0][0] + 1) * BUCKET_NS / 1e9
        return (new - old) / (0.5 * seconds)


class OperatingStates:
    """State of one machine from the speed or level of its fast windows; the same in any chunking.

    A machine that runs when the stream begins is taken to have run before: nothing is blanked.
    """

    def __init__(self, rules: StateRules | None = None) -> None:
        self._rules = rules or StateRules()
        self._names, self._edges = self._rules.regimes(), self._rules.edges()
        self.state = RUNNING
        self.by = ""
        """``speed`` or ``level``; empty before the first window."""
        self._since_ns = -1
        self._started_ns = -1
        self._band: int | None = None
        self._moves = False
        self._newest_ns = -1
        self._track = self._new_track()

    def _rewind(self, t0_ns: int) -> None:
        """Forget instants that are not yet: the clock was set back."""
        self._track = self._new_track()
        self._since_ns = min(self._since_ns, t0_ns)
        self._started_ns = min(self._started_ns, t0_ns)

    def _new_track(self) -> _Track:
        return _Track(LEVEL_NS if self.by == "level" else SPEED_NS)

    def window(self, t0_ns: int, end_ns: int, rpm: float, level_m_s2: float) -> str:
        """Take one fast window; return the state it stands in.

        Parameters
        ----------
        t0_ns, end_ns : int
        rpm : float
            Mean speed, NaN when unknown.
        level_m_s2 : float
            RMS of the loudest channel; not looked at where a speed is known.
        """
        by = "speed" if rpm == rpm else "level"
        first = not self.by
        if self.goes_back(end_ns):
            self._rewind(t0_ns)
        self._newest_ns = end_ns
        if by != self.by:
            self.by = by
            self._track = self._new_track()
        state = self._state(t0_ns, end_ns, rpm, level_m_s2, first)
        if state != self.state or first:
            self._since_ns = t0_ns
        self.state = state
        return state

    def goes_back(self, end_ns: int) -> bool:
        """Whether a window ends before the newest one did: the clock was set back."""
        return end_ns < self._newest_ns

    def held_over(self, t0_ns: int) -> bool:
        """Whether one state that may be judged has held since ``t0_ns``."""
        return self.state not in UNJUDGED and t0_ns >= self._since_ns

    def _state(self, t0_ns: int, end_ns: int, rpm: float, level: float, first: bool) -> str:
        stood = not first and self.state == STOPPED
        if not self._turns(rpm, level, stood):
            self._track = self._new_track()
            return STOPPED
        if stood:
            self._started_ns = t0_ns
        known = self.by == "speed"
        if self._track.push(end_ns, rpm if known else 20.0 * math.log10(max(level, 1e-9))):
            # Four times a second is soon enough.
            self._moves = self._speed_moves(rpm) if known else self._level_moves(end_ns)
        blanked = self._started_ns >= 0 and t0_ns < self._started_ns + self._blanking_ns
        if blanked or self._moves:
            return TRANSIENT
        return self._regime(rpm) if known else RUNNING

    @property
    def _blanking_ns(self) -> int:
        return round(self._rules.blanking_s * 1e9)

    def _turns(self, rpm: float, level: float, stood: bool) -> bool:
        r = self._rules
        if self.by == "speed":
            return rpm >= r.stopped_rpm * (1.0 + r.hysteresis * stood)
        return level >= r.stopped_rms_m_s2 * (LEVEL_HYSTERESIS if stood else 1.0)

    def _speed_moves(self, rpm: float) -> bool:
        spread, seconds = self._track.spread()
        return spread > self._rules.speed_slope * max(seconds, SPEED_NS / 1e9) * rpm

    def _level_moves(self, end_ns: int) -> bool:
        """Whether the level falls (coast-down), or rises soon after a start (run-up).

        A level that rises later is what a fault looks like, and is judged.
        """
        slope = self._track.slope()
        starting = self._started_ns >= 0 and end_ns < self._started_ns + START_NS
        return slope < -self._rules.level_slope_db_s or (
            starting and slope > self._rules.level_slope_db_s
        )

    def _regime(self, rpm: float) -> str:
        edges, share = self._edges, self._rules.hysteresis
        if self._band is not None:
            low = edges[self._band - 1] if self._band else -math.inf
            high = edges[self._band] if self._band < len(edges) else math.inf
            if low * (1.0 - share) <= rpm < high * (1.0 + share):
                return self._names[self._band]
        self._band = bisect_right(edges, rpm)
        return self._names[self._band]

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state."""
        return {
            "state": self.state,
            "by": self.by,
            "since_ns": self._since_ns,
            "started_ns": self._started_ns,
            "band": self._band,
            "moves": self._moves,
            "newest_ns": self._newest_ns,
            "track": [list(bucket) for bucket in self._track.held],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a snapshot, also from an older one that knows only ``state``."""
        self.state, self.by = state["state"], state.get("by", "")
        self._since_ns = state.get("since_ns", -1)
        self._started_ns, self._band = state.get("started_ns", -1), state.get("band")
        self._moves, self._newest_ns = state.get("moves", False), state.get("newest_ns", -1)
        self._track = self._new_track()
        self._track.held = [list(bucket) for bucket in state.get("track", [])]
