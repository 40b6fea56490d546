"""Every query that Grafana will ask, taken from the very JSON that it is given.

Variables are filled in as Grafana does it: those of the range by its server, by a search for
``word.word``; those of the dashboard by the browser, as a regular expression of what was chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dashboards.catalogue import Json
from dashboards.flux import ANY, BUCKETS, KIND
from dashboards.marks import MAINTAINED

DAY_S = 86_400.0
MARK_POINTS = 100
"""What Grafana asks for when it asks for annotations."""
PANEL_POINTS = 1000
LONG_RANGES_S = {"hourly": 30 * DAY_S, "daily": 365 * DAY_S}
"""Ranges that make a query read the buckets of hours and of days."""
MAY_BE_EMPTY = {
    MAINTAINED: "nobody may have maintained anything yet",
}
"""Annotations that yield nothing on a plant where all is well, and why."""

PANEL, MARK, VARIABLE, ALERT = "panel", "annotation", "variable", "alert"


@dataclass(frozen=True, slots=True)
class Question:
    """One query, with its variables not yet filled in.

    Attributes
    ----------
    where : str
        Dashboard or rule group, panel or rule, and the query's name.
    kind : str
        ``panel``, ``annotation``, ``variable`` or ``alert``.
    query : str
    range_s : float or None
        A range of its own; None = the dashboard's.
    points : int
        Values a series that Grafana asks for.
    may_be_empty : str
        Why no answer is right, too; empty = an answer is expected.
    """

    where: str
    kind: str
    query: str
    range_s: float | None = None
    points: int = PANEL_POINTS
    may_be_empty: str = ""

    @property
    def follows_range(self) -> bool:
        """Whether a longer range reads another bucket."""
        return BUCKETS in self.query


def variables(board: Json) -> dict[str, str]:
    """Queries of a dashboard's variables, in the order in which they build on each other."""
    found = board["templating"]["list"]
    return {v["name"]: v["query"] for v in found if v["type"] == "query"}


def constants(board: Json) -> dict[str, str]:
    """Return the variables of a dashboard that have one value."""
    return {v["name"]: v["query"] for v in board["templating"]["list"] if v["type"] == "constant"}


def of_board(board: Json) -> Iterator[Question]:
    """Every query of a dashboard's panels and annotations."""
    title = board["title"]
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            where = f"{title} / {panel['title']} / {target['refId']}"
            points = int(panel.get("maxDataPoints", PANEL_POINTS))
            yield Question(where, PANEL, target["query"], points=points)
    for mark in board.get("annotations", {}).get("list", []):
        why = MAY_BE_EMPTY.get(mark["name"], "")
        where, query = f"{title} / {mark['name']}", mark["target"]["query"]
        yield Question(where, MARK, query, points=MARK_POINTS, may_be_empty=why)


def of_group(group: Json) -> Iterator[Question]:
    """Every query of the rules; their expressions are no queries."""
    for rule in group["rules"]:
        for query in rule["data"]:
            if query["model"].get("datasource", {}).get("type") != KIND:
                continue
            where = f"{group['title']} / {rule['title']} / {query['refId']}"
            span = float(query["relativeTimeRange"]["from"] - query["relativeTimeRange"]["to"])
            yield Question(where, ALERT, query["model"]["query"], range_s=span)


# -- filling in ------------------------------------------------------------------------------------

_NAMED = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
_MACRO = re.compile(r"\b[a-zA-Z]+\.([a-zA-Z]+)\b")
_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_IMPORTS = re.compile(r"(?:\s*import \"[^\"]+\"\n)*")


def filled(
    query: str, end_ns: int, range_s: float, points: int, bucket: str, chosen: Mapping[str, str]
) -> str:
    """Return a query as the server is asked it.

    Parameters
    ----------
    end_ns : int
        End of the range, and the query's own ``now()``.
    range_s : float
    points : int
        Values a series that are asked for.
    bucket : str
        The datasource's default bucket.
    chosen : mapping
        Text of each of the dashboard's variables.

    Raises
    ------
    KeyError
        If the query names a variable that there is not.
    """
    begin_ns = end_ns - round(range_s * 1e9)
    window_ms = max(1000, round(range_s * 1000 / points))
    values = {
        "timeRangeStart": stamp(begin_ns),
        "timeRangeStop": stamp(end_ns),
        "windowPeriod": f"{window_ms}ms",
        "defaultBucket": f'"{bucket}"',
        "bucket": f'"{bucket}"',
    }
    text = _NAMED.sub(lambda m: chosen[m[1]], query)
    text = _MACRO.sub(lambda m: values.get(m[1], m[0]), text)
    text = text.replace("$__interval_ms", str(window_ms)).replace("$__interval", f"{window_ms}ms")
    imports = _IMPORTS.match(text)
    at = imports.end() if imports else 0
    return f"{text[:at]}option now = () => {stamp(end_ns)}\n{text[at:]}"


def choice(values: Sequence[str]) -> str:
    """Return the regular expression that Grafana makes of the chosen values; none = All."""
    escaped = [_SPECIAL.sub(lambda m: "\\" + m[0], v) for v in values]
    if not escaped:
        return ANY
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def stamp(t_ns: int) -> str:
    """Return a time as Flux writes it."""
    second, rest = divmod(t_ns, 10**9)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
