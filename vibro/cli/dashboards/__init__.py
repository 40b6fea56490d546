"""`vibro dashboards`: Grafana's dashboards and alert rules, one module a verb."""

from __future__ import annotations

import click

from vibro.cli.dashboards.build import build
from vibro.cli.dashboards.check import check
from vibro.cli.dashboards.push import push


@click.group(name="dashboards")
def command() -> None:
    """Build, check and push Grafana's dashboards."""


for verb in (build, check, push):
    command.add_command(verb)
