"""`vibro dashboards build`: the files that Grafana reads when it starts."""

from __future__ import annotations

from pathlib import Path

import click

from vibro.cli.dashboards.options import page_of, page_option
from vibro.cli.main import echo_json


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@page_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def build(folder: Path, page: str, as_json: bool) -> None:
    """Write dashboards and provisioning files below DIR.

    The same version of Vibro and the same page always yield the same bytes.
    """
    address = page_of(page)
    from dashboards.provisioning import write  # noqa: PLC0415 (the SDK, only where it is needed)

    written = write(folder, address)
    if as_json:
        echo_json({"folder": str(folder), "files": [str(f.relative_to(folder)) for f in written]})
        return
    for file in written:
        click.echo(file)
