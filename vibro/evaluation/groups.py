"""Which recordings may be compared with each other: same set, rate and operating state."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vibro.files import Entry

_STATE_KEYS = ("load_hp", "load_lbs", "load_N", "speed", "state")
"""Keys of a manifest that tell the operating state of a recording."""


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
    """

    set: str
    name: str
    normal: tuple[Entry, ...]
    fault: tuple[Entry, ...]
    run: tuple[Entry, ...] = ()
    other: int = 0

    @property
    def rate_hz(self) -> float:
        """Sampling rate of its recordings."""
        return next(iter((*self.normal, *self.fault, *self.run))).rate_hz


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
        ordered = sorted((e for e in entries if e.label != "post_shutdown"), key=lambda e: e.index)
        return Group(set_name, name, (), (), tuple(ordered), len(entries) - len(ordered))
    counted = sorted(entries, key=lambda e: _numbers(e.file))
    normal = tuple(e for e in counted if e.fault is None)
    fault = tuple(e for e in counted if e.label == "fault")
    other = len(entries) - len(normal) - len(fault)
    return Group(set_name, name, normal, fault, (), other)


def _numbers(file: str) -> list[tuple[str, int]]:
    """Sort key that puts H2 before H10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", file)]


def _state(e: Entry) -> str:
    told = [f"{k.split('_')[0]} {e.raw[k]}" for k in _STATE_KEYS if e.raw.get(k) is not None]
    return ", ".join([f"{e.rate_hz:g} Hz", *told])
