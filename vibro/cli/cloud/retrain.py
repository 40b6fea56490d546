"""`vibro cloud retrain`: the nightly job, now."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from vibro.cli.cloud.jobs import jobs_of
from vibro.cli.cloud.working import config_of
from vibro.cli.main import echo_json, home_option


@click.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def retrain(home: Path, as_json: bool) -> None:
    """Retrain every site and machine class from the lake and publish what passes its gate."""
    jobs = jobs_of(config_of(home))
    try:
        rounds = jobs.retrain(time.time_ns())
    finally:
        jobs.close()
    rows: list[dict[str, Any]] = [
        {
            "site": r.site,
            "machine_class": r.machine_class,
            "version": r.model.version if r.model else None,
            "bytes": r.model.bytes if r.model else None,
            "refused": list(r.reasons),
        }
        for r in rounds
    ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        what = f"{row['version']}  {row['bytes']} bytes" if row["version"] else "not published: "
        click.echo(f"{row['site']}/{row['machine_class']}  {what}{'; '.join(row['refused'])}")
    if not rows:
        click.echo("the asset register is empty: vibro assets import FILE --home HOME")
