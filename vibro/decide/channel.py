"""One channel's decisions as a plain state machine: no clock, no I/O, the same in any chunking.

Every reason to worry is a trigger that must persist (N of the last M windows of its path). An
event is open while any trigger holds; its severity is the worst that held; it is over when none
has held for a while. A window that shows a fault of the sensor says nothing of the machine: it is
neither scored nor held against a limit, and neither is a long window that such a window lies in,
nor what follows a sensor fault before the sensor has settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vibro.decide.limits import Limit
from vibro.decide.rules import DecisionRules
from vibro.decide.signs import Window, iso_signs, limit_signs, sensor_signs
from vibro.decide.triggers import LOST, Persistence, Trigger, triggers_of
from vibro.faults import Fault, Severity
from vibro.iso10816 import IsoLimits


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
    limits : sequence of Limit
        Limits set by hand on this channel.
    """

    def __init__(
        self,
        rules: DecisionRules,
        full_scale_m_s2: float,
        iso: IsoLimits | None,
        limits: Sequence[Limit] = (),
    ) -> None:
        self._rules, self._full, self._iso = rules, full_scale_m_s2, iso
        self._limits = {p: tuple(x for x in limits if x.path == p) for p in ("fast", "long")}
        self.reference_mm_s = float("nan")
        self._triggers = Persistence(triggers_of(rules, limits))
        self._event: dict[str, Any] | None = None
        self._blind_ns = -1

    @property
    def quiet(self) -> bool:
        """Whether a window without any sign changes nothing."""
        return self._event is None and self._triggers.empty

    @property
    def severity(self) -> Severity:
        """Severity of the open event, ok when there is none."""
        return Severity(self._event["severity"]) if self._event else Severity.OK

    @property
    def sensor_fault(self) -> Fault | None:
        """Fault of the sensor that the open event tells of."""
        held = None if self._event is None else self._event["sensor"]
        return None if held is None else Fault(held)

    @property
    def blind_ns(self) -> int:
        """Windows that begin before this instant are not judged, because of the sensor."""
        return self._blind_ns

    def blind(self, w: Window) -> bool:
        """Whether the sensor's state forbids to judge a window."""
        return w.t0_ns < self._blind_ns or (
            w.path == "fast" and any(sensor_signs(w, self._rules, self._full))
        )

    def rewind(self, end_ns: int) -> None:
        """Forget instants that are not yet, because the clock was set back."""
        self._blind_ns = min(self._blind_ns, end_ns)
        if self._event is not None:
            self._event["held_ns"] = min(self._event["held_ns"], end_ns)

    def window(self, w: Window) -> Change | None:
        """Take one window; return the change it makes, if any."""
        signs = self._signs(w)
        if any(signs) or not self._triggers.empty:
            self._triggers.window(w.path, signs)
        holding = self._triggers.holding()
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

    # -- signs ---------------------------------------------------------------------------------

    def _signs(self, w: Window) -> tuple[bool | None, ...]:
        """Signs of a window in the order of its path's triggers; None where it is not judged."""
        sensor: tuple[bool, ...] = ()
        if w.path == "fast":
            sensor = sensor_signs(w, self._rules, self._full)
            sensor = (*sensor, sensor[0] or sensor[1])
            if any(sensor):
                self._blind_ns = max(self._blind_ns, w.end_ns)
        judged = (*self._zones(w), w.p_value < self._rules.p_watch, w.p_value < self._rules.p_alert)
        judged += limit_signs(w, self._rules, self._limits.get(w.path, ()), self._triggers.holds)
        if w.t0_ns < self._blind_ns and w.path != "block":
            return (*sensor, *[None] * len(judged))
        return (*sensor, *judged)

    def _zones(self, w: Window) -> tuple[bool, ...]:
        if w.path != "long":
            return ()
        if self._iso is None:
            return (False,) * 5
        return iso_signs(w, self._rules, self._iso, self.reference_mm_s, self._triggers.holds)

    # -- the event -----------------------------------------------------------------------------

    def _hold(self, w: Window, holding: list[Trigger]) -> Change | None:
        sensor = [t for t in holding if t.name.startswith("sensor:") or t.cause == LOST]
        # A broken measurement says nothing of the machine.
        triggers = sensor or holding
        severity, causes = max(t.severity for t in triggers), {t.cause for t in triggers}
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
            self._blind_ns = max(self._blind_ns, w.end_ns + round(self._rules.settle_s * 1e9))
        self._blame(e)
        self._worst(w)
        if not what:
            return None
        e["revision"] += 1
        return self._change(what, w.end_ns, None)

    @staticmethod
    def _blame(e: dict[str, Any]) -> None:
        """Name the sensor's fault, unless the machine has given cause as well."""
        sensors = [c.split(":")[1] for c in e["causes"] if c.startswith("sensor:")]
        machine = any(c != LOST and not c.startswith("sensor:") for c in e["causes"])
        if machine:
            e["sensor"] = None
        elif e["sensor"] is None and sensors:
            e["sensor"] = sensors[0]

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
        if w.path != "block" and w.t0_ns < self._blind_ns:
            return
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
            "hits": self._triggers.snapshot(),
            "event": None if self._event is None else dict(self._event),
            "reference_mm_s": self.reference_mm_s,
            "blind_ns": self._blind_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a snapshot, bit for bit; an older one has no blind time."""
        self._triggers.restore(state["hits"])
        self._event = None if state["event"] is None else dict(state["event"])
        self.reference_mm_s = state["reference_mm_s"]
        self._blind_ns = state.get("blind_ns", -1)
