"""`vibro query`: ask which machines show what."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from vibro.cli.main import echo_json, home_option
from vibro.text import stamp


@click.command(name="query")
@click.argument("expression", default="")
@home_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def command(expression: str, home: Path, as_json: bool) -> None:
    """Ask which machines show what.

    EXPRESSION is terms FIELD OPERATOR VALUE, all of which must hold, for example

    \b
        vibro query "fault=bearing_outer severity>=alert since=24h"
        vibro query "site=harbour fault!=unknown,flatline state=open"
        vibro query "class=pump machine=p-* score>0.6"

    Fields: fault, severity, since, until, site, machine, class, state, score, probability.
    Operators: = != on names (alternatives by commas, * for any text), and > >= < <= on
    severity (ok, watch, alert, alarm, danger) and numbers. since and until take a span (30m, 24h,
    7d) or a UTC time. An empty expression lists every case.
    """  # noqa: D301 (click's mark for a block that is not rewrapped)
    from cloud_jobs.query import find_cases  # noqa: PLC0415
    from cloud_jobs.store import existing  # noqa: PLC0415
    from vibro.query import parse  # noqa: PLC0415

    query = parse(expression, time.time_ns())
    with existing(home) as store:
        rows = find_cases(store, query)
    if as_json:
        echo_json(rows)
    else:
        _show(rows)


def _show(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo("no case matches")
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("machine", "class", "severity", "fault", "p", "state", "onset (UTC)", "events"):
        right = name in ("p", "events")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        onset = stamp(row["t_onset_ns"])
        probability = "" if row["probability"] is None else f"{row['probability']:.2f}"
        fault = row["fault"] + (" (growing)" if row["growing"] else "")
        cells = [row["machine"], row["machine_class"], row["severity"], fault, probability]
        table.add_row(*cells, row["state"], onset, str(row["events"]))
    # A table that is piped or on a narrow terminal keeps its columns whole.
    console = Console(highlight=False)
    console.width = max(console.width, 140)
    console.print(table)
