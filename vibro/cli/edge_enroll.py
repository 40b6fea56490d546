"""`vibro edge enroll`: a node's key and certificate, at first and when they are renewed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from vibro.cli.main import echo_json
from vibro.errors import BadInputError

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("config", metavar="NODE.TOML", type=FILE)
@click.option("--certificate", type=FILE, metavar="FILE", help="What `vibro cloud sign` wrote.")
@click.option(
    "--ca", type=FILE, metavar="FILE",
    help="Authorities to trust from now on.  [default: as before; at first, that of FILE]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def enroll(config: Path, certificate: Path | None, ca: Path | None, as_json: bool) -> None:
    """Make this node's key and a request for its certificate; then take the certificate into use.

    The key is made here and never leaves. The same two steps renew a certificate: the old one
    stays in use until the new one is there, and a running node takes it over on SIGHUP.
    """
    if certificate is None:
        if ca is not None:
            raise BadInputError("--ca belongs to --certificate")
        _ask(config, as_json)
    else:
        _take(config, certificate, ca, as_json)


def _ask(config: Path, as_json: bool) -> None:
    from edge_node.enrol import ask  # noqa: PLC0415

    asked = ask(config)
    if as_json:
        echo_json({
            "name": asked.name, "request": str(asked.request), "key": asked.key,
            "waiting": asked.waiting, "renewal": asked.renewal,
        })  # fmt: skip
        return
    was = "still waits for its certificate" if asked.waiting else "made"
    click.echo(f"{'renewal' if asked.renewal else 'enrolment'} of {asked.name}: key {was}")
    click.echo(f"key      {asked.key}")
    click.echo(f"request  {asked.request}")
    click.echo(
        f"next: bring the request to the cloud: vibro cloud sign {asked.request.name}\n"
        "      compare the key there with the one above, and bring the certificate back:\n"
        f"      vibro edge enroll {config} --certificate FILE"
    )


def _take(config: Path, certificate: Path, ca: Path | None, as_json: bool) -> None:
    from edge_node.enrol import take  # noqa: PLC0415

    taken = take(config, certificate, ca, datetime.now(UTC))
    if as_json:
        echo_json({
            "name": taken.name, "file": str(taken.pair), "key": taken.key,
            "authority": taken.authority, "ends": taken.ends.isoformat(),
            "configured": taken.configured,
        })  # fmt: skip
        return
    click.echo(f"{taken.name}: certificate in use until {taken.ends:%Y-%m-%d %H:%M} UTC")
    click.echo(f"authority  {taken.authority}")
    if taken.configured:
        click.echo(f"written: [kafka] ca_file, cert_file and key_file of {config}")
        click.echo("compare the authority with what `vibro cloud sign` said")
    click.echo("next: vibro edge check, then start the node; a running one: systemctl reload")
