"""What `vibro evaluate` prints for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

LABELLED = ("auc", "recall", "far", "far_upper95")
RUN = ("first_alarm", "lead_s", "false_early", "far", "far_upper95")
INTERVAL = {"auc": "auc_interval", "recall": "recall_interval", "lead_s": "lead_range_s"}


def columns_of(methods: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Figures that a group has: those of a run to failure, or of recordings with labels."""
    run = any(m["false_early"] is not None for m in methods.values())
    return RUN if run else LABELLED


def number(value: float | None) -> str:
    """Three digits of a share, whole seconds and counts, a dash for what is not known."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.3f}" if isinstance(value, float) and value < 1.5 else f"{value:.0f}"


def interval_of(figures: Mapping[str, Any], column: str) -> str:
    """Interval of a figure, empty where it has none."""
    found = figures.get(INTERVAL.get(column, ""))
    if not found or math.isnan(found[0]):
        return ""
    low, high = found
    return f"{low:.2f}-{high:.2f}" if column != "lead_s" else f"{low:.0f}-{high:.0f}"


def show(found: Sequence[Mapping[str, Any]]) -> None:
    """Print every group: methods, names, caution."""
    console = Console(soft_wrap=True, highlight=False)
    for item in found:
        title = escape(f"{item['set']}, {item['group']}")
        console.print(f"[bold]{title}[/]: {item['n_normal']} normal, {item['n_fault']} faulty")
        if item["methods"]:
            console.print(_methods(item))
        named = item["diagnosis"]
        if named["total"]:
            console.print(
                f"named: {named['correct']} right, {named['uncertain']} uncertain, "
                f"{named['wrong']} wrong of {named['total']}"
            )
            for label, row in named["confusion"].items():
                said = ", ".join(f"{n} {word}" for word, n in row.items())
                console.print(f"  {label}: {said}")
        if item["too_small"]:
            console.print("[bold]too small to tell[/]")
        if item["caution"]:
            console.print(f"[dim]{escape(item['caution'])}[/]")
        console.print()


def _methods(item: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = columns_of(item["methods"])
    table.add_column("method")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for name, figures in item["methods"].items():
        cells = []
        for column in columns:
            said = number(figures[column])
            interval = interval_of(figures, column)
            cells.append(f"{said} [dim]{interval}[/]" if interval else said)
        table.add_row(name, *cells)
    return table
