"""Reading the recordings of a group, and telling which of them cannot be judged."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets.replay import points_of
from vibro.cli.evaluate.recordings import Recordings, Shape
from vibro.errors import BadInputError
from vibro.evaluation import Group
from vibro.features.setup import ChannelSetup
from vibro.features.spans import spans_of
from vibro.files import Entry

SHORTEST = 64
"""Shortest window, samples or decimated samples, that is ever used."""
NAMED = 3
"""Recordings are told by name up to so many."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One recording, its channels those of its group.

    Attributes
    ----------
    samples : int
        Length.
    rows : tuple of int
        Its channels that the group compares.
    """

    entry: Entry
    rpm: float
    samples: int
    rows: tuple[int, ...]
    recordings: Recordings

    def cut(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Samples ``start`` to ``stop``; shape (channels, n), m/s2."""
        found = self.recordings[self.entry.file].samples
        return np.ascontiguousarray(found[list(self.rows), start:stop])


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


def read_group(group: Group, tell: Callable[[str], None]) -> tuple[Group, Recordings, list[str]]:
    """Read a group's recordings for the first time.

    Parameters
    ----------
    tell : callable
        Is told how far it has come.

    Returns
    -------
    group : Group
        Without the recordings that are not there, cannot be read or cannot be judged.
    recordings : Recordings
    notes : list of str
        Tell of those that were left out.
    """
    entries = (*group.normal, *group.fault, *group.run)
    recordings = Recordings(entries)
    missing = [e.file for e in entries if not e.path.is_file()]
    there = [e for e in entries if e.path.is_file()]
    unable = {}
    for i, e in enumerate(there):
        tell(f"reading {i + 1}/{len(there)}")
        if why := recordings.survey(e.file) or recordings.shapes[e.file].dead:
            unable[e.file] = why
    out = {*missing, *unable}

    def kept(role: Sequence[Entry]) -> tuple[Entry, ...]:
        return tuple(e for e in role if e.file not in out)

    left = replace(group, normal=kept(group.normal), fault=kept(group.fault), run=kept(group.run))
    return left, recordings, [*_not_there(missing), *left_out(unable)]


def _not_there(files: Sequence[str]) -> list[str]:
    if not files:
        return []
    are = "is" if len(files) == 1 else "are"
    return [f"{counted(len(files))} of the manifest {are} not there ({some_of(files)})"]


def counted(recordings: int) -> str:
    """Say how many recordings."""
    return "1 recording" if recordings == 1 else f"{recordings} recordings"


def left_out(unable: Mapping[str, str]) -> list[str]:
    """Note on recordings that cannot be judged, by file and reason."""
    if not unable:
        return []
    told = some_of(f"{file}: {why}" for file, why in unable.items())
    return [f"{counted(len(unable))} cannot be judged, in no figure ({told})"]


def some_of(names: Iterable[str]) -> str:
    """List the first few, and how many more there are."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


def load(normal: Sequence[Entry], fault: Sequence[Entry], recordings: Recordings) -> Material:
    """Match the channels of recordings: by position, else by name, else the first ones.

    The rate is that of most normal recordings; those of another are left out and told of.
    """
    there = [(e, recordings.shapes[e.file]) for e in (*normal, *fault)]
    if not there:
        return Material([], [], (), math.nan, [])
    counted = there[: len(normal)] or there
    rate = Counter(s.rate_hz for _, s in counted).most_common(1)[0][0]
    notes = left_out(
        {e.file: f"{s.rate_hz:g} Hz, not {rate:g}" for e, s in there if s.rate_hz != rate}
    )
    alike = [(e, s) for e, s in there if s.rate_hz == rate]
    choice, note = _channels([s for _, s in alike])
    notes += [note] if note else []
    first = alike[0][0]
    points = points_of(first, recordings[first.file])
    setups = tuple(ChannelSetup(lines=points[i].lines) for i in choice[0])
    short = _too_short(alike, rate, setups)
    loaded = {
        e.file: Loaded(e, s.rpm, s.samples, rows, recordings)
        for (e, s), rows in zip(alike, choice, strict=True)
        if e.file not in short
    }
    healthy = [loaded[e.file] for e in normal if e.file in loaded]
    faulty = [loaded[e.file] for e in fault if e.file in loaded]
    return Material(
        healthy, faulty, setups, rate, [*notes, *left_out(short), *_speeds(healthy, faulty)]
    )


def _too_short(
    recordings: Sequence[tuple[Entry, Shape]], rate_hz: float, setups: Sequence[ChannelSetup]
) -> dict[str, str]:
    """Recordings that not even the shortest windows fit into, and why."""
    try:
        spans = spans_of(rate_hz, setups, fast_window=SHORTEST, long_window=SHORTEST)
    except BadInputError:  # no window fits the rate: that is told of the whole group
        return {}
    least = spans.long_window_samples
    return {
        e.file: f"{s.samples} samples, at least {least} are needed"
        for e, s in recordings
        if s.samples < least
    }


def _speeds(normal: Sequence[Loaded], fault: Sequence[Loaded]) -> list[str]:
    """Note where faulty recordings run at speeds that no normal one has."""
    healthy = [x.rpm for x in normal if x.rpm > 0.0]
    faulty = [x.rpm for x in fault if x.rpm > 0.0]
    if not (healthy and faulty):
        return []
    low, high = 0.9 * min(healthy), 1.1 * max(healthy)
    if low <= min(faulty) and max(faulty) <= high:
        return []
    return [
        f"faulty recordings run at {min(faulty):.0f} to {max(faulty):.0f} rpm, normal ones at "
        f"{min(healthy):.0f} to {max(healthy):.0f}: what is found may be the speed"
    ]


def _channels(recordings: Sequence[Shape]) -> tuple[list[tuple[int, ...]], str]:
    """Rows to take of each recording."""
    counts = {len(r.names) for r in recordings}
    if len(counts) == 1:
        return [tuple(range(len(r.names))) for r in recordings], ""
    common = [n for n in recordings[0].names if all(n in r.names for r in recordings)]
    if common:
        rows = [tuple(r.names.index(n) for n in common) for r in recordings]
        return rows, f"only the channels that all recordings have: {', '.join(common)}"
    least = min(counts)
    note = f"channels are not named alike: the first {least} of each recording were compared"
    return [tuple(range(least)) for _ in recordings], note
