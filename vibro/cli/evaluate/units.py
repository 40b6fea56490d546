"""Cutting recordings into units of windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vibro.cli.evaluate.reading import SHORTEST, Loaded, Material, some_of
from vibro.errors import BadInputError
from vibro.evaluation import Piece, Unit, unit
from vibro.features.spans import Spans, spans_of
from vibro.features.stream import MachineFeatures

ROWS = 48
"""Windows of each path and channel that fitting aims at; windows are shortened to get them."""
LEAST_ROWS = 32
LEAST_RATIO = 4
"""Fast windows that a long one must be as long as, to be judged; usually it is twenty."""
LEAST_LIMIT = 3
"""Fewest healthy values that an alarm limit can be taken from."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How recordings of a group are cut into windows; long ones may have to be left out."""

    spans: Spans
    has_long: bool


def choose_cut(material: Material, fit: Iterable[int], shortest: int) -> Cut | None:
    """Choose the longest windows that fit every unit and give enough rows to fit on.

    Long windows that would have to be hardly longer than the fast ones are left out: they are
    there to resolve what a fast one cannot.

    Parameters
    ----------
    fit : iterable of int
        Lengths of the pieces that are fitted on, samples.
    shortest : int
        Length of the shortest unit.

    Returns
    -------
    Cut or None
        None when even the shortest fast windows give too few rows.
    """
    lengths = list(fit)

    def spans(fast: int, long: int) -> Spans:
        return spans_of(material.rate_hz, material.setups, fast_window=fast, long_window=long)

    try:
        standard = spans_of(material.rate_hz, material.setups)
    except BadInputError:
        return None
    fast = standard.fast_window
    while (n := _rows(lengths, fast, fast // 2, shortest)) < ROWS and fast > SHORTEST:
        fast //= 2
    if n < LEAST_ROWS:
        return None
    long = standard.long_window
    while long >= SHORTEST and long * standard.decimation >= LEAST_RATIO * fast:
        found = spans(fast, long)
        if _rows(lengths, found.long_window_samples, found.long_hop_samples, shortest) >= ROWS:
            return Cut(found, has_long=True)
        long //= 2
    return Cut(spans(fast, SHORTEST), has_long=False)


def _rows(lengths: list[int], window: int, hop: int, shortest: int) -> int:
    """Windows that the pieces give; none where they do not fit every unit."""
    return sum(max(0, (n - window) // hop + 1) for n in lengths) if window <= shortest else 0


def unit_of(material: Material, cut: Cut, loaded: Loaded, piece: Piece | None = None) -> Unit:
    """Windows of a recording, or of a piece of it."""
    x = loaded.cut() if piece is None else loaded.cut(piece.start, piece.stop)
    batch = MachineFeatures(material.rate_hz, material.setups, spans=cut.spans).push(x, loaded.rpm)
    return unit(batch.fast, batch.long if cut.has_long else batch.long[:0])


def enough(fit: Sequence[Unit], calibrate: Sequence[Unit]) -> bool:
    """Whether there are windows to fit on and values to take an alarm limit from."""
    rows = [sum(len(u.fast) for u in fit), sum(len(u.long) for u in fit)]
    return (min(rows) or rows[0]) >= LEAST_ROWS and len(calibrate) >= LEAST_LIMIT


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


def window_note(cut: Cut, material: Material) -> list[str]:
    """Tell where windows are not the usual ones."""
    standard, spans = spans_of(material.rate_hz, material.setups), cut.spans
    if (spans.fast_window, spans.long_window) == (standard.fast_window, standard.long_window):
        return []
    fast, long = 1e3 * spans.fast_window / material.rate_hz, spans.long_window / spans.long_rate_hz
    if not cut.has_long:
        return [f"windows shortened to {fast:.3g} ms to have enough to fit on, long ones left out"]
    return [f"windows shortened to {fast:.3g} ms and {long:.3g} s to have enough to fit on"]
