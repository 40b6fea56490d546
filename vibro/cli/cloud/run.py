"""`vibro cloud run`: all jobs in one process."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import click

from vibro.cli.cloud.jobs import jobs_of
from vibro.cli.cloud.working import (
    EVERY,
    HOLD,
    METRICS,
    ONCE,
    config_of,
    line,
    metered,
    quiet_s,
    until_stopped,
)
from vibro.cli.main import echo_json, home_option

NAMES = ("messages", "events", "clips", "dead", "repeats")
MOST_CLIPS = 20
"""Clips that are diagnosed before what arrives next is looked at."""


@click.command()
@home_option
@ONCE
@EVERY
@HOLD
@METRICS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def run(
    home: Path, once: bool, every: float, hold: float, metrics_port: int | None, as_json: bool
) -> None:
    """Consume, diagnose and correlate until Ctrl-C.

    Everything is kept under the home folder: the lake, the store and published bundles, unless
    HOME/cloud.toml names other services. One process runs all jobs; `vibro cloud consume` takes a
    share of the consuming off it. A service that is away is waited for.
    """
    from cloud_jobs.consume import Counts, Holding  # noqa: PLC0415
    from cloud_jobs.consume.loop import Patience, Work  # noqa: PLC0415

    config = config_of(home)
    with until_stopped() as stop, metered(metrics_port) as meter:
        patience = None if once else Patience(stop)
        holding = Holding(0.0 if once else hold)
        opened = partial(jobs_of, config, stop.wait, holding=holding, clock=time.time_ns)
        jobs = patience.insist(opened) if patience else opened()
        if jobs is None:
            return

        def tell(total: Counts) -> None:
            if not as_json:
                click.echo(line(total, NAMES, cases=len(jobs.store.cases())))

        step = partial(jobs.step, 0.0 if once else every, None if once else MOST_CLIPS)
        try:
            work = Work(step, jobs.consumer, stop, patience, quiet_s(config), tell, meter)
            total = work.run()
            if as_json:
                cases, totals = len(jobs.store.cases()), jobs.store.totals()
                echo_json({n: getattr(total, n) for n in NAMES} | {"cases": cases, **totals})
        finally:
            jobs.close()
