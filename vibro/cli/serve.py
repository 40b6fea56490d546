"""`vibro serve`: the page over a home folder."""

from __future__ import annotations

from pathlib import Path

import click

from vibro.cli.main import echo_json, home_option


@click.command()
@home_option
@click.option(
    "--host", default="127.0.0.1", show_default=True,
    help="Address to listen on. The page has no log-in: leave it to this computer, or put a proxy "
    "with one before it.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True,
    help="Port to listen on; 0 takes a free one.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the address as one JSON object.")
def command(home: Path, host: str, port: int, as_json: bool) -> None:
    """Serve the local page over a home folder.

    Fleet, trends, events and their pictures, until Ctrl-C. It only reads: it may run beside
    `vibro cloud run` or over what a demo left.
    """
    from cloud_jobs.serve.app import serve  # noqa: PLC0415
    from cloud_jobs.store import address  # noqa: PLC0415

    address.check(home)

    def ready(url: str) -> None:
        if as_json:
            echo_json({"url": url})
        else:
            click.echo(f"{url}  (Ctrl-C ends)")

    serve(home, host, port, ready=ready)
