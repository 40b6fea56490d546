"""Limits that a person set by hand on features of measuring points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vibro.errors import BadInputError
from vibro.features.table import FAST_NAMES, LONG_NAMES

EVERY = "*"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on one feature of one point, or of every point of the machine.

    Attributes
    ----------
    channel : str
        Channel slug, or ``*``.
    feature : str
        Name in the feature table, e.g. ``velocity_rms_mm_s`` or ``band_07``.
    alert, danger : float
        Values from which on a window speaks for alert and for danger, in the feature's unit; NaN
        = no such limit.
    """

    channel: str
    feature: str
    alert: float = math.nan
    danger: float = math.nan

    @property
    def path(self) -> str:
        """Path whose windows tell the feature."""
        return "fast" if self.feature in FAST_NAMES else "long"

    @property
    def column(self) -> int:
        """Column of the feature in its path's vectors."""
        return (FAST_NAMES if self.path == "fast" else LONG_NAMES).index(self.feature)

    @property
    def least(self) -> float:
        """Lowest of its values: below it nothing is said."""
        return min((v for v in (self.alert, self.danger) if v == v), default=math.inf)

    def problems(self) -> list[str]:
        """What is wrong with it, whatever the machine."""
        found = []
        if self.feature not in FAST_NAMES and self.feature not in LONG_NAMES:
            found.append("feature is not in the feature table, e.g. velocity_rms_mm_s or band_07")
        if self.least == math.inf:
            found.append("neither alert nor danger is given")
        if self.alert > self.danger:
            found.append(f"alert {self.alert:g} is above danger {self.danger:g}")
        return found


def limits_by_channel(limits: Sequence[Limit], channels: Sequence[str]) -> list[tuple[Limit, ...]]:
    """Limits of each channel; one that names its channel replaces one for all.

    Raises
    ------
    BadInputError
        With every mistake: a channel or feature that is not known, the same limit twice, none at
        all, or an alert above its danger.
    """
    problems = [f"limit {x.channel}/{x.feature}: {p}" for x in limits for p in x.problems()]
    problems += [
        f"limit {x.channel}/{x.feature}: channel is not one of {', '.join((EVERY, *channels))}"
        for x in limits
        if x.channel not in (EVERY, *channels)
    ]
    pairs = [(limit.channel, limit.feature) for limit in limits]
    problems += sorted({f"limit {c}/{f} stands twice" for c, f in pairs if pairs.count((c, f)) > 1})
    if problems:
        raise BadInputError("; ".join(problems))
    found = []
    for channel in channels:
        own = {limit.feature: limit for limit in limits if limit.channel == EVERY}
        own |= {limit.feature: limit for limit in limits if limit.channel == channel}
        found.append(tuple(own.values()))
    return found
