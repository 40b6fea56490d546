"""Reading the recordings of a group, and telling which of them cannot be judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets.replay import points_of, read_entry
from vibro.errors import BadInputError
from vibro.evaluation import Group
from vibro.features.setup import ChannelSetup
from vibro.features.spans import FAST_S, spans_of
from vibro.files import Entry, Recording

Recordings = Mapping[str, Recording]
"""By the manifest's name of the file."""

SHORTEST = 64
"""Shortest window, samples or decimated samples, that is ever used."""
STILL = 0.5
"""Share of a recording in which a channel may stand still; above it nobody could judge it."""
NAMED = 3
"""Recordings are told by name up to so many."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One recording, its channels those of its group."""

    entry: Entry
    x: NDArray[np.float32]
    rpm: float


@dataclass(frozen=True, slots=True)
class Material:
    """All recordings of a group that are compared.

    Attributes
    ----------
    normal, fault : list of Loaded
        A run's snapshots are all in ``normal``.
    notes : list of str
        What had to be assumed or left out.
    """

    normal: list[Loaded]
    fault: list[Loaded]
    setups: tuple[ChannelSetup, ...]
    rate_hz: float
    notes: list[str]


def read_group(group: Group) -> tuple[Group, Recordings, list[str]]:
    """Read a group's recordings, each once.

    Returns
    -------
    group : Group
        Without the recordings that are not there or cannot be judged.
    recordings : mapping of file to Recording
    notes : list of str
        Tell of those that were left out.

    Raises
    ------
    BadInputError
        If a recording cannot be read.
    """
    entries = (*group.normal, *group.fault, *group.run)
    recordings = {e.file: read_entry(e) for e in entries if e.path.is_file()}
    missing = len(entries) - len(recordings)
    notes = [f"{missing} recordings of the manifest are not there"] if missing else []
    dead = {file: why for file, r in recordings.items() if (why := _standstill(r))}

    def kept(role: Sequence[Entry]) -> tuple[Entry, ...]:
        return tuple(e for e in role if e.file in recordings and e.file not in dead)

    left = replace(group, normal=kept(group.normal), fault=kept(group.fault), run=kept(group.run))
    return left, recordings, notes + left_out(dead)


def left_out(unable: Mapping[str, str]) -> list[str]:
    """Note on recordings that cannot be judged, by file and reason."""
    if not unable:
        return []
    count = "1 recording" if len(unable) == 1 else f"{len(unable)} recordings"
    told = some_of(f"{file}: {why}" for file, why in unable.items())
    return [f"{count} cannot be judged, in no figure ({told})"]


def some_of(names: Iterable[str]) -> str:
    """List the first few, and how many more there are."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


def _standstill(recording: Recording) -> str:
    """Why a recording with a channel that is constant most of the time is no use; else empty.

    Every method takes the median over windows: that would be the dead channel's, and its alarm
    would pass for the fault that the label tells of.
    """
    samples = recording.samples
    size = min(samples.shape[1], max(2, round(FAST_S * recording.rate_hz)))
    blocks = samples[:, : samples.shape[1] // size * size].reshape(len(samples), -1, size)
    share = (np.ptp(blocks, axis=2) == 0.0).mean(axis=1)
    dead = [n for n, s in zip(recording.names, share, strict=True) if s > STILL]
    return f"channel {' and '.join(dead)} does not move" if dead else ""


def load(normal: Sequence[Entry], fault: Sequence[Entry], recordings: Recordings) -> Material:
    """Match the channels of recordings: by position, else by name, else the first ones."""
    there = [(e, recordings[e.file]) for e in (*normal, *fault)]
    rate = there[0][1].rate_hz if there else math.nan
    alike = [(e, r) for e, r in there if r.rate_hz == rate]
    if not alike:
        return Material([], [], (), math.nan, [])
    other = len(there) - len(alike)
    notes = [f"{other} recordings of another rate were left out"] if other else []
    choice, note = _channels([r for _, r in alike])
    notes += [note] if note else []
    first, recording = alike[0]
    points = points_of(first, recording)
    setups = tuple(ChannelSetup(lines=points[i].lines) for i in choice[0])
    short = _too_short(alike, rate, setups)
    loaded = [
        Loaded(e, r.samples[rows], r.rpm)
        for (e, r), rows in zip(alike, choice, strict=True)
        if e.file not in short
    ]
    healthy = {e.file for e in normal}
    return Material(
        [x for x in loaded if x.entry.file in healthy],
        [x for x in loaded if x.entry.file not in healthy],
        setups,
        rate,
        notes + left_out(short),
    )


def _too_short(
    recordings: Sequence[tuple[Entry, Recording]], rate_hz: float, setups: Sequence[ChannelSetup]
) -> dict[str, str]:
    """Recordings that not even the shortest windows fit into, and why."""
    try:
        spans = spans_of(rate_hz, setups, fast_window=SHORTEST, long_window=SHORTEST)
    except BadInputError:  # no window fits the rate: that is told of the whole group
        return {}
    least = spans.long_window_samples
    return {
        e.file: f"{r.samples.shape[1]} samples, at least {least} are needed"
        for e, r in recordings
        if r.samples.shape[1] < least
    }


def _channels(recordings: Sequence[Recording]) -> tuple[list[list[int]], str]:
    """Rows to take of each recording."""
    counts = {len(r.names) for r in recordings}
    if len(counts) == 1:
        return [list(range(len(r.names))) for r in recordings], ""
    common = [n for n in recordings[0].names if all(n in r.names for r in recordings)]
    if common:
        rows = [[r.names.index(n) for n in common] for r in recordings]
        return rows, f"only the channels that all recordings have: {', '.join(common)}"
    least = min(counts)
    note = f"channels are not named alike: the first {least} of each recording were compared"
    return [list(range(least)) for _ in recordings], note
