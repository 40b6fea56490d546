"""Cutting recordings into units of windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vibro.cli.evaluate.reading import SHORTEST, Loaded, Material, some_of
from vibro.errors import BadInputError
from vibro.evaluation import Piece, Unit, unit
from vibro.features.spans import SHORTEST_FAST, Spans, spans_of
from vibro.features.stream import MachineFeatures

ROWS = 48
"""Windows of each path and channel that fitting aims at; windows are shortened to get them."""
LEAST_ROWS = 32
LEAST_LIMIT = 3
"""Fewest healthy values that an alarm limit can be taken from."""


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
    x = loaded.cut() if piece is None else loaded.cut(piece.start, piece.stop)
    batch = MachineFeatures(material.rate_hz, material.setups, spans=spans).push(x, loaded.rpm)
    return unit(batch.fast, batch.long)


def enough(fit: Sequence[Unit], calibrate: Sequence[Unit]) -> bool:
    """Whether there are windows to fit on and values to take an alarm limit from."""
    rows = min(sum(len(u.fast) for u in fit), sum(len(u.long) for u in fit))
    return rows >= LEAST_ROWS and len(calibrate) >= LEAST_LIMIT


def unit_notes(units: Sequence[tuple[str, Unit]]) -> list[str]:
    """Notes on windows that were left out and on features that are not defined, by file."""
    notes = []
    if still := sum(u.still for _, u in units):
        files = some_of(f for f, u in units if u.still)
        notes.append(f"{still} windows in which a channel does not move were left out ({files})")
    if odd := sorted({name for _, u in units for name in u.undefined}):
        files = some_of(f for f, u in units if u.undefined)
        notes.append(f"{', '.join(odd)} not defined in some windows: 0 to every method ({files})")
    return notes


def window_note(spans: Spans, material: Material) -> list[str]:
    """Tell where windows are not the usual ones."""
    standard = spans_of(material.rate_hz, material.setups)
    if (spans.fast_window, spans.long_window) == (standard.fast_window, standard.long_window):
        return []
    fast, long = 1e3 * spans.fast_window / material.rate_hz, spans.long_window / spans.long_rate_hz
    return [f"windows shortened to {fast:.3g} ms and {long:.3g} s to have enough to fit on"]
