"""Flux: the query type that the SDK lacks, and the few sentences that our queries are made of.

Grafana's server replaces ``v.timeRangeStart``, ``v.timeRangeStop``, ``v.windowPeriod`` and
``v.defaultBucket`` by a plain search for ``word.word``: no column or record of ours may be called
by one of these names. Variables such as ``${machine:regex}`` are replaced by the browser.

What Grafana makes of an answer decides how a query ends. A table with ``_time`` and ``_value``
becomes one series, named after ``_field``, whose labels are its other columns; a table without
``_value`` is shown as it is, so lists rename their columns and are one table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from grafana_foundation_sdk.cog import builder, runtime, variants

from dashboards.schema import CHANNEL, MACHINE, SITE

KIND = "influxdb"
"""Grafana's name of the kind of datasource."""
ANY = ".*"
"""What a variable stands for when All is chosen."""
RAW_DAYS, HOUR_DAYS = 7, 120
"""Longest ranges, in days, that are read at full resolution and as hourly values."""
RAW_AGE_DAYS, HOUR_AGE_DAYS = 80, 1000
"""Oldest beginnings of these ranges: a little less than what the buckets keep."""
LIST_ROWS = 100
"""Rows of a list; Grafana cuts longer answers to annotations without a word."""


class FluxQuery(variants.Dataquery):
    """A Flux query as it stands in a panel, an annotation or an alert rule."""

    def __init__(self, query: str = "", ref_id: str = "A", extra: dict[str, Any] | None = None):
        self.query, self.ref_id, self.extra = query, ref_id, extra or {}

    def to_json(self) -> dict[str, object]:
        """Return the JSON object that Grafana keeps."""
        return {"refId": self.ref_id, "query": self.query, **self.extra}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverse of `to_json`."""
        extra = {k: v for k, v in data.items() if k not in ("refId", "query")}
        return cls(data["query"], data["refId"], extra)


class Flux(builder.Builder[variants.Dataquery]):
    """Builder of a `FluxQuery`.

    Parameters
    ----------
    query : str
    ref_id : str
        What expressions and overrides call it.
    extra : dict, optional
        Further members, such as the datasource of an alert's query.
    """

    def __init__(self, query: str, ref_id: str = "A", extra: dict[str, Any] | None = None) -> None:
        self._query = FluxQuery(query, ref_id, extra)

    def build(self) -> FluxQuery:
        """Return the query."""
        return self._query


def register() -> None:
    """Let the SDK read our queries back from JSON."""
    runtime.register_dataquery_variant(
        runtime.DataqueryConfig(identifier=KIND, from_json_hook=FluxQuery.from_json)
    )


# -- sentences -------------------------------------------------------------------------------------

BUCKETS = f"""\
day = 86400000000000
span = int(v: v.timeRangeStop) - int(v: v.timeRangeStart)
age = int(v: now()) - int(v: v.timeRangeStart)
hourly = span > {RAW_DAYS} * day or age > {RAW_AGE_DAYS} * day
daily = span > {HOUR_DAYS} * day or age > {HOUR_AGE_DAYS} * day
fitting = v.defaultBucket + (if daily then "_1d" else if hourly then "_1h" else "")
ancient = age > {HOUR_AGE_DAYS} * day
older = age > {RAW_AGE_DAYS} * day
keeping = v.defaultBucket + (if ancient then "_1d" else if older then "_1h" else "")
"""
"""Defines ``fitting``, the bucket whose resolution and retention suit the range, and ``keeping``,
the one that still holds what is told once (events, models) from the range's beginning on."""
FULL = "v.defaultBucket"
FITTING = "fitting"
KEEPING = "keeping"

SEVERITY_WORD = (
    'word = (s) => if s > 3.5 then "danger" else if s > 2.5 then "alarm" '
    'else if s > 1.5 then "alert" else if s > 0.5 then "watch" else "ok"\n'
)
"""Defines ``word``: the word of a severity."""


def pipe(*steps: str) -> str:
    """Join the steps of one pipeline."""
    return "\n  |> ".join(steps)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{n}"' for n in names)


def within(tags: Sequence[str]) -> str:
    """Filter by the dashboard's variables of these tags."""
    tests = " and ".join(f"r.{t} =~ /^${{{t}:regex}}$/" for t in tags)
    return f"filter(fn: (r) => {tests})"


def points(
    measurement: str,
    fields: Sequence[str] = (),
    *,
    tags: Sequence[str] = (SITE, MACHINE),
    bucket: str = FULL,
    since: str = "v.timeRangeStart",
    until: str = "v.timeRangeStop",
) -> str:
    """Begin a pipeline: points of a measurement in a time range, of the chosen machines."""
    wanted = " or ".join(f'r._field == "{f}"' for f in fields)
    and_fields = f" and ({wanted})" if fields else ""
    steps = [
        f"from(bucket: {bucket})",
        f"range(start: {since}, stop: {until})",
        f'filter(fn: (r) => r._measurement == "{measurement}"{and_fields})',
    ]
    return pipe(*steps, *([within(tags)] if tags else []))


def windows(how: str) -> str:
    """Bring each series to one value a pixel or so; a window's time is its start."""
    return (
        f'aggregateWindow(every: v.windowPeriod, fn: {how}, timeSrc: "_start", createEmpty: false)'
    )


def keep(names: Iterable[str]) -> str:
    """Keep these columns only."""
    return f"keep(columns: [{_quoted(names)}])"


def by(names: Iterable[str]) -> str:
    """Group by these columns; by none, into one table."""
    return f"group(columns: [{_quoted(names)}])"


_JOINING = {
    # A table for each window, as another aggregateWindow makes, is a hundred times dearer.
    "max": ('sort(columns: ["_value"], desc: true)', 'unique(column: "_time")'),
    "mean": (windows("mean"),),
}
"""Steps that make one value of those of one window."""


def history(
    measurement: str,
    fields: Sequence[str],
    how: str = "mean",
    *,
    per: Sequence[str] = (SITE, MACHINE, CHANNEL),
    tags: Sequence[str] = (SITE, MACHINE, CHANNEL),
    joined: bool = False,
) -> str:
    """Return the query of a trend: one series for each field and each of ``per``.

    A channel's points lie in one series for each operating state. Storage sums up each of them;
    what it yields is then put into one, which is cheap. Where ``joined``, values of one window
    become one as well: the window in which a state changes has two, and channels of one machine
    always have.
    """
    return BUCKETS + pipe(
        points(measurement, fields, tags=tags, bucket=FITTING),
        windows(how),
        by([*per, "_field"]),
        *(_JOINING[how] if joined else ()),
        'sort(columns: ["_time"])',
        keep(["_time", "_value", "_field", *per]),
    )


def rows(measurement: str, fields: Sequence[str], **options: Any) -> str:
    """Begin a pipeline of whole points: one row each, its fields as columns."""
    return pipe(
        points(measurement, fields, **options),
        'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
        "group()",
    )


def listed(order: Sequence[str], columns: Sequence[str], limit: int = LIST_ROWS) -> str:
    """End a pipeline as a list: the largest first, these columns in this order."""
    return pipe(
        f"sort(columns: [{_quoted(order)}], desc: true)", f"limit(n: {limit})", keep(columns)
    )
