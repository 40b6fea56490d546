"""Hours and days: the server's own tasks sum up what points have come for, however late.

A ledger tells them what is due. Whoever has written points of an hour then writes ``touched``, a
number never used before, into the measurement ``rollup`` (tag site, time = start of the hour) of
the same bucket. The task takes the hours that are over and whose ``touched`` is not their
``rolled``; it sums them up anew, and when that is written, writes as ``rolled`` the ``touched``
that it had read before. So points that come meanwhile, or after days without a link, or while the
server was down make their hour due again, whatever the clocks say, and an hour that is summed up
twice is the same hour. The task of days reads hours in the same way, told by the task of hours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from cloud_jobs.columns import STATUS_COUNTS, STATUS_VALUES
from cloud_jobs.config import InfluxSection
from cloud_jobs.timeseries.lines import line, series

AT_ONCE = 500
"""Hours or days of a site that one run sums up, the newest first; the next run goes on."""
_MEANS = tuple(n for n in STATUS_VALUES if n not in ("severity", "p_fast", "p_long"))
_LEAST = ("p_fast", "p_long")
_MOST = ("severity",)
_SPARSE = ("event", "case", "model", "limit", "maintenance")


def _one_of(column: str, names: Iterable[str]) -> str:
    return "(" + " or ".join(f'r.{column} == "{name}"' for name in names) + ")"


WHICH = {
    "mean": f'r._measurement == "status" and {_one_of("_field", _MEANS)} '
    "or r._measurement =~ /^features_/ and r._field !~ /_max$/",
    "max": f'r._measurement == "status" and {_one_of("_field", _MOST)} '
    "or r._measurement =~ /^features_/ and r._field =~ /_max$/",
    "min": f'r._measurement == "status" and {_one_of("_field", _LEAST)}',
    "last": f'r._measurement == "status" and {_one_of("_field", STATUS_COUNTS)} '
    'or r._measurement == "node"',
    "sparse": _one_of("_measurement", _SPARSE),
}
"""How each field is summed up, as a node sums up its own windows: scores and levels by their mean,
maxima and severities by their maximum, p-values by their minimum, counts and words by the last.
Points that are single facts are kept as they are. The server's storage engine answers
these filters itself as long as there is no ``not`` in them: that is ten times faster."""


def touched(hours: Iterable[tuple[str, int]], mark: int) -> bytes:
    """Lines that make hours (site, start in ns) due; ``mark`` is never used twice."""
    return b"".join(
        line(series("rollup", {"site": site}), {"touched": mark}, t_ns)
        for site, t_ns in sorted(hours)
    )


@dataclass(frozen=True, slots=True)
class Rollup:
    """One task.

    Attributes
    ----------
    source, target : str
        Buckets; the task has the name of the target.
    every : str
        What is summed up, and how often: ``1h`` or ``1d``.
    offset : str
        How long after the full hour or day the task runs.
    days : int
        How far back it looks for what is due; what is older has left the source.
    then : str
        Period by which what is due is taken together: ``1d`` or ``1mo``.
    tells : bool
        Whether the target is summed up by that period in turn.
    """

    source: str
    target: str
    every: str
    offset: str
    days: int
    then: str
    tells: bool

    def flux(self) -> str:
        """Return the task's script."""
        words = {name: str(getattr(self, name)) for name in self.__slots__}
        script = _text("rollup.flux") + (_text("rollup_next.flux") if self.tells else "")
        return _filled(script, {**words, **WHICH, "at_once": str(AT_ONCE)})


def _text(name: str) -> str:
    return files("cloud_jobs.timeseries").joinpath(name).read_text(encoding="utf-8")


def _filled(script: str, words: Mapping[str, str]) -> str:
    return re.sub("@([a-z_]+)@", lambda found: words[found[1]], script)


def rollups(section: InfluxSection) -> tuple[Rollup, ...]:
    """Return the tasks that fill the buckets of hours and of days."""
    raw, keep, keep_hours = section.bucket, section.keep_days, section.keep_hours_days
    hours, days = f"{raw}_1h", f"{raw}_1d"
    return (
        Rollup(raw, hours, "1h", "5m", math.ceil(keep) + 1, "1d", tells=True),
        Rollup(hours, days, "1d", "30m", math.ceil(keep_hours) + 1, "1mo", tells=False),
    )
