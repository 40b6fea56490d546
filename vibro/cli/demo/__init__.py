"""`vibro demo`: a whole plant through edge, log, cloud and back, on embedded defaults."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from vibro.cli.main import echo_json
from vibro.errors import BadInputError

PORT = 8080


@click.command()
@click.option(
    "--home", type=click.Path(file_okay=False, path_type=Path), default=None,
    help="Folder that keeps everything the demo makes; it must be new or empty.  "
    "[default: a temporary folder, removed at the end]",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True,
    help="Which scenario: the same seed gives the same plant life.",
)  # fmt: skip
@click.option(
    "--minutes", type=click.FloatRange(3.0, 1440.0), default=10.0, show_default=True,
    help="Length of the simulated plant life.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path), envvar="VIBRO_DATA", default=None,
    show_default="$VIBRO_DATA",
    help="Folder of real recordings with a manifest.json: they join the plant as machines.",
)  # fmt: skip
@click.option("--no-serve", is_flag=True, help="Do not serve the page at the end.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True,
    help="Port of the page, on this computer only.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(
    home: Path | None,
    seed: int,
    minutes: float,
    data: Path | None,
    no_serve: bool,
    port: int,
    as_json: bool,
) -> None:
    """Run a whole plant through edge, log, cloud and page.

    Three sites with four machines each live through ten minutes of simulated trouble: bearings and
    a gear tooth get damaged, a rotor loses balance, a sensor dies, and one site is shaken. Twelve
    edge nodes in two processes listen to every sample, the cloud jobs store, diagnose and
    correlate what they ship, retrain a model a site and machine class, and send it back over the
    air.

    On a terminal the page over the result is served at the end until Ctrl-C.
    """
    from vibro.cli.demo.report import report  # noqa: PLC0415
    from vibro.cli.demo.run import Demo  # noqa: PLC0415

    kept = home
    with ExitStack() as stack:
        if home is None:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vibro-demo-")))
        elif home.exists() and any(home.iterdir()):
            raise BadInputError(f"{home} is not empty: name a new folder, or remove this one")
        home.mkdir(parents=True, exist_ok=True)
        demo = Demo(home, seed=seed, duration_s=60.0 * minutes, data=data)
        result = demo.run(quiet=as_json)
        if as_json:
            echo_json(result)
            return
        report(result, kept)
        if sys.stdout.isatty() and not no_serve:
            from cloud_jobs.serve.app import serve  # noqa: PLC0415

            serve(
                home,
                "127.0.0.1",
                port,
                ready=lambda url: click.echo(f"{url}  (Ctrl-C ends)"),
                any_port=True,
            )
