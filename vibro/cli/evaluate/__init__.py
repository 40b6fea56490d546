"""`vibro evaluate`: how well faults are found and named, on recordings of real machines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vibro.cli.datasets import DATA, wanted_folder
from vibro.cli.main import echo_json
from vibro.errors import BadInputError
from vibro.text import printable

if TYPE_CHECKING:
    from vibro.cli.evaluate.figures import GroupFigures, Tell
    from vibro.evaluation import Group


@click.command(name="evaluate")
@DATA
@click.option("--set", "set_name", metavar="NAME", help="Only this set of the manifest.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a report with figures, one page that loads nothing.",
)
@click.option(
    "--ablation",
    is_flag=True,
    help="Our detector with a part left out or replaced, instead of its peers.",
)
@click.option(
    "--false-cases",
    is_flag=True,
    help="Simulated machines instead: false cases in health, faults found by their size.",
)
@click.option(
    "--months",
    type=click.IntRange(1, 100_000),
    default=1250,
    show_default=True,
    help="Healthy machine-months, with --false-cases.",
)
@click.option(
    "--figure",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the faults found over their size as an SVG, with --false-cases.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    data: Path | None,
    set_name: str | None,
    html: Path | None,
    ablation: bool,
    false_cases: bool,
    months: int,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Measure detection and diagnosis on recordings.

    Our detector and its peers see the same windows of the same recordings. Each is fitted on the
    first half of the normal recordings; the next quarter sets its alarm limit (a Student
    prediction limit that 1 % of healthy recordings exceed); the rest and all faults test it. With
    20 or more the quarters change places, so that each normal recording tests once. No recording
    has two roles at a time, unless a rig has only one or two: then guarded blocks of one do, and
    the result says so. Diagnosis never sees a label.

    A window in which a channel does not move is given to no method, and a feature that is not
    defined is 0 to all of them. A recording that mostly stands still, or is too short, is in no
    figure and no count; the caution names it.

    A recording that is not there or cannot be read is told of and left out, too.

    \b
    auc      probability that a faulty recording scores above a healthy one
    recall   share of faulty recordings that alarm
    far      share of healthy test recordings that alarm; upper 95 % bound
    lead_s   run to failure: from the confirmed lasting alarm to the end;
             its range is that of other limits and alarm rules

    Intervals hold with 95 % and count recordings, not windows or blocks.

    With --false-cases no recordings are read: healthy machines live through simulated months of
    changing load, speed and weather, and what the edge and the rules of cases make of it is
    counted; then faults of every size are looked for. The default, a thousand months of
    running, takes about half an hour.
    """  # noqa: D301 (click's mark for a block that is not rewrapped)
    for path in (html, figure):
        if path is not None and not path.absolute().parent.is_dir():
            raise BadInputError(f"{path}: its folder is not there")
    if false_cases:
        _simulated(months, figure, as_json)
        return
    from vibro.evaluation import group_entries  # noqa: PLC0415
    from vibro.files import read_manifest  # noqa: PLC0415

    folder = wanted_folder(data)
    entries = read_manifest(folder)
    names = list(dict.fromkeys(e.set for e in entries))
    if set_name is not None and set_name not in names:
        raise BadInputError(f"{folder}: has no set '{set_name}'; it has {', '.join(names)}")
    groups = group_entries(e for e in entries if set_name in (None, e.set))
    found = list(_each(groups, ablation))
    if html is not None:
        from vibro.cli.evaluate.report import write_report  # noqa: PLC0415

        write_report(html, found)
    if as_json:
        echo_json({"sets": [f.facts for f in found]})
    else:
        from vibro.cli.evaluate.tables import show  # noqa: PLC0415

        show([f.facts for f in found])


def _simulated(months: int, figure: Path | None, as_json: bool) -> None:
    from vibro.cli.evaluate.false_cases.run import Extent, evaluate  # noqa: PLC0415
    from vibro.cli.evaluate.false_cases.telling import show, write_figure  # noqa: PLC0415

    with _progress() as tell:
        result = evaluate(Extent(months=months), 0, tell)
    if figure is not None:
        write_figure(figure, result)
    if as_json:
        echo_json(result)
    else:
        show(result)


def _each(groups: list[Group], ablation: bool) -> Iterable[GroupFigures]:
    from vibro.cli.evaluate.ablation import ablated_methods  # noqa: PLC0415
    from vibro.cli.evaluate.figures import group_figures  # noqa: PLC0415

    methods = ablated_methods if ablation else None
    with _progress() as tell:
        for i, group in enumerate(groups):
            yield group_figures(
                group, _steps(tell, f"{i + 1}/{len(groups)} {group.set} {group.name}"), methods
            )


def _steps(tell: Tell, begin: str) -> Tell:
    return lambda step: tell(f"{begin}: {step}")


@contextmanager
def _progress() -> Iterator[Tell]:
    """One line on a terminal that is rewritten, and gone at the end however it comes."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    try:
        yield lambda text: click.echo(f"\r\x1b[K{printable(text)[:78]}", err=True, nl=False)
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)
