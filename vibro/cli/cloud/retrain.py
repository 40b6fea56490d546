"""`vibro cloud retrain`: the nightly job, now or every night."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibro.cli.cloud.jobs import jobs_of
from vibro.cli.cloud.working import config_of, until_stopped
from vibro.cli.main import echo_json, home_option
from vibro.cli.values import TimeOfDay

if TYPE_CHECKING:
    import datetime as dt

    from cloud_jobs.config import CloudConfig
    from cloud_jobs.nightly import Round


@click.command()
@home_option
@click.option(
    "--nightly", "at", type=TimeOfDay(),
    help="Stay, and retrain every day at this time of UTC (02:00), until Ctrl-C.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array a round.")
def retrain(home: Path, at: dt.time | None, as_json: bool) -> None:
    """Retrain every site and machine class from the lake and publish what passes its gate.

    With --nightly a service that is away is waited for, and a night that was missed is made up for
    when the process starts again.
    """
    config = config_of(home)
    if at is None:
        _tell(_round(config, time.time_ns()), as_json)
        return
    from cloud_jobs.consume.loop import Patience  # noqa: PLC0415
    from cloud_jobs.nights import nights  # noqa: PLC0415

    with until_stopped() as stop:
        patience = Patience(stop)
        newest = patience.insist(partial(_newest_ns, config))
        for now_ns in nights(at, newest or None, time.time_ns, stop.wait):
            rounds = patience.insist(partial(_round, config, now_ns))
            if rounds is not None:
                _tell(rounds, as_json)


def _round(config: CloudConfig, now_ns: int) -> list[Round]:
    with closing(jobs_of(config)) as jobs:
        return jobs.retrain(now_ns)


def _newest_ns(config: CloudConfig) -> int:
    """Return when the newest model was made, 0 if there is none."""
    from cloud_jobs.services import open_store  # noqa: PLC0415

    with closing(open_store(config)) as store:
        return max((m.created_ns for m in store.models()), default=0)


def _tell(rounds: list[Round], as_json: bool) -> None:
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
