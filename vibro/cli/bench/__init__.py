"""`vibro bench`: speed and memory beside named peers, in one run."""

from __future__ import annotations

import importlib
import os
from typing import Any

import click

from vibro.cli.main import echo_json

BENCHES = {
    "fft": "real FFTs against FFTW, MKL, scipy and rocket-fft",
    "features": "a window's features against one FFT, tuned numpy, tsfel and tsfresh",
    "forest": "scoring against scikit-learn, onnxruntime, treelite, tl2cgen and isotree",
    "edge": "an edge node: channels a core sustains, delays, share of a core, memory and start",
    "ingest": "rows a second from Kafka to lake, store and InfluxDB, against decoding only",
}


@click.command(name="bench")
@click.argument("name", type=click.Choice(list(BENCHES)))
@click.option(
    "--rounds", type=click.IntRange(3), default=60, show_default=True,
    help="How often everybody runs.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str, rounds: int, as_json: bool) -> None:
    """Measure speed and memory against named peers.

    Everybody runs in every round, in turn, on one thread; a ratio is seconds an item, Vibro over
    the peer, paired within the rounds: lower is better. Results are checked to agree before
    anybody is timed. Peers come with the extra `bench` (`make bench` installs them apart);
    one that is not installed is left out and named.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")
    run = importlib.import_module(f"vibro.cli.bench.{name}").run
    from vibro.cli.bench.measure import machine  # noqa: PLC0415

    cases, targets, absent = run(rounds)
    result = {
        "bench": name, "machine": machine(), "cases": cases, "targets": targets, "absent": absent,
    }  # fmt: skip
    if as_json:
        echo_json(result)
    else:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console(highlight=False)
    console.width = max(console.width, 110)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("case", "who", "median", "10 %", "90 %", "unit", "Vibro / peer"):
        table.add_column(column, justify="left" if column in {"case", "who", "unit"} else "right")
    for case in result["cases"]:
        rows = [("vibro", case["vibro"]), *case["peers"].items()]
        for i, (who, figures) in enumerate(rows):
            ratio = figures.get("ratio")
            spread = (
                f"{ratio:.3g} ({figures['ratio_p10']:.3g} to {figures['ratio_p90']:.3g})"
                if ratio is not None
                else ""
            )
            table.add_row(
                case["case"] if i == 0 else "", who,
                *(f"{figures[k]:.4g}" for k in ("median", "p10", "p90")), case["unit"], spread,
            )  # fmt: skip
    console.print(table)
    for t in result["targets"]:
        met = "[green]met[/]" if t["met"] else "[red]missed[/]"
        console.print(f"{t['name']}: {t['value']:g} (asked {t['op']} {t['target']:g}) {met}")
    if result["absent"]:
        console.print(f"not installed: {', '.join(result['absent'])} (make bench NAME=...)")
    where = result["machine"]
    console.print(f"[dim]{where['processor']}, Python {where['python']}, one thread[/]")
