"""`vibro cloud dead`: what could not be taken in, and sending it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vibro.cli.cloud.setup import CERT, as_admin
from vibro.cli.cloud.working import config_of
from vibro.cli.main import echo_json, home_option
from vibro.errors import BadInputError
from vibro.text import printable, stamp

if TYPE_CHECKING:
    from cloud_jobs.consume.graveyard import DeadLetter
    from cloud_jobs.store import Store
    from vibro.log import Transport

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
SITE = click.option("--site", metavar="SITE", help="Only those of one site.")
REASON = click.option("--reason", metavar="TEXT", help="Only those whose reason or kind holds it.")
SHOWN = ("id", "topic", "machine", "error", "reason", "time_ns", "tries", "bytes", "sha256")


@click.group()
def dead() -> None:
    """List and replay messages that could not be taken in."""


@dead.command(name="list")
@home_option
@SITE
@REASON
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N",
    help="The newest so many.",
)  # fmt: skip
@JSON
def list_(home: Path, site: str | None, reason: str | None, limit: int, as_json: bool) -> None:
    """List the letters that wait: where they came from, what is wrong and since when.

    Letters that were sent back are not among them, unless they came to nothing again.
    """
    from cloud_jobs.consume.graveyard import waiting  # noqa: PLC0415

    with _opened(home) as (log, store):
        found = _matching(waiting(log, store), site, reason)
    if as_json:
        echo_json([{n: getattr(e, n) for n in SHOWN} | {"site": e.site} for e in found[:limit]])
        return
    for letter in found[:limit]:
        click.echo(_line(letter))
    if len(found) > limit:
        click.echo(f"and {len(found) - limit} older ones (--limit)")


@dead.command()
@home_option
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--all", "every", is_flag=True, help="All that wait, and match.")
@SITE
@REASON
@CERT
@JSON
def replay(
    home: Path,
    ids: tuple[str, ...],
    every: bool,
    site: str | None,
    reason: str | None,
    cert: Path | None,
    as_json: bool,
) -> None:
    """Send letters back to their topics, once what reads them can: after an update, say.

    A letter that comes to nothing again is listed again, one try older. One that is taken in is
    taken in once, however often it is sent. The jobs themselves may not write where nodes do.
    """
    from cloud_jobs.consume.graveyard import chosen, send_back, waiting  # noqa: PLC0415

    if bool(ids) == every:
        raise BadInputError("name the letters by their ids, or say --all")
    with _opened(home, cert) as (log, store):
        found = waiting(log, store)
        wanted = _matching(found, site, reason)[::-1] if every else chosen(found, ids)
        for letter in wanted:
            if letter.whole or not every:
                send_back(letter, log, store)
    sent = [letter.id for letter in wanted if letter.whole]
    if as_json:
        echo_json(sent)
        return
    for name in sent:
        click.echo(f"sent back: {name}")
    if left := len(wanted) - len(sent):
        click.echo(f"{left} stay: their values were too large to be kept")


@contextmanager
def _opened(home: Path, cert: Path | None = None) -> Iterator[tuple[Transport, Store]]:
    from cloud_jobs.services import open_log, open_store  # noqa: PLC0415

    config = as_admin(config_of(home), cert)
    with ExitStack() as held:
        store = open_store(config)
        held.callback(store.close)
        log = open_log(config, "vibro-dead")
        held.callback(log.close)
        yield log, store


def _matching(letters: list[DeadLetter], site: str | None, reason: str | None) -> list[DeadLetter]:
    """Those of a site and with a reason, the newest first."""
    return [
        letter
        for letter in reversed(letters)
        if (site is None or letter.site == site)
        and (reason is None or reason in f"{letter.error} {letter.reason}")
    ]


def _line(letter: DeadLetter) -> str:
    tries = f"  tried {letter.tries} times" if letter.tries else ""
    at, said = stamp(letter.time_ns), printable(letter.reason)
    return f"{letter.id}  {at}  {letter.error}{tries}  {said}"
