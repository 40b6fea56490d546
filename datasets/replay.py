"""Public recordings as machines of a plant: what `vibro demo --data` replays."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.bearings import bearing_of
from datasets.catalogue import find_set
from vibro.assets import Machine, Point
from vibro.errors import BadInputError
from vibro.faults import Fault
from vibro.files import MANIFEST, Entry, Recording, read_manifest, read_recording
from vibro.kinematics import Bearing, find_bearing

SETS = ("cwru", "mfpt", "ims")
MOST = 10
"""Machines of a replayed plant."""
LEAST_RUN = 8
"""Snapshots that make a run worth replaying as one machine."""
# Recordings that every reader of these sets knows; they come first where a manifest has them.
_KNOWN = ("97_", "109_", "130at6", "122_", "174_")
# CWRU's channels (the publisher's page: accelerometers at twelve o'clock) and its fan-end bearing.
_PLACES = {"de": ("DE", "V"), "fe": ("NDE", "V"), "ba": ("DE", "V")}
_OTHER_BEARINGS: dict[str, str | None] = {"fe": "6203", "ba": None}


@dataclass(frozen=True, slots=True)
class ReplayMachine:
    """One machine made of recordings.

    Attributes
    ----------
    site, name : str
        Slugs: the set's and the recording's name.
    machine : Machine
        One point a channel, with the publisher's kinematics.
    entries : tuple of Entry
        In the order of time.
    expected_fault : Fault or None
        By the publisher's label; None = healthy.
    commissioning : Entry or None
        A normal recording of the same rig at the same rate, of the nearest speed; the recording
        itself where it is the rig's only normal one.
    """

    site: str
    name: str
    machine: Machine
    entries: tuple[Entry, ...]
    expected_fault: Fault | None
    commissioning: Entry | None

    def read(self, entry: Entry) -> Recording:
        """Read one of its recordings: m/s2, channels and their names as the machine's points.

        A recording with more channels than the machine is cut to the machine's by name, else to
        its first.
        """
        found = _read(entry)
        names = [_slug(n) for n in found.names]
        wanted = [p.channel for p in self.machine.points]
        if set(wanted) <= set(names):
            rows = [names.index(w) for w in wanted]
        elif len(names) >= len(wanted):
            rows = list(range(len(wanted)))
        else:
            raise BadInputError(
                f"{entry.path}: has {len(names)} channels, {self.machine.path} has {len(wanted)}"
            )
        return replace(found, samples=found.samples[rows], names=tuple(wanted))


def replay_machines(manifest_path: Path, most: int = MOST) -> list[ReplayMachine]:
    """Machines made of the CWRU, MFPT and IMS recordings of a manifest.

    Parameters
    ----------
    manifest_path : Path
        The manifest, or the folder that holds it.
    most : int
        At most so many; one of each fault and set comes before a second.

    Raises
    ------
    BadInputError
        If there is no manifest, or a recording cannot be read.
    """
    folder = manifest_path.parent if manifest_path.name == MANIFEST else manifest_path
    entries = [e for e in read_manifest(folder) if e.set in SETS and e.path.is_file()]
    machines: dict[str, ReplayMachine] = {}
    for chosen in _selection(entries)[:most]:
        made = _machine(chosen, entries)
        name, n = made.name, 2
        while f"{made.site}/{name}" in machines:
            name, n = f"{made.name[:58]}-{n}", n + 1
        named = replace(made, name=name, machine=replace(made.machine, machine=name))
        machines[named.machine.path] = named
    return list(machines.values())


def _selection(entries: list[Entry]) -> list[tuple[Entry, ...]]:
    """Known recordings and the first of each fault; runs as a whole, in order of time."""
    single = [e for e in entries if not e.run and e.label in ("normal", "fault")]
    runs: dict[tuple[str, str], list[Entry]] = {}
    for e in entries:
        if e.run:
            runs.setdefault((e.set, e.run), []).append(e)
    long_runs = [
        tuple(sorted(run, key=lambda e: e.index)) for run in runs.values() if len(run) >= LEAST_RUN
    ]
    single.sort(key=lambda e: (SETS.index(e.set), _rank(e)))
    kinds: set[tuple[str, Fault | None]] = set()
    chosen: list[tuple[Entry, ...]] = []
    for e in single:
        if (e.set, e.fault) not in kinds or _rank(e) < len(_KNOWN):
            chosen.append((e,))
        kinds.add((e.set, e.fault))
    return chosen + long_runs


def _rank(entry: Entry) -> int:
    stem = entry.path.name
    return next((i for i, k in enumerate(_KNOWN) if stem.startswith(k)), len(_KNOWN))


def _machine(entries: tuple[Entry, ...], others: list[Entry]) -> ReplayMachine:
    first = entries[0]
    known = find_set(first.set)
    recording = _read(first)
    site, name = _slug(first.set), _name(entries)
    rpm = first.rpm if math.isfinite(first.rpm) else None
    points = points_of(first, recording)
    machine = Machine(
        site,
        name,
        known.machine_class if known else "machine",
        region="lab",
        owner=site,
        criticality="low",
        power_kw=known.power_kw if known else None,
        rpm_min=rpm,
        rpm_nominal=rpm,
        rpm_max=rpm,
        points=points,
    )
    faults = [e.fault for e in entries if e.fault not in (None, Fault.UNKNOWN)]
    expected = faults[-1] if faults else entries[-1].fault if len(entries) == 1 else None
    return ReplayMachine(site, name, machine, entries, expected, _commissioning(first, others))


def points_of(entry: Entry, recording: Recording) -> tuple[Point, ...]:
    """Measuring points of a recording's channels, with what the publisher tells of the machine."""
    return tuple(_point(n, entry, recording, i) for i, n in enumerate(recording.names))


