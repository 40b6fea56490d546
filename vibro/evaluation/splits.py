"""Who is fitted on, who calibrates and who tests; nobody has two roles.

Normal recordings keep their order, which is that of time: the first half is fitted on, the next
quarter calibrates the alarm limit, the rest tests. With twenty or more the quarters change places
three times, so that every one of them tests once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FIT, CALIBRATE = 0.5, 0.25
UNITS = 5
"""Fewest healthy values that an alarm limit is taken from, and that test it."""
GUARD = 0.02
"""Share of a recording left unused between two parts of it that have different roles."""
RUN_FIT, RUN_CALIBRATE = 0.2, 0.1
LEAST_RUN = 20
ROTATED, QUARTERS = 20, 4
"""Fewest normal recordings whose quarters change places, and how many there are."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples ``start`` to ``stop`` of recording number ``recording``."""

    recording: int
    start: int
    stop: int

    @property
    def samples(self) -> int:
        """Length."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Split:
    """Pieces of the normal recordings by role, and what must be said about it."""

    fit: tuple[Piece, ...]
    calibrate: tuple[Piece, ...]
    test: tuple[Piece, ...]
    caution: str = ""


def split_normals(lengths: Sequence[int]) -> Split:
    """Roles of normal recordings.

    Parameters
    ----------
    lengths : sequence of int
        Samples of each, in the order of time.

    Notes
    -----
    Where there are fewer than five recordings for a role they are cut into blocks, so that a
    limit has a spread to go by; a recording still has one role. Only a single normal recording
    is divided between the roles, with unused guards between; two share theirs.
    """
    n = len(lengths)
    if n == 0:
        return Split((), (), (), "no normal recording: nothing to compare with")
    if n == 1:
        return _within(lengths[0])
    if n == 2:
        first = _within(lengths[0], FIT + CALIBRATE)
        return Split(
            first.fit,
            first.calibrate,
            _blocks([1], lengths, UNITS),
            "two normal recordings: one is fitted on and calibrates in guarded blocks, "
            "blocks of the other test",
        )
    fits, calibrates = max(1, int(FIT * n)), max(1, int(CALIBRATE * n))
    roles = range(fits), range(fits, fits + calibrates), range(fits + calibrates, n)
    blocks = min(len(roles[1]), len(roles[2])) < UNITS
    caution = (
        f"{n} normal recordings: those that calibrate and test are cut into blocks, which are not "
        "independent"
        if blocks
        else ""
    )
    least = UNITS if blocks else 1
    return Split(
        _blocks(roles[0], lengths, 1),
        _blocks(roles[1], lengths, least),
        _blocks(roles[2], lengths, least),
        caution,
    )


def split_rounds(lengths: Sequence[int]) -> tuple[Split, ...]:
    """Rounds of roles: the split itself, or four of them whose tests are all the recordings.

    Parameters
    ----------
    lengths : sequence of int
        Samples of each normal recording, in the order of time.
    """
    n = len(lengths)
    if n < ROTATED:
        return (split_normals(lengths),)
    edges = [round(q * n / QUARTERS) for q in range(QUARTERS + 1)]
    quarters = [_blocks(range(a, b), lengths, 1) for a, b in pairwise(edges)]
    rounds = []
    for test in reversed(range(QUARTERS)):
        calibrate = (test - 1) % QUARTERS
        fit = [q for q in range(QUARTERS) if q not in (test, calibrate)]
        pieces = tuple(p for q in fit for p in quarters[q])
        rounds.append(Split(pieces, quarters[calibrate], quarters[test]))
    return tuple(rounds)


def _blocks(recordings: Sequence[int], lengths: Sequence[int], least: int) -> tuple[Piece, ...]:
    """Whole recordings, or equal blocks of them where there are fewer than ``least``."""
    each = -(-least // max(1, len(recordings)))
    return tuple(p for r in recordings for p in _cut(r, 0, lengths[r], each))


def _cut(recording: int, start: int, stop: int, blocks: int) -> list[Piece]:
    size = (stop - start) // blocks
    return [Piece(recording, start + k * size, start + (k + 1) * size) for k in range(blocks)]


def _within(length: int, until: float = 1.0) -> Split:
    """Roles inside one recording; ``until`` < 1 has it fit and calibrate only."""
    guard = round(GUARD * length)
    a = round(FIT / until * length)
    b = round((FIT + CALIBRATE) / until * length)
    calibrate = _cut(0, a + guard, b, UNITS)
    test = _cut(0, b + guard, length, UNITS) if until == 1.0 else []
    return Split(
        (Piece(0, 0, a),),
        tuple(calibrate),
        tuple(test),
        "one normal recording: guarded blocks of it fit, calibrate and test; they resemble each "
        "other more than recordings of different days do",
    )


def split_run(snapshots: int) -> tuple[int, int]:
    """First snapshot that calibrates and first that tests, of a run to failure.

    Raises
    ------
    ValueError
        If the run has fewer than 20 snapshots.
    """
    if snapshots < LEAST_RUN:
        raise ValueError(f"a run of {snapshots} snapshots is too short: at least {LEAST_RUN}")
    fit = round(RUN_FIT * snapshots)
    return fit, fit + max(3, round(RUN_CALIBRATE * snapshots))
