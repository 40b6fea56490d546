"""Reasons to worry, each with its severity, and how long each must persist to count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vibro.decide.limits import Limit
from vibro.decide.rules import DecisionRules
from vibro.faults import Fault, Severity

LOST = "monitoring_lost"
SENSOR_FAULTS = (
    Fault.FLATLINE,
    Fault.CLIPPING,
    Fault.BIAS,
    Fault.DROPOUT,
    Fault.SPIKE,
    Fault.DETACHED,
)
"""What a fast window can show of a sensor, in the order in which one is told from the others."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A reason to worry that counts when ``n`` of the last ``m`` windows of its path show it."""

    name: str
    severity: Severity
    n: int
    m: int

    @property
    def cause(self) -> str:
        """Name without its severity, as events tell it."""
        return self.name.removesuffix(f":{self.severity.word}")


def triggers_of(rules: DecisionRules, limits: Sequence[Limit]) -> dict[str, tuple[Trigger, ...]]:
    """Triggers by the path whose windows must agree, in the order of `vibro.decide.signs`."""
    r = rules
    fast, long, block = (r.fast_n, r.fast_m), (r.long_n, r.long_m), (r.block_n, r.block_m)
    own = {
        path: tuple(t for limit in limits if limit.path == path for t in _of_limit(limit, *nm))
        for path, nm in (("fast", fast), ("long", long))
    }
    passing = dict.fromkeys((Fault.SPIKE, Fault.DROPOUT), (r.broken_n, r.fast_m))
    return {
        "fast": (
            *(Trigger(f"sensor:{f}", Severity.ALERT, *passing.get(f, fast)) for f in SENSOR_FAULTS),
            Trigger(f"{LOST}:alarm", Severity.ALARM, r.lost_n, r.lost_m),
            *_watch_and_alert("forest_fast", *fast),
            *own["fast"],
        ),
        "long": (
            Trigger("iso_change:watch", Severity.WATCH, *long),
            *_alert_and_danger("iso_velocity", *long),
            *_alert_and_danger("iso_displacement", *long),
            *_watch_and_alert("forest_long", *long),
            *own["long"],
        ),
        "block": _watch_and_alert("lasting_shift", *block),
    }


def _watch_and_alert(cause: str, n: int, m: int) -> tuple[Trigger, ...]:
    return tuple(Trigger(f"{cause}:{s.word}", s, n, m) for s in (Severity.WATCH, Severity.ALERT))


def _alert_and_danger(cause: str, n: int, m: int) -> tuple[Trigger, ...]:
    return tuple(Trigger(f"{cause}:{s.word}", s, n, m) for s in (Severity.ALERT, Severity.DANGER))


def _of_limit(limit: Limit, n: int, m: int) -> tuple[Trigger, ...]:
    return _alert_and_danger(f"limit:{limit.feature}", n, m)


_BEFORE_NAMES = {
    "fast": (
        *("sensor:flatline", "sensor:clipping", "sensor:bias", "sensor:dropout"),
        *("forest_fast:watch", "forest_fast:alert"),
    ),
    "long": (
        *("iso_change:watch", "iso_velocity:alert", "iso_velocity:danger"),
        *("iso_displacement:alert", "iso_displacement:danger"),
        *("forest_long:watch", "forest_long:alert"),
    ),
    "block": ("lasting_shift:watch", "lasting_shift:alert"),
}
"""Order of the triggers in snapshots that did not name them."""


class Persistence:
    """Which triggers hold: one bit a window of their path, the newest lowest.

    Parameters
    ----------
    triggers : mapping of path to tuple of Trigger
    """

    def __init__(self, triggers: Mapping[str, tuple[Trigger, ...]]) -> None:
        self._triggers = triggers
        self._bits = {t.name: 0 for path in triggers.values() for t in path}
        self.empty = True
        """Whether a window without any sign would change nothing."""

    def window(self, path: str, signs: Sequence[bool | None]) -> None:
        """Take the signs of one window, in the order of its path's triggers; None = not judged."""
        bits = self._bits
        for trigger, sign in zip(self._triggers[path], signs, strict=True):
            held = bits[trigger.name]
            if sign is not None and (sign or held):
                bits[trigger.name] = (held << 1 | sign) & ((1 << trigger.m) - 1)
        self.empty = not any(bits.values())

    def holding(self) -> list[Trigger]:
        """Triggers that hold now, of every path."""
        if self.empty:
            return []
        return [t for path in self._triggers.values() for t in path if self._holds(t)]

    def holds(self, name: str, path: str) -> bool:
        """Whether the named trigger of a path holds now."""
        return not self.empty and any(
            t.name == name and self._holds(t) for t in self._triggers[path]
        )

    def _holds(self, trigger: Trigger) -> bool:
        bits = self._bits[trigger.name]
        return bits > 0 and bits.bit_count() >= trigger.n

    def snapshot(self) -> dict[str, int]:
        """JSON-able state."""
        return {name: bits for name, bits in self._bits.items() if bits}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot; what it does not know, or is known no more, is forgotten."""
        if any(isinstance(bits, list) for bits in state.values()):
            state = {
                name: bits
                for path, names in _BEFORE_NAMES.items()
                for name, bits in zip(names, state.get(path, ()), strict=False)
            }
        self._bits = {name: int(state.get(name, 0)) for name in self._bits}
        self.empty = not any(self._bits.values())
