"""`vibro edge`: write, check, run and inspect edge nodes."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibro.cli.edge_enroll import enroll
from vibro.cli.main import echo_json

if TYPE_CHECKING:
    from edge_node.config import ServiceSection
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
WATCH_S = 2.0


@click.group()
def command() -> None:
    """Write, check, run and inspect edge nodes."""


command.add_command(enroll)


@command.command()
@click.argument("machine", metavar="SITE/MACHINE")
@click.option(
    "--register", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE", help="Asset register (CSV) that holds the machine.",
)  # fmt: skip
@click.option(
    "--to", "folder", required=True, type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER", help="The node's own folder; made if it is not there.",
)  # fmt: skip
@click.option("--source", metavar="KIND", help="Where samples come from.  [default: simulator]")
@click.option(
    "--file", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="RECORDING", help="Recording to replay; may be given several times.",
)  # fmt: skip
@click.option(
    "--log", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Log that the cloud jobs read, HOME/log.  [default: in the node's folder]",
)  # fmt: skip
@click.option(
    "--http-port", type=click.IntRange(0, 65_535), default=9464, show_default=True,
    help="Port on loopback for /metrics, /healthz and /status; 0 = none.",
)  # fmt: skip
@JSON
def init(
    machine: str,
    register: Path,
    folder: Path,
    source: str | None,
    files: tuple[Path, ...],
    log: Path | None,
    http_port: int,
    as_json: bool,
) -> None:
    """Write a node for one machine of the register: configuration, register, systemd unit.

    Then check this computer: is all there that the node needs? Exits with 1 when something is
    not. Nothing that is there already is written over.
    """
    from vibro.cli.edge_init import Wanted, written  # noqa: PLC0415
    from vibro.cli.edge_selfcheck import checks  # noqa: PLC0415

    kind = source or ("replay" if files else "simulator")
    made = written(Wanted(machine, register, folder, kind, files, log, http_port))
    found = checks(made.config)
    if as_json:
        echo_json({
            "config": str(made.config), "register": str(made.register), "unit": str(made.unit),
            "node": made.node, "machine": machine, "checks": [c.as_dict() for c in found],
        })  # fmt: skip
    else:
        for path in (made.config, made.register, made.unit):
            click.echo(f"written: {path}")
        click.echo("self-check:")
        for check_ in found:
            click.echo(f"  {check_}")
        click.echo(made.next_steps())
    if any(c.ok is False for c in found):
        raise click.exceptions.Exit(1)


@command.command()
@click.option("--source", default="replay", show_default=True, metavar="KIND", help="Its source.")
def sample(source: str) -> None:
    """Print a commented configuration with every option at its default."""
    from edge_node.config import sample_config  # noqa: PLC0415

    click.echo(sample_config(source), nl=False)


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
            for mistake in (*c.mistakes, *c.cautions):
                click.echo(f"{c.file}: {mistake}")
            if not (c.mistakes or c.cautions):
                click.echo(f"{c.file}: ok, node {c.node}, machine {c.machine}")
    if any(c.mistakes or c.cautions for c in found):
        raise click.exceptions.Exit(2)


def _checked(c: Checked) -> dict[str, Any]:
    told = [*c.mistakes, *c.cautions]
    facts = {"file": str(c.file), "ok": not told, "mistakes": told}
    return facts | ({} if c.mistakes else {"node": c.node, "machine": c.machine})


@command.command()
@CONFIGS
@click.option("--child-of", type=int, hidden=True, help="End when this parent process has.")
@click.option(
    "--log-format", type=click.Choice(["human", "json"]), default="human", show_default=True,
    help="How lines on stderr are written.",
)  # fmt: skip
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info",
    show_default=True, help="Least level of the lines on stderr.",
)  # fmt: skip
@JSON
def run(
    configs: tuple[Path, ...], child_of: int | None, log_format: str, log_level: str, as_json: bool
) -> None:
    """Run one or more nodes in this process until their sources end.

    SIGTERM or Ctrl-C ends them in order within five seconds. SIGHUP reads the configurations
    again: limits, intervals and ways out are taken over at once, the rest is named.
    """
    from edge_node.service.memory import bound_heap  # noqa: PLC0415

    bound_heap()
    from edge_node.host import Host  # noqa: PLC0415
    from edge_node.kernels import refusal, use_library  # noqa: PLC0415
    from edge_node.service.logs import set_up, take_down  # noqa: PLC0415
    from edge_node.service.signals import heard  # noqa: PLC0415
    from vibro.cli.nodes import checked_config, require_sound, service_of  # noqa: PLC0415

    cautions = require_sound(configs)
    with ExitStack() as held:
        held.callback(take_down, set_up(log_format, log_level))
        for caution in cautions:
            logging.getLogger("vibro.host").warning(caution)
        if refused := refusal(use_library()):
            logging.getLogger("vibro.host").warning(refused)
        host = Host(configs, time.time_ns())
        held.enter_context(heard({
            signal.SIGTERM: host.stop, signal.SIGINT: host.stop,
            signal.SIGHUP: lambda: host.reload(checked_config),
        }))  # fmt: skip
        if child_of is not None:
            threading.Thread(target=_end_as_orphan, args=(host, child_of), daemon=True).start()
        _answer(host, service_of(configs), held)
        host.run()
    if as_json:
        echo_json([hosted.report() for hosted in host.nodes])


def _answer(host: Host, service: ServiceSection, held: ExitStack) -> None:
    """Answer over HTTP where it is wanted; a port that is taken is no reason not to listen."""
    from vibro.errors import VibroError  # noqa: PLC0415

    if not service.http_port:
        return
    from edge_node.service.answers import Answers  # noqa: PLC0415 (prometheus-client is an extra)

    try:
        held.callback(Answers(service.http_address, service.http_port, host.facts).close)
    except VibroError as error:
        logging.getLogger("vibro.host").error(str(error))  # noqa: TRY400 (one line)


def _end_as_orphan(host: Host, parent: int) -> None:
    """Stop a host in order when the process that began it is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    host.stop()


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
@click.option("--watch", is_flag=True, help="Look again every two seconds until Ctrl-C.")
@JSON
def status(configs: tuple[Path, ...], watch: bool, as_json: bool) -> None:
    """Show nodes at a glance: state, severity, score, lag, spool, model, and if they run.

    From the nodes' files, which no node notices, and from their processes where they answer.
    """
    from vibro.cli.edge_status import found, table  # noqa: PLC0415

    while True:
        nodes = found(configs, time.time_ns())
        if as_json:
            echo_json(nodes)
        else:
            if watch:
                click.clear()
            click.echo(table(nodes))
        if not watch:
            return
        time.sleep(WATCH_S)
