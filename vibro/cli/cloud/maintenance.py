"""`vibro cloud maintenance`: what was done to the machines."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibro.cli.main import echo_json, home_option
from vibro.cli.values import Instant
from vibro.text import stamp

if TYPE_CHECKING:
    from cloud_jobs.store.tables import MaintenanceRow

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def maintenance() -> None:
    """Note what was done to the machines, for the marks on trends and dashboards."""


@maintenance.command()
@click.argument("machine", metavar="SITE/MACHINE")
@click.argument("note")
@click.option(
    "--at", "t_ns", type=Instant(),
    help="When it was done: a span before now (30m, 24h, 7d) or a UTC time; without it, now.",
)  # fmt: skip
@home_option
@JSON
def add(machine: str, note: str, t_ns: int | None, home: Path, as_json: bool) -> None:
    """Note that a machine was maintained, and how.

    A second note for the same machine and time takes the place of the first, so that a mistake can
    be mended. For example

    \b
        vibro cloud maintenance add harbour/pump-1 "DE bearing replaced" --at 7d
    """  # noqa: D301 (click's mark for a block that is not rewrapped)
    at_ns = time.time_ns() if t_ns is None else t_ns
    from cloud_jobs.store import existing  # noqa: PLC0415

    with existing(home) as store:
        store.put_maintenance(machine, at_ns, note)
        (row,) = (r for r in store.maintenance([machine]) if r.t_ns == at_ns)
    told = _told(row)
    if as_json:
        echo_json(told)
    else:
        click.echo(_line(told))


@maintenance.command(name="list")
@click.argument("machines", nargs=-1, metavar="[SITE/MACHINE...]")
@home_option
@JSON
def list_(machines: tuple[str, ...], home: Path, as_json: bool) -> None:
    """List what was done to all machines or to some, the newest first."""
    from cloud_jobs.store import existing  # noqa: PLC0415

    with existing(home) as store:
        rows = store.maintenance(machines or None)[::-1]
    told = [_told(row) for row in rows]
    if as_json:
        echo_json(told)
        return
    for one in told:
        click.echo(_line(one))


def _told(row: MaintenanceRow) -> dict[str, Any]:
    return {"machine": row.path, "t_ns": row.t_ns, "note": row.note}


def _line(told: dict[str, Any]) -> str:
    return f"{stamp(told['t_ns'])}  {told['machine']}  {told['note']}"
