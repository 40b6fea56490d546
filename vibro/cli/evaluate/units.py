"""Reading the recordings of a group, and cutting them into units of windows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.replay import points_of, read_entry
from vibro.errors import BadInputError
from vibro.evaluation import Piece, Unit
from vibro.features.setup import ChannelSetup
from vibro.features.spans import SHORTEST_FAST, Spans, spans_of
from vibro.features.stream import MachineFeatures
from vibro.files import Entry, Recording

ROWS = 48
"""Windows of each path and channel that fitting aims at; windows are shortened to get them."""
LEAST_ROWS = 32
SHORTEST = 64


@dataclass(frozen=True, slots=True)
class Loaded:
    """One recording, its channels those of its group."""

    entry: Entry
    x: NDArray[np.float32]
    rpm: float


@dataclass(frozen=True, slots=True)
class Material:
    """All recordings of a group.

    Attributes
    ----------
    normal, fault : list of Loaded
        A run's snapshots are all in ``normal``.
    notes : list of str
        What had to be assumed.
    """

    normal: list[Loaded]
    fault: list[Loaded]
    setups: tuple[ChannelSetup, ...]
    rate_hz: float
    notes: list[str]


def load(normal: Sequence[Entry], fault: Sequence[Entry]) -> Material:
    """Read a group and match its channels: by position, else by name, else the first ones."""
    there = [(e, read_entry(e)) for e in (*normal, *fault) if e.path.is_file()]
    notes = []
    missing = len(normal) + len(fault) - len(there)
    if missing:
        notes.append(f"{missing} recordings of the manifest are not there")
    rate = there[0][1].rate_hz if there else math.nan
    alike = [(e, r) for e, r in there if r.rate_hz == rate]
    if len(alike) < len(there):
        notes.append(f"{len(there) - len(alike)} recordings of another rate were left out")
    there = alike
    if not there:
        return Material([], [], (), math.nan, notes)
    choice, note = _channels([r for _, r in there])
    notes += [note] if note else []
    loaded = [Loaded(e, r.samples[rows], r.rpm) for (e, r), rows in zip(there, choice, strict=True)]
    first, recording = there[0]
    points = points_of(first, recording)
    setups = tuple(ChannelSetup(lines=points[i].lines) for i in choice[0])
    healthy = {e.file for e in normal}
    return Material(
        [x for x in loaded if x.entry.file in healthy],
        [x for x in loaded if x.entry.file not in healthy],
        setups,
        rate,
        notes,
    )


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


def choose_spans(material: Material, fit: Iterable[int], shortest: int) -> Spans | None:
    """Choose the longest windows that fit every unit and give enough rows to fit on.

    Parameters
    ----------
    fit : iterable of int
        Lengths of the pieces that are fitted on, samples.
    shortest : int
        Length of the shortest unit.

    Returns
    -------
    Spans or None
        None when even the shortest windows give too few rows.
    """
    lengths = list(fit)
    try:
        standard = spans_of(material.rate_hz, material.setups)
    except BadInputError:
        return None
    fast, long = standard.fast_window, standard.long_window
    while True:
        spans = spans_of(material.rate_hz, material.setups, fast_window=fast, long_window=long)
        support, hop = spans.long_window_samples, spans.long_hop_samples
        n_long = _rows(lengths, support, hop) if support <= shortest else 0
        n_fast = _rows(lengths, fast, spans.fast_hop) if fast <= shortest else 0
        if min(n_long, n_fast) >= ROWS:
            return spans
        if n_long < ROWS and long > SHORTEST:
            long //= 2
        elif fast > min(SHORTEST_FAST, SHORTEST):
            fast //= 2
        else:
            return spans if min(n_long, n_fast) >= LEAST_ROWS else None


def _rows(lengths: list[int], support: int, hop: int) -> int:
    return sum(max(0, (n - support) // hop + 1) for n in lengths)


def unit_of(material: Material, spans: Spans, loaded: Loaded, piece: Piece | None = None) -> Unit:
    """Windows of a recording, or of a piece of it."""
    x = loaded.x if piece is None else loaded.x[:, piece.start : piece.stop]
    x = np.ascontiguousarray(x)
    batch = MachineFeatures(material.rate_hz, material.setups, spans=spans).push(x, loaded.rpm)
    return Unit(batch.fast, batch.long)
