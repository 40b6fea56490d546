"""`vibro edge`: check, run and inspect edge nodes."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibro.cli.main import echo_json

if TYPE_CHECKING:
    from edge_node.host import Host
    from vibro.cli.nodes import Checked

CONFIGS = click.argument(
    "configs",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="NODE.TOML...",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")


@click.group()
def command() -> None:
    """Write, check, run and inspect edge nodes."""


@command.command()
def sample() -> None:
    """Print a commented configuration with every option at its default."""
    from edge_node.config import sample_config  # noqa: PLC0415

    click.echo(sample_config(), nl=False)


@command.command()
@CONFIGS
@JSON
def check(configs: tuple[Path, ...], as_json: bool) -> None:
    """Check configurations and what they name; report all mistakes.

    Exits with 2 when there is one.
    """
    from vibro.cli.nodes import check_node  # noqa: PLC0415

    found = [check_node(path) for path in configs]
    if as_json:
        echo_json([_checked(c) for c in found])
    else:
        for c in found:
            for mistake in c.mistakes:
                click.echo(f"{c.file}: {mistake}")
            if not c.mistakes:
                click.echo(f"{c.file}: ok, node {c.node}, machine {c.machine}")
    if any(c.mistakes for c in found):
        raise click.exceptions.Exit(2)


def _checked(c: Checked) -> dict[str, Any]:
    facts = {"file": str(c.file), "ok": not c.mistakes, "mistakes": list(c.mistakes)}
    return facts | ({} if c.mistakes else {"node": c.node, "machine": c.machine})


@command.command()
@CONFIGS
@click.option("--child-of", type=int, hidden=True, help="End when this parent process has.")
@JSON
def run(configs: tuple[Path, ...], child_of: int | None, as_json: bool) -> None:
    """Run one or more nodes in this process until their sources end, or SIGTERM or Ctrl-C."""
    from edge_node.host import Host  # noqa: PLC0415
    from edge_node.kernels import refusal, use_library  # noqa: PLC0415
    from vibro.cli.nodes import require_sound  # noqa: PLC0415

    require_sound(configs)
    if refused := refusal(use_library()):
        click.echo(refused, err=True)
    host = Host(configs, time.time_ns())

    def stop(number: int, frame: object) -> None:
        del number, frame
        host.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if child_of is not None:
        threading.Thread(target=_end_as_orphan, args=(host, child_of), daemon=True).start()
    host.run()
    if as_json:
        echo_json([hosted.report() for hosted in host.nodes])


def _end_as_orphan(host: Host, parent: int) -> None:
    """Stop a host in order when the process that began it is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    host.stopping = True


@command.command(name="compile")
@click.option(
    "--rate", "rates", type=click.FloatRange(50.0, 1e6), multiple=True, metavar="HZ",
    default=(25600.0,), show_default="25600",
    help="Sampling rate of a stream to compile for; may be given several times.",
)  # fmt: skip
@JSON
def compile_(rates: tuple[float, ...], as_json: bool) -> None:
    """Compile the edge's kernels ahead of time, for this computer.

    `vibro edge run` then starts without numba: in a fraction of the time and of the memory, with
    the same results. The library lies in $VIBRO_KERNELS, else ~/.cache/vibro/kernels; one that no
    longer fits (another Vibro, Python or processor) is not used. Needs a C compiler.
    """
    from edge_node.kernels import compile_library  # noqa: PLC0415
    from vibro.jit.ahead import default_folder  # noqa: PLC0415

    held = compile_library(rates)
    if as_json:
        echo_json({"folder": str(default_folder()), "kernels": held})
    else:
        click.echo(f"{default_folder()}: {len(held)} kernels")


@command.command()
@CONFIGS
@JSON
def status(configs: tuple[Path, ...], as_json: bool) -> None:
    """Show what nodes have done and what waits in their spools."""
    from edge_node.config import load  # noqa: PLC0415
    from edge_node.hosted import status as status_of  # noqa: PLC0415

    found = [status_of(load(path)) for path in configs]
    if as_json:
        echo_json(found)
        return
    for s in found:
        samples = s["samples"]
        click.echo(
            f"{s['node']}: {s['machine']} {s['state']}, samples {samples['seen']} seen "
            f"= {samples['processed']} processed + {samples['lost']} lost, "
            f"spool {s['spool_bytes']} bytes"
        )
