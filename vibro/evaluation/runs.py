"""Runs to failure: when an alarm came to stay, and how often it came for nothing before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LASTING = 3
"""Alarmed snapshots in a row that make an alarm."""
STAYING = 0.5
"""Share of all later snapshots that must be alarmed too, for an alarm to last."""


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What a method said of a run.

    Attributes
    ----------
    first_alarm : int or None
        Number (in the sequence given) of the snapshot that confirms the first lasting alarm.
    lead_s : float
        From there to the end of the run; NaN without a lasting alarm.
    false_early : int
        Alarmed snapshots before the lasting alarm began; all of them where there is none.
    quiet : int
        Snapshots before it.
    """

    first_alarm: int | None
    lead_s: float
    false_early: int
    quiet: int


def run_figures(
    alarmed: Sequence[bool], times_s: Sequence[float], lasting: int = LASTING
) -> RunFigures:
    """Judge the alarms of the tested snapshots of one run.

    Parameters
    ----------
    alarmed, times_s : sequences of one length
        In the order of time.
    lasting : int
        Alarmed snapshots in a row that make an alarm.
    """
    flags = list(alarmed)
    begin = _begin(flags, lasting)
    if begin is None:
        return RunFigures(None, math.nan, sum(flags), len(flags))
    confirmed = begin + lasting - 1
    return RunFigures(confirmed, float(times_s[-1] - times_s[confirmed]), sum(flags[:begin]), begin)


def _begin(flags: list[bool], lasting: int) -> int | None:
    for i in range(len(flags) - lasting + 1):
        rest = flags[i:]
        if all(rest[:lasting]) and sum(rest) >= STAYING * len(rest):
            return i
    return None
