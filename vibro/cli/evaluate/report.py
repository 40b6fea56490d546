"""The report of an evaluation: one page with its figures in it, that loads nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vibro.cli.evaluate.figures import GroupFigures
from vibro.cli.evaluate.plots import runs, strips
from vibro.cli.evaluate.tables import INTERVAL, columns_of, interval_of, number
from vibro.errors import VibroError
from vibro.evaluation import is_loud

TEMPLATE = Path(__file__).parent / "report.html"

WORDS = {
    "auc": "AUC",
    "recall": "recall",
    "far": "false alarms",
    "far_upper95": "upper 95 %",
    "lead_s": "lead",
    "first_alarm": "first alarm, snapshot",
    "false_early": "early false alarms",
}


def write_report(path: Path, found: Sequence[GroupFigures]) -> None:
    """Write the page.

    Raises
    ------
    VibroError
        If the file cannot be written.
    """
    text = report(found)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise VibroError(f"{path}: cannot be written ({error.strerror})") from None


def report(found: Sequence[GroupFigures]) -> str:
    """Page of all groups."""
    import jinja2  # noqa: PLC0415 (only a report needs it)

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    groups = [_group(i, f) for i, f in enumerate(found)]
    measured = [g for g in groups if g["methods"]]
    names = list(dict.fromkeys(n for f in found for n in f.facts["methods"]))
    return page.render(groups=groups, measured=measured, names=names)


def _group(number_of: int, found: GroupFigures) -> dict[str, Any]:
    """What the page says of a group."""
    facts, detection = found.facts, found.detection
    methods, columns = facts["methods"], columns_of(facts["methods"])
    is_run = "lead_s" in columns
    figure = ""
    if detection.judgements and is_run:
        figure = runs(detection.judgements, detection.times, detection.counted)
    elif detection.judgements:
        figure = strips(detection.judgements)
    return {
        "id": f"g{number_of}",
        "set": facts["set"],
        "name": facts["group"],
        "n_normal": facts["n_normal"],
        "n_fault": facts["n_fault"],
        "is_run": is_run,
        "too_small": facts["too_small"],
        "columns": [WORDS[c] for c in columns],
        "methods": {n: [_cell(facts, n, c, detection.counted) for c in columns] for n in methods},
        "summary": {n: _summary(facts, n, is_run, detection.counted) for n in methods},
        "figure": figure,
        "naming": _naming(facts["diagnosis"]),
        "cautions": found.cautions,
    }


def _cell(facts: Mapping[str, Any], name: str, column: str, counted: bool) -> dict[str, str]:
    """One figure with its interval, and whether it is the best of its column."""
    figures = facts["methods"][name]
    value = figures[column]
    return {
        "value": duration(value, counted) if column == "lead_s" else number(value),
        "interval": _interval(figures, column, counted),
        "rank": _rank(facts, name, column),
    }


def _interval(figures: Mapping[str, Any], column: str, counted: bool) -> str:
    if column != "lead_s":
        return interval_of(figures, column).replace("-", "\u2013")
    low, high = figures[INTERVAL[column]]
    return f"{duration(low, counted)} \u2013 {duration(high, counted)}"


def _rank(facts: Mapping[str, Any], name: str, column: str) -> str:
    """``best``, ``tie`` or nothing; a figure that most methods share marks none of them.

    False alarms are ``loud`` where chance does not explain them.
    """
    if column == "far":
        return "loud" if is_loud(facts["methods"][name]) else ""
    alike, figures = facts["best"].get(column, []), facts["methods"]
    if name not in alike:
        return ""
    top = [n for n in alike if figures[n][column] == figures[alike[0]][column]]
    if len(alike) == len(figures) or 2 * len(top) > len(figures):
        return ""
    return "best" if name in top else "tie"


def _summary(facts: Mapping[str, Any], name: str, is_run: bool, counted: bool) -> dict[str, str]:
    """One method's cell in the table of all groups."""
    figures = facts["methods"][name]
    if is_run:
        early = figures["false_early"]
        small = f"{early} early alarm{'' if early == 1 else 's'}"
        return {
            "value": duration(figures["lead_s"], counted),
            "small": small,
            "rank": _rank(facts, name, "lead_s"),
        }
    return {
        "value": number(figures["auc"]),
        "small": f"{figures['recall']:.2f} / {figures['far']:.2f}",
        "rank": _rank(facts, name, "auc"),
    }


def _naming(table: Mapping[str, Any]) -> dict[str, Any]:
    """Diagnosis table: labels by row, what was said by column; empty without labels."""
    if not table["total"]:
        return {}
    said = list(dict.fromkeys(w for row in table["confusion"].values() for w in row))
    rows = {
        label: [(row.get(w, 0), _verdict(label, w)) for w in said]
        for label, row in table["confusion"].items()
    }
    return {**table, "said": said, "rows": rows}


def _verdict(label: str, said: str) -> str:
    if said == label:
        return "right"
    return "unsure" if said in ("unknown", "healthy") else "wrong"


def duration(seconds: float | None, counted: bool) -> str:
    """Lead time for people."""
    if seconds is None or math.isnan(seconds):
        return "none"
    if counted:
        return f"{seconds:.0f} snapshots"
    for size, word in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            shown = seconds / size
            return f"{shown:.1f} {word}" if shown < 20.0 else f"{shown:.0f} {word}"
    return f"{seconds:.0f} s"
