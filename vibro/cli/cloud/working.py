"""What the verbs that work until they are told to stop have in common."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vibro.cli.values import Positive
from vibro.errors import BadInputError

if TYPE_CHECKING:
    from cloud_jobs.config import CloudConfig
    from cloud_jobs.consume import Counts
    from cloud_jobs.consume.meter import Meter

ONCE = click.option("--once", is_flag=True, help="Take in what is there, then end.")
EVERY = click.option(
    "--every", type=Positive("s", least=0.1), default=2.0, show_default=True, metavar="S",
    help="Seconds between two looks at an idle log.",
)  # fmt: skip
HOLD = click.option(
    "--hold", type=click.FloatRange(0.0, 300.0), default=3.0, show_default=True, metavar="S",
    help="Longest time that features wait, so that commits of the lake are few; events never do.",
)  # fmt: skip
METRICS = click.option(
    "--metrics-port", type=click.IntRange(0, 65_535), metavar="PORT",
    help="Tell Prometheus lag and counts on this port of loopback; 0 = a free one.",
)  # fmt: skip
QUIET_S = 5.0
"""A broker that has brought nothing for so long has brought all that is there."""


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set; what the jobs log goes to stderr meanwhile."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("vibro")
    level = log.level
    log.addHandler(lines)
    log.setLevel(logging.INFO)
    try:
        yield stop
    finally:
        log.removeHandler(lines)
        log.setLevel(level)
        for number, handler in before.items():
            signal.signal(number, handler)


def config_of(home: Path) -> CloudConfig:
    """Configuration of a home folder, which is made where it is not there."""
    from cloud_jobs.config import load  # noqa: PLC0415

    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"--home {home}: cannot be made ({error.strerror})") from None
    return load(home)


@contextmanager
def metered(port: int | None) -> Iterator[Meter | None]:
    """Listen for Prometheus, where a port is given."""
    if port is None:
        yield None
        return
    from cloud_jobs.consume.meter import Meter  # noqa: PLC0415

    meter = Meter(port)
    click.echo(f"metrics: http://127.0.0.1:{meter.port}/metrics", err=True)
    try:
        yield meter
    finally:
        meter.close()


def line(total: Counts, names: tuple[str, ...], **more: int) -> str:
    """One line of counts for people, with the time of day."""
    counts = [(name, getattr(total, name)) for name in names]
    at = time.strftime("%H:%M:%S")
    return f"{at}  " + "  ".join(f"{n} {name}" for name, n in [*counts, *more.items()])


def quiet_s(config: CloudConfig) -> float:
    """How long nothing must have come before all is there."""
    return QUIET_S if config.services.transport == "kafka" else 0.0
