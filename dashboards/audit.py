"""What must hold of every dashboard and rule, whatever data there is.

Grafana checks little of this itself: a panel without a unit is drawn, panels may lie on each other,
a rule whose condition names no query loads without a word and never fires.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from dashboards.catalogue import Json

WIDTH = 24
EVALUATED_S = 10
"""Grafana's scheduler ticks so often: a group's interval must be a multiple."""
DOLLAR = "$"


def problems(boards: list[Json], group: Json) -> list[str]:
    """Return what is wrong, one sentence a matter; empty when all is well."""
    found = [f"{b['title']}: {p}" for b in boards for p in board_problems(b)]
    uids = [b["uid"] for b in boards]
    found += [f"uid {u} is given twice" for u in _twice(uids)]
    return found + [f"rules: {p}" for p in group_problems(group)]


def board_problems(board: Json) -> Iterator[str]:
    """Yield what is wrong with one dashboard."""
    panels = board["panels"]
    for what in ("id", "title"):
        yield from (f"panel {what} '{v}' is given twice" for v in _twice([p[what] for p in panels]))
    for one, other in combinations(panels, 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"panels '{one['title']}' and '{other['title']}' lie on each other"
    named = {v["name"] for v in board["templating"]["list"]}
    for panel in panels:
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > WIDTH:
            yield f"panel '{panel['title']}' is wider than the page"
        if panel["type"] != "row":
            yield from (f"panel '{panel['title']}' {p}" for p in _panel_problems(panel))
    for text in _texts(board):
        for name in re.findall(r"\$\{(\w+)[:}]", text):
            if name not in named and not name.startswith("__"):
                yield f"variable '{name}' is used and not declared"


def _panel_problems(panel: Json) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    if not panel.get("description"):
        yield "has no description"
    if not defaults.get("unit"):
        yield "has no unit"
    if not defaults.get("noValue"):
        yield "does not say what no data means"
    if not defaults.get("thresholds", {}).get("steps"):
        yield "has no thresholds"
    if panel.get("datasource", {}).get("uid") != "${datasource}":
        yield "does not use the dashboard's datasource"
    refs = [t["refId"] for t in panel.get("targets", [])]
    if not refs or len(set(refs)) != len(refs):
        yield "has no query, or two of one name"


def _twice(values: list[Any]) -> list[Any]:
    return sorted({v for v in values if values.count(v) > 1})


def _overlap(one: Json, other: Json) -> bool:
    apart = (
        one["x"] + one["w"] <= other["x"]
        or other["x"] + other["w"] <= one["x"]
        or one["y"] + one["h"] <= other["y"]
        or other["y"] + other["h"] <= one["y"]
    )
    return not apart


def _texts(value: object) -> Iterator[str]:
    """Yield every text of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def group_problems(group: Json) -> Iterator[str]:
    """Yield what is wrong with the group of rules."""
    if group["interval"] % EVALUATED_S or group["interval"] <= 0:
        yield f"{EVALUATED_S} s do not divide the interval of {group['interval']} s"
    uids = [r["uid"] for r in group["rules"]]
    yield from (f"uid {u} is given twice" for u in _twice(uids))
    for rule in group["rules"]:
        yield from (f"'{rule['title']}' {p}" for p in _rule_problems(rule))


def _rule_problems(rule: Json) -> Iterator[str]:
    refs = [q["refId"] for q in rule["data"]]
    if rule["condition"] not in refs:
        yield f"has the condition {rule['condition']}, which none of its queries is called"
    for query in rule["data"]:
        expression = query["model"].get("expression")
        if expression is not None and expression not in refs:
            yield f"builds on {expression}, which none of its queries is called"
    for name in ("for", "noDataState", "execErrState"):
        if not rule.get(name):
            yield f"does not say '{name}'"
    for name in ("summary", "description", "link"):
        if not rule["annotations"].get(name):
            yield f"has no annotation '{name}'"
    if not rule["labels"].get("severity"):
        yield "has no label 'severity'"
    if any(DOLLAR in text for text in _texts(rule)):
        yield "holds a dollar sign: provisioning would take what follows for a variable"
