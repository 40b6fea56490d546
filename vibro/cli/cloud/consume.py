"""`vibro cloud consume`: a share of the consuming, and nothing else."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

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

if TYPE_CHECKING:
    from cloud_jobs.services import Services

NAMES = ("messages", "features", "rows", "events", "clips", "health", "repeats", "dead")


@click.command()
@home_option
@ONCE
@EVERY
@HOLD
@METRICS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def consume(
    home: Path, once: bool, every: float, hold: float, metrics_port: int | None, as_json: bool
) -> None:
    """Take what arrives into lake, store and time series until Ctrl-C.

    Several of these, beside one `vibro cloud run`, share the load over Kafka: each takes some of
    the partitions, and takes over those of one that is gone. A service that is away is waited for.
    """
    from cloud_jobs.consume import Counts, Holding  # noqa: PLC0415
    from cloud_jobs.consume.loop import Patience, Work  # noqa: PLC0415
    from cloud_jobs.lake import Lake  # noqa: PLC0415
    from cloud_jobs.run import consumer_of  # noqa: PLC0415
    from cloud_jobs.services import open_services  # noqa: PLC0415

    def tell(total: Counts) -> None:
        if not as_json:
            click.echo(line(total, NAMES))

    config = config_of(home)
    with until_stopped() as stop, metered(metrics_port) as meter:
        patience = None if once else Patience(stop)
        opened = partial(open_services, config, stop.wait)
        services: Services | None = patience.insist(opened) if patience else opened()
        if services is None:
            return
        try:
            holding = Holding(0.0 if once else hold)
            consumer = consumer_of(
                services,
                Lake(home),
                holding=holding,
                late_s=config.consume.late_s,
                clock=time.time_ns,
            )
            step = partial(consumer.poll, 0.0 if once else every)
            work = Work(step, consumer, stop, patience, quiet_s(config), tell, meter)
            total = work.run()
            if as_json:
                echo_json({name: getattr(total, name) for name in NAMES})
        finally:
            services.close()
