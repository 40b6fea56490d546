"""`vibro cloud`: the cloud jobs from the command line, one module a verb."""

from __future__ import annotations

import click

from vibro.cli.cloud.consume import consume
from vibro.cli.cloud.dead import dead
from vibro.cli.cloud.maintenance import maintenance
from vibro.cli.cloud.retrain import retrain
from vibro.cli.cloud.run import run
from vibro.cli.cloud.setup import revoke, setup
from vibro.cli.cloud.sign import sign


@click.group(name="cloud")
def command() -> None:
    """Run the cloud jobs."""


for verb in (run, consume, dead, maintenance, retrain, setup, sign, revoke):
    command.add_command(verb)
