"""`vibro`: a click group that imports a verb's module only when that verb is used.

`vibro --help` therefore lists the verbs from a table here and stays fast; a test keeps the table
and the verbs' own help texts the same.
"""

from __future__ import annotations

import difflib
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from vibro import __version__
from vibro.errors import MissingExtraError, VibroError
from vibro.text import one_line

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("vibro.cli.demo", "Run a whole plant through edge, log, cloud and page."),
    "analyze": ("vibro.cli.analyze", "Say what is wrong with the machine in one recording."),
    "convert": ("vibro.cli.convert", "Convert a recording to what the edge replays."),
    "assets": ("vibro.cli.assets", "Import, validate and export the asset register."),
    "edge": ("vibro.cli.edge", "Write, check, run and inspect edge nodes."),
    "capture": ("vibro.cli.capture", "Ask a machine's node for a clip and a spectrum now."),
    "cloud": ("vibro.cli.cloud", "Run the cloud jobs."),
    "serve": ("vibro.cli.serve", "Serve the local page over a home folder."),
    "query": ("vibro.cli.query", "Ask which machines show what."),
    "dashboards": ("vibro.cli.dashboards", "Build, check and push Grafana's dashboards."),
    "datasets": ("vibro.cli.datasets", "List and verify public recordings."),
    "evaluate": ("vibro.cli.evaluate", "Measure detection and diagnosis on recordings."),
    "bench": ("vibro.cli.bench", "Measure speed and memory against named peers."),
}

# Which extra brings a library that a verb may turn out to miss.
_EXTRA_OF = {
    "kafka": "edge",
    "nptdms": "edge",
    "grafana_api": "dashboards",
    "grafana_foundation_sdk": "dashboards",
    "pyfftw": "bench",
}
_OWN = ("vibro", "edge_node", "cloud_jobs", "dashboards")


class LazyVerbs(click.Group):
    """Click group whose verbs are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the verbs, in the order a newcomer meets them."""
        del ctx
        return [verb for verb, (module, _) in VERBS.items() if _exists(module)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return one verb, or None when there is no such verb."""
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(VERBS[name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; one that does not exist is refused with the nearest that does."""
        verbs = self.list_commands(ctx)
        if args[0] not in verbs and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], verbs, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"verbs are {', '.join(verbs)}"
            ctx.fail(f"there is no verb '{args[0]}'; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing any of them."""
        rows = [(verb, VERBS[verb][1]) for verb in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _exists(module: str) -> bool:
    here = Path(__file__).parent / module.rsplit(".", 1)[1]
    return here.with_suffix(".py").exists() or (here / "__init__.py").exists()


@click.command(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vibro")
def cli() -> None:
    """Vibro watches machines by their vibration: features and alarms beside the sensors, diagnosis
    and answers for the whole fleet.

    Start with `vibro demo`.
    """  # noqa: D205


def _translate(error: ImportError) -> VibroError:
    """One clear line for an optional library that is not installed."""
    root = (error.name or "").split(".")[0]
    if isinstance(error, VibroError):
        return error
    if root == "datasets":
        return VibroError("this needs the project's checkout (the wheel does not hold `datasets`)")
    return MissingExtraError(
        f"this command (it imports {root or error})", _EXTRA_OF.get(root, "cloud")
    )


def main(argv: list[str] | None = None) -> None:
    """Run the command line; errors are one line on stderr and exit status 1 or 2."""
    out = sys.stdout
    try:
        status = cli.main(args=argv, prog_name="vibro", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except SystemExit as end:
        # The reader went away (`vibro query ... | head`): that is no error of ours. Click then ends
        # with 1 and a stdout of its own, rich with 1 while it handles the broken pipe.
        gone = sys.stdout is not out or isinstance(end.__context__, BrokenPipeError)
        sys.exit(0 if gone else end.code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # the help text, in its lines
        sys.exit(error.exit_code)
    except click.UsageError as error:
        _fail(error.format_message() + _where_to_look(error), error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except ImportError as error:
        if (error.name or "").split(".")[0] in _OWN:
            raise  # a fault of ours, not a library that is missing
        translated = _translate(error)
        _fail(str(translated), translated.exit_code)
    except VibroError as error:
        _fail(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped", 130)
    except OSError as error:
        # A full disk, a folder that may not be written: the user's to mend, not ours.
        _fail(f"{error.filename or 'reading or writing'}: {error.strerror or error}", 1)


def _where_to_look(error: click.UsageError) -> str:
    return f" (see {error.ctx.command_path} --help)" if error.ctx else ""


def _fail(message: str, status: int) -> None:
    # What a message quotes of a file may hold anything, also what a terminal would obey.
    click.echo(f"vibro: {one_line(message)}", err=True)
    sys.exit(status)


def home_option(function: Any) -> Any:
    """Give a verb the option ``--home`` (default ``$VIBRO_HOME``, else ``~/.vibro``)."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="VIBRO_HOME",
        default=lambda: Path.home() / ".vibro",
        show_default="$VIBRO_HOME, else ~/.vibro",
        help="Folder that holds everything Vibro keeps.",
    )(function)


def echo_json(value: Any) -> None:
    """Print one JSON value on stdout; NaN and infinity become null."""
    click.echo(json.dumps(_plain(value), indent=None, separators=(",", ":"), allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and value - value != 0.0:
        return None
    return value
