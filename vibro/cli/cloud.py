"""`vibro cloud`: the cloud jobs from the command line."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibro.cli.main import echo_json, home_option
from vibro.cli.values import Positive
from vibro.errors import BadInputError

if TYPE_CHECKING:
    from cloud_jobs.run import CloudJobs


@click.group(name="cloud")
def command() -> None:
    """Run the cloud jobs."""


@command.command()
@home_option
@click.option("--once", is_flag=True, help="Take in what is there, then end.")
@click.option(
    "--every", type=Positive("s", least=0.1), default=2.0, show_default=True, metavar="S",
    help="Seconds between two looks at an idle log.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def run(home: Path, once: bool, every: float, as_json: bool) -> None:
    """Consume, diagnose and correlate until Ctrl-C.

    Everything is kept under the home folder: the lake, the store and published bundles.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    jobs, total = _jobs(home), {"messages": 0, "events": 0, "clips": 0, "dead": 0, "repeats": 0}
    try:
        while not stop.is_set():
            counts = jobs.step()
            total = {name: n + getattr(counts, name) for name, n in total.items()}
            if counts.messages and not as_json:
                click.echo(_line(total, len(jobs.store.cases())))
            if not counts.messages:
                if once:
                    break
                stop.wait(every)
        if as_json:
            echo_json({**total, "cases": len(jobs.store.cases()), **jobs.store.totals()})
    finally:
        jobs.close()


def _jobs(home: Path) -> CloudJobs:
    """Jobs over a home folder, which is made where it is not there."""
    from cloud_jobs.run import CloudJobs  # noqa: PLC0415

    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"--home {home}: cannot be made ({error.strerror})") from None
    return CloudJobs(home)


def _line(total: dict[str, int], cases: int) -> str:
    at = time.strftime("%H:%M:%S")
    return f"{at}  " + "  ".join(f"{n} {name}" for name, n in [*total.items(), ("cases", cases)])


@command.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def retrain(home: Path, as_json: bool) -> None:
    """Retrain every site and machine class from the lake and publish what passes its gate."""
    jobs = _jobs(home)
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
