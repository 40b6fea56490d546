"""One channel's decisions as a plain state machine: no clock, no I/O, the same in any chunking.

Every reason to worry is a trigger that must persist (N of the last M windows of its path). An
event is open while any trigger holds; its severity is the worst that held; it is over when none
has held for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vibro.decide.rules import DecisionRules
from vibro.faults import Fault, Severity
from vibro.iso10816 import IsoLimits, zone

TRIGGERS: dict[str, tuple[tuple[str, Severity], ...]] = {
    "fast": (
        ("sensor:flatline", Severity.ALERT),
        ("sensor:clipping", Severity.ALERT),
        ("sensor:bias", Severity.ALERT),
        ("sensor:dropout", Severity.ALERT),
        ("forest_fast:watch", Severity.WATCH),
        ("forest_fast:alert", Severity.ALERT),
    ),
    "long": (
        ("iso_change:watch", Severity.WATCH),
        ("iso_velocity:alert", Severity.ALERT),
        ("iso_velocity:danger", Severity.DANGER),
        ("iso_displacement:alert", Severity.ALERT),
        ("iso_displacement:danger", Severity.DANGER),
        ("forest_long:watch", Severity.WATCH),
        ("forest_long:alert", Severity.ALERT),
    ),
    "block": (("lasting_shift:watch", Severity.WATCH), ("lasting_shift:alert", Severity.ALERT)),
}
"""Reasons to worry by the path whose windows must agree, each with its severity."""


@dataclass(frozen=True, slots=True)
class Window:
    """What the rules want to know of one judged window, or block of windows, of one channel.

    ``path`` is ``fast``, ``long`` or ``block``; a block has a p-value and no facts. ``score`` and
    ``p_value`` are NaN without a baseline; the facts of the other path are NaN too.
    """

    path: str
    first_sample: int
    t0_ns: int
    end_ns: int
    score: float
    p_value: float
    rpm: float
    rms_m_s2: float = float("nan")
    peak_m_s2: float = float("nan")
    mean_m_s2: float = float("nan")
    repeat_share: float = float("nan")
    velocity_mm_s: float = float("nan")
    displacement_um: float = float("nan")


@dataclass(frozen=True, slots=True)
class Change:
    """An event was opened, grew or cleared: all that is known of it now."""

    what: str
    onset_sample: int
    revision: int
    t_onset_ns: int
    t_last_ns: int
    t_clear_ns: int | None
    t_decided_ns: int
    severity: Severity
    causes: tuple[str, ...]
    score: float
    p_value: float
    velocity_mm_s: float
    sensor_fault: Fault | None


class ChannelDecider:
    """Decides on one channel.

    Parameters
    ----------
    rules : DecisionRules
    full_scale_m_s2 : float
        Full scale of the sensor and converter.
    iso : IsoLimits or None
        None where the standard does not apply.
    """

    def __init__(self, rules: DecisionRules, full_scale_m_s2: float, iso: IsoLimits | None) -> None:
        self._rules, self._full, self._iso = rules, full_scale_m_s2, iso
        self.reference_mm_s = float("nan")
        # One bit a window of the path, the newest lowest.
        self._hits = {path: [0] * len(triggers) for path, triggers in TRIGGERS.items()}
        self._event: dict[str, Any] | None = None
        self._hit = False

    @property
    def quiet(self) -> bool:
        """Whether a window without any sign changes nothing."""
        return self._event is None and not self._hit

    @property
    def severity(self) -> Severity:
        """Severity of the open event, ok when there is none."""
        return Severity(self._event["severity"]) if self._event else Severity.OK

    def window(self, w: Window) -> Change | None:
        """Take one window; return the change it makes, if any."""
        holding = self._holding(w)
        if holding:
            return self._hold(w, holding)
        if self._event is None:
            return None
        if w.end_ns - self._event["held_ns"] < self._rules.clear_s * 1e9:
            return None
        return self._clear(w.end_ns)

    def close(self, now_ns: int) -> Change | None:
        """Declare the open event over, because nothing more of its stream will come."""
        return self._clear(now_ns) if self._event else None

    # -- triggers ------------------------------------------------------------------------------

    def _holding(self, w: Window) -> dict[str, Severity]:
        """Triggers that hold at this window, of either path, with their severity."""
        r = self._rules
        facts = {"fast": self._sensor, "long": self._zones}.get(w.path, _no_facts)
        signs = (*facts(w), w.p_value < r.p_watch, w.p_value < r.p_alert)
        hits = self._hits[w.path]
        window = {"fast": r.fast_m, "long": r.long_m, "block": r.block_m}[w.path]
        if any(signs) or any(hits):
            kept = (1 << window) - 1
            self._hits[w.path] = [
                (bits << 1 | hit) & kept for bits, hit in zip(hits, signs, strict=True)
            ]
            self._hit = any(any(bits) for bits in self._hits.values())
        if not self._hit:
            return {}
        needed = {"fast": r.fast_n, "long": r.long_n, "block": r.block_n}
        return {
            name: severity
            for path, triggers in TRIGGERS.items()
            for (name, severity), bits in zip(triggers, self._hits[path], strict=True)
            if bits and bits.bit_count() >= needed[path]
        }

    def _sensor(self, w: Window) -> tuple[bool, ...]:
        r = self._rules
        flat = w.rms_m_s2 < r.flat_rms_m_s2 or w.repeat_share >= r.stuck_share
        clipped = w.peak_m_s2 + abs(w.mean_m_s2) >= r.clip_share * self._full
        biased = abs(w.mean_m_s2) >= r.bias_share * self._full
        dropped = w.repeat_share >= r.dropout_share
        return (
            flat,
            clipped and not flat,
            biased and not flat and not clipped,
            dropped and not flat and not clipped,
        )

    def _zones(self, w: Window) -> tuple[bool, ...]:
        if self._iso is None:
            return (False,) * 5
        um = None if w.displacement_um != w.displacement_um else w.displacement_um
        by_velocity = zone(w.velocity_mm_s, None, self._iso).severity
        both = zone(w.velocity_mm_s, um, self._iso).severity
        velocity = by_velocity == both
        change = abs(w.velocity_mm_s - self.reference_mm_s)
        alert, danger = both >= Severity.ALERT, both >= Severity.DANGER
        return (
            change > self._rules.change_share * self._iso.velocity_mm_s[1],
            velocity and alert,
            velocity and danger,
            not velocity and alert,
            not velocity and danger,
        )

    # -- the event -----------------------------------------------------------------------------

    def _hold(self, w: Window, holding: dict[str, Severity]) -> Change | None:
        sensor = [n for n in holding if n.startswith("sensor:")]
        # A broken measurement says nothing of the machine.
        names = sensor or list(holding)
        severity = max(holding[n] for n in names)
        causes = {
            n.removesuffix(":watch").removesuffix(":alert").removesuffix(":danger") for n in names
        }
        if self._event is None:
            self._event = self._opened(w)
            what = "opened"
        else:
            new = causes - set(self._event["causes"])
            what = "grown" if severity > self._event["severity"] or new else ""
        e = self._event
        e["causes"] = sorted(causes | set(e["causes"]))
        e["severity"] = max(int(severity), e["severity"])
        e["held_ns"] = e["last_ns"] = w.end_ns
        if sensor:
            e["sensor"] = sensor[0].split(":")[1]
        self._worst(w)
        if not what:
            return None
        e["revision"] += 1
        return self._change(what, w.end_ns, None)

    def _opened(self, w: Window) -> dict[str, Any]:
        return {
            "onset": w.first_sample,
            "onset_ns": w.t0_ns,
            "last_ns": w.end_ns,
            "held_ns": w.end_ns,
            "severity": 0,
            "causes": [],
            "score": float("nan"),
            "p": float("nan"),
            "velocity": float("nan"),
            "sensor": None,
            "revision": -1,
        }

    def _worst(self, w: Window) -> None:
        e = self._event or {}
        for key, value, worse in (
            ("score", w.score, max),
            ("p", w.p_value, min),
            ("velocity", w.velocity_mm_s, max),
        ):
            if value == value:
                e[key] = value if e[key] != e[key] else worse(e[key], value)

    def _clear(self, now_ns: int) -> Change:
        e = self._event or {}
        e["revision"] += 1
        change = self._change("cleared", now_ns, e["held_ns"])
        self._event = None
        return change

    def _change(self, what: str, now_ns: int, t_clear_ns: int | None) -> Change:
        e = self._event or {}
        return Change(
            what,
            e["onset"],
            e["revision"],
            e["onset_ns"],
            e["last_ns"],
            t_clear_ns,
            now_ns,
            Severity(e["severity"]),
            tuple(e["causes"]),
            e["score"],
            e["p"],
            e["velocity"],
            None if e["sensor"] is None else Fault(e["sensor"]),
        )

    # -- restart -------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state."""
        return {
            "hits": {k: list(v) for k, v in self._hits.items()},
            "event": None if self._event is None else dict(self._event),
            "reference_mm_s": self.reference_mm_s,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a snapshot, bit for bit."""
        # What an older snapshot did not know keeps its empty history.
        self._hits |= {k: list(v) for k, v in state["hits"].items()}
        self._hit = any(any(bits) for bits in self._hits.values())
        self._event = None if state["event"] is None else dict(state["event"])
        self.reference_mm_s = state["reference_mm_s"]


def _no_facts(_: Window) -> tuple[bool, ...]:
    """A block knows of nothing but its p-value."""
    return ()
