"""Which recordings may be compared with each other: same set, rate and operating state."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from vibro.faults import Fault
from vibro.files import Entry

_STATE_KEYS = (
    "load",
    "load_hp",
    "load_lbs",
    "load_N",
    "load_kN",
    "load_Nm",
    "torque_Nm",
    "speed",
    "state",
)
"""Keys of a manifest that tell the operating state of a recording."""
_FAULTY = ("fault", "faulty", "damaged", "abnormal", "anomaly", "anomalous", "defect", "defective")
"""Labels of recordings that are faulty as a whole."""
_SECONDS = "seconds_since_start"


@dataclass(frozen=True, slots=True)
class Group:
    """Recordings of one rig in one state, or one run to failure.

    Attributes
    ----------
    set, name : str
    normal, fault : tuple of Entry
        By the numbers in their names, which publishers count up in time; a run's snapshots are in
        neither.
    run : tuple of Entry
        Snapshots in the order of time; empty when it is not a run.
    other : int
        Recordings labelled otherwise (after shutdown, by the row): not used.
    other_labels : tuple of str
        Their labels.
    numbered : bool
        Whether a run's snapshots have numbers of their own; else they are in the order of their
        times, or of the numbers in their names.
    """

    set: str
    name: str
    normal: tuple[Entry, ...]
    fault: tuple[Entry, ...]
    run: tuple[Entry, ...] = ()
    other: int = 0
    other_labels: tuple[str, ...] = ()
    numbered: bool = True

    @property
    def unknown_words(self) -> tuple[str, ...]:
        """Publisher's words for faults that are not in the taxonomy."""
        words = [str(e.raw.get("fault")) for e in self.fault if e.fault is Fault.UNKNOWN]
        return tuple(dict.fromkeys(w for w in words if w not in ("None", "", Fault.UNKNOWN)))


def group_entries(entries: Iterable[Entry]) -> list[Group]:
    """Groups in the order in which the manifest first names them.

    A run is a group of its own when one of its snapshots is labelled ``run_to_failure``.
    """
    kept = list(entries)
    failing = {(e.set, e.run) for e in kept if e.run and e.label == "run_to_failure"}
    found: dict[tuple[str, str], list[Entry]] = {}
    for e in kept:
        run = (e.set, e.run) in failing
        found.setdefault((e.set, e.run if run else _state(e)), []).append(e)
    return [_group(s, name, group, (s, name) in failing) for (s, name), group in found.items()]


def _group(set_name: str, name: str, entries: list[Entry], run: bool) -> Group:
    if run:
        kept = [e for e in entries if e.label != "post_shutdown"]
        numbered = len({e.index for e in kept}) == len(kept)
        ordered = tuple(sorted(kept, key=_order(kept, numbered)))
        after = [e for e in entries if e.label == "post_shutdown"]
        return Group(set_name, name, (), (), ordered, len(after), _labels(after), numbered)
    counted = sorted(entries, key=lambda e: _numbers(e.file))
    normal = tuple(e for e in counted if e.fault is None and not _is_faulty(e))
    fault = tuple(e for e in counted if _is_faulty(e))
    other = [e for e in counted if e.fault is not None and not _is_faulty(e)]
    return Group(set_name, name, normal, fault, (), len(other), _labels(other))


def _is_faulty(e: Entry) -> bool:
    return e.label.strip().lower() in _FAULTY


def _labels(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(e.label for e in entries))


def _order(entries: list[Entry], numbered: bool) -> Callable[[Entry], Any]:
    if numbered:
        return lambda e: e.index
    if seconds_of(sorted(entries, key=_seconds)) is not None:
        return _seconds
    return lambda e: _numbers(e.file)


def _seconds(e: Entry) -> float:
    told = e.raw.get(_SECONDS)
    if isinstance(told, bool) or not isinstance(told, int | float) or not math.isfinite(told):
        return math.inf
    return float(told)


def seconds_of(entries: Iterable[Entry]) -> list[float] | None:
    """Seconds since the start of a run's snapshots; None where not all are told or do not rise."""
    told = [_seconds(e) for e in entries]
    if any(math.isinf(t) for t in told) or any(b <= a for a, b in pairwise(told)):
        return None
    return told


def _numbers(file: str) -> list[tuple[str, int]]:
    """Sort key that puts H2 before H10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", file)]


def _state(e: Entry) -> str:
    told = [f"{k.split('_')[0]} {e.raw[k]}" for k in _STATE_KEYS if e.raw.get(k) is not None]
    rate = f"{e.rate_hz:g} Hz" if e.rate_hz > 0.0 else "rate by the files"
    return ", ".join([rate, *told])