def read_entry(entry: Entry) -> Recording:
    """Read a recording with what its manifest says of rate, units, speed and delimiter."""
    return _read(entry)


def _point(name: str, entry: Entry, recording: Recording, row: int) -> Point:
    channel = _slug(name)
    location, axis = _PLACES.get(channel, ("DE", "V"))
    known = find_set(entry.set)
    peak = float(abs(recording.samples[row]).max())
    return Point(
        channel,
        location,
        axis,
        bearing=_bearing(channel, entry),
        line_hz=known.line_hz if known else 50.0,
        rate_hz=entry.rate_hz if math.isfinite(entry.rate_hz) else recording.rate_hz,
        # A recording does not tell its sensor's range: the usual one, or twice what was reached.
        range_m_s2=max(490.0, float(math.ceil(2.0 * peak))),
    )


def _bearing(channel: str, entry: Entry) -> Bearing | None:
    if entry.set == "cwru" and channel in _OTHER_BEARINGS:
        other = _OTHER_BEARINGS[channel]
        return find_bearing(other) if other else None
    return bearing_of(entry)


def _commissioning(entry: Entry, others: list[Entry]) -> Entry | None:
    normal = [
        e
        for e in others
        if e.set == entry.set and e.label == "normal" and e.rate_hz == entry.rate_hz
    ]

    def distance(e: Entry) -> tuple[bool, float, int]:
        off = abs(e.rpm - entry.rpm)
        return e.file == entry.file, off if off == off else math.inf, e.index

    return min(normal, key=distance, default=None)


def _name(entries: tuple[Entry, ...]) -> str:
    first = entries[0]
    if len(entries) > 1:
        return _slug(first.run)
    stem = _slug(first.path.name.removesuffix(first.path.suffix) or first.path.name)
    word = first.fault.value.removeprefix("bearing_") if first.fault else "normal"
    return stem if word in stem else f"{stem[:50]}-{_slug(word)}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63] or "x"


def _read(entry: Entry) -> Recording:
    return read_recording(
        entry.path,
        otherwise_rate_hz=entry.rate_hz,
        units=entry.units or None,
        rpm=entry.rpm,
        delimiter=entry.delimiter,
    )
