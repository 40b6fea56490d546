"""`vibro evaluate`: how well faults are found and named, on recordings of real machines."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from vibro.cli.datasets import DATA, wanted_folder
from vibro.cli.main import echo_json
from vibro.errors import BadInputError


@click.command(name="evaluate")
@DATA
@click.option("--set", "set_name", metavar="NAME", help="Only this set of the manifest.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(data: Path | None, set_name: str | None, as_json: bool) -> None:
    """Measure detection and diagnosis on recordings.

    Our detector and its peers see the same windows of the same recordings. Each is fitted on the
    first half of the normal recordings; the next quarter sets its alarm limit (a Student
    prediction limit that 1 % of healthy recordings exceed); the rest and all faults test it. With
    20 or more the quarters change places, so that each normal recording tests once. No recording
    has two roles at a time, unless a rig has only one or two: then guarded blocks of one do, and
    the result says so. Diagnosis never sees a label.

    A window in which a channel does not move is given to no method, and a feature that is not
    defined is 0 to all of them. A recording that mostly stands still, or is too short, is in no
    figure and no count; the caution names it.

    \b
    auc      probability that a faulty recording scores above a healthy one
    recall   share of faulty recordings that alarm
    far      share of healthy test recordings that alarm; upper 95 % bound
    lead_s   run to failure: from the confirmed lasting alarm to the end
    """  # noqa: D301 (click's mark for a block that is not rewrapped)
    from vibro.evaluation import group_entries  # noqa: PLC0415
    from vibro.files import read_manifest  # noqa: PLC0415

    folder = wanted_folder(data)
    entries = read_manifest(folder)
    names = list(dict.fromkeys(e.set for e in entries))
    if set_name is not None and set_name not in names:
        raise BadInputError(f"{folder}: has no set '{set_name}'; it has {', '.join(names)}")
    groups = group_entries(e for e in entries if set_name in (None, e.set))
    found = list(_each(groups))
    if as_json:
        echo_json({"sets": found})
    else:
        _show(found)


def _each(groups: list[Any]) -> Iterable[dict[str, Any]]:
    from vibro.cli.evaluate.figures import group_figures  # noqa: PLC0415

    progress = sys.stderr.isatty()
    for i, group in enumerate(groups):
        if progress:
            click.echo(
                f"\r\x1b[K{i + 1}/{len(groups)} {group.set} {group.name}", err=True, nl=False
            )
        yield group_figures(group)
    if progress:
        click.echo("\r\x1b[K", err=True, nl=False)


def _show(found: list[dict[str, Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    for item in found:
        title = f"{item['set']}, {item['group']}"
        console.print(f"[bold]{title}[/]: {item['n_normal']} normal, {item['n_fault']} faulty")
        if item["methods"]:
            table = Table(box=None, pad_edge=False, header_style="bold")
            run = any(m["false_early"] is not None for m in item["methods"].values())
            columns = (
                ("first_alarm", "lead_s", "false_early", "far", "far_upper95")
                if run
                else ("auc", "recall", "far", "far_upper95")
            )
            table.add_column("method")
            for column in columns:
                table.add_column(column, justify="right")
            for name, figures in item["methods"].items():
                table.add_row(name, *(_cell(figures[c]) for c in columns))
            console.print(table)
        named = item["diagnosis"]
        if named["total"]:
            console.print(
                f"named: {named['correct']} right, {named['uncertain']} uncertain, "
                f"{named['wrong']} wrong of {named['total']}"
            )
            for label, row in named["confusion"].items():
                said = ", ".join(f"{n} {word}" for word, n in row.items())
                console.print(f"  {label}: {said}")
        if item["caution"]:
            console.print(f"[dim]{item['caution']}[/]")
        console.print()


def _cell(value: float | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.3f}" if isinstance(value, float) and value < 10 else f"{value:.0f}"
