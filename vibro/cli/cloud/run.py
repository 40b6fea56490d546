"""`vibro cloud run`: all jobs in one process."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import click

from vibro.cli.cloud.jobs import jobs_of
from vibro.cli.main import echo_json, home_option
from vibro.cli.values import Positive


@click.command()
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
    jobs, total = jobs_of(home), {"messages": 0, "events": 0, "clips": 0, "dead": 0, "repeats": 0}
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


def _line(total: dict[str, int], cases: int) -> str:
    at = time.strftime("%H:%M:%S")
    return f"{at}  " + "  ".join(f"{n} {name}" for name, n in [*total.items(), ("cases", cases)])
