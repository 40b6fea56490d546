"""`vibro dashboards push`: dashboards and alert rules into a running Grafana."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibro.cli.dashboards.options import (
    FILE,
    ca_of,
    ca_option,
    page_of,
    page_option,
    server_of,
    token_of,
)
from vibro.cli.main import echo_json
from vibro.errors import BadInputError

if TYPE_CHECKING:
    from dashboards.push import Step

MOST_SHOWN = 12
"""Differences of one thing that are listed; the rest is counted."""


@click.command()
@click.option("--url", required=True, help="Address of the Grafana.")
@click.option(
    "--token-file", type=FILE, required=True, metavar="FILE",
    help="File whose first line is a service account's token.",
)  # fmt: skip
@click.option("--folder", default="Vibro", show_default=True, help="Folder to push into.")
@page_option
@click.option("--no-alerts", is_flag=True, help="Leave the alert rules alone.")
@click.option("--dry-run", is_flag=True, help="Show the difference, change nothing.")
@ca_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def push(
    url: str, token_file: Path, folder: str, page: str, no_alerts: bool, dry_run: bool,
    ca_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Push dashboards and alert rules into a Grafana.

    The difference is shown first, and only what differs is saved: doing it twice changes nothing.
    """
    linked, token, ca = page_of(page), token_of(token_file), ca_of(ca_file)
    server = server_of(url)
    where = _place_of(folder)
    from dashboards.board import DATASOURCE_UID  # noqa: PLC0415
    from dashboards.catalogue import boards, rule_group  # noqa: PLC0415
    from dashboards.grafana import Grafana  # noqa: PLC0415
    from dashboards.push import Place, plan  # noqa: PLC0415
    from dashboards.push import push as pushed  # noqa: PLC0415

    grafana = Grafana(server, token, ca)
    group = None if no_alerts else rule_group(linked)
    steps = plan(grafana, boards(linked), group, Place(*where))
    if not grafana.has_datasource(DATASOURCE_UID):
        _warn(DATASOURCE_UID)
    if not as_json:
        for step in steps:
            _show(step)
    saved: list[dict[str, Any]] = []
    if not dry_run:
        for step, version in pushed(grafana, steps):
            saved.append({"kind": step.kind, "uid": step.uid, "version": version})
            if not as_json:
                told = "" if version is None else f", version {version}"
                click.echo(f"pushed  {step.kind} {step.title}{told}")
    if as_json:
        echo_json({"dry_run": dry_run, "steps": [_plain(s) for s in steps], "pushed": saved})
    elif dry_run:
        click.echo("nothing was changed (--dry-run)")
    elif not saved:
        click.echo("nothing to push")


def _place_of(title: str) -> tuple[str, str]:
    """Return uid and title of a folder."""
    uid = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40]
    if not uid:
        raise BadInputError(f"--folder '{title}': needs a letter or a digit")
    return uid, title


def _warn(uid: str) -> None:
    click.echo(
        f"vibro: warning: this Grafana has no datasource '{uid}', which the alert rules name: give "
        "it provisioning/datasources/vibro.yaml of `vibro dashboards build`",
        err=True,
    )


def _show(step: Step) -> None:
    click.echo(f"{step.change:8}{step.kind} {step.title}")
    for difference in step.differences[:MOST_SHOWN]:
        click.echo(f"          {difference}")
    if (more := len(step.differences) - MOST_SHOWN) > 0:
        click.echo(f"          and {more} more")


def _plain(step: Step) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "uid": step.uid,
        "title": step.title,
        "change": step.change,
        "differences": step.differences,
        "provisioned": step.provisioned,
    }
