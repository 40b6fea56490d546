"""`vibro analyze`: one recording, from samples to ranked faults with their evidence."""

from __future__ import annotations

from pathlib import Path

import click

from vibro.cli.main import echo_json
from vibro.cli.values import Positive, Speed
from vibro.errors import BadInputError


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--rate", "rate_hz", type=Positive("Hz"), metavar="HZ",
    help="Sampling rate; wins over what the file says.",
)  # fmt: skip
@click.option(
    "--rpm", type=Speed(),
    help="Speed of the shaft, or 'unknown': then no line is looked for. Wins over the file.",
)  # fmt: skip
@click.option(
    "--bearing", metavar="NAME",
    help="Bearing: a designation such as 6205, or geometry as 'Z=9 d=7.94 D=39.04 phi=0' (mm).",
)  # fmt: skip
@click.option("--channel", metavar="NAME", help="Only this channel: its name, or number from 1.")
@click.option("--units", metavar="UNIT", help="g, m/s2 or mm/s2, where the file does not say.")
@click.option(
    "--gear", type=(click.IntRange(1), click.IntRange(1)), metavar="Z1 Z2",
    help="Teeth of this gear and its mate.",
)  # fmt: skip
@click.option("--blades", type=click.IntRange(1), help="Number of blades or vanes.")
@click.option(
    "--line-hz", type=Positive("Hz"), default=50.0, show_default=True, metavar="HZ",
    help="Mains frequency.",
)  # fmt: skip
@click.option(
    "--iso-group", type=click.Choice(["1", "2"]),
    help="Judge ISO 10816-3 zones: machine group 1 or 2.",
)  # fmt: skip
@click.option(
    "--mounting", type=click.Choice(["rigid", "flexible"]), default="rigid", show_default=True,
    help="Foundation, for the ISO zones.",
)  # fmt: skip
@click.option(
    "--reference", type=click.Path(path_type=Path), metavar="FILE",
    help="A recording of the same machine in good order, to compare with.",
)  # fmt: skip
@click.option(
    "--figures", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Draw a PNG figure of each channel into this folder.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    file: Path,
    rate_hz: float | None,
    rpm: float | None,
    bearing: str | None,
    channel: str | None,
    units: str | None,
    gear: tuple[int, int] | None,
    blades: int | None,
    line_hz: float,
    iso_group: str | None,
    mounting: str,
    reference: Path | None,
    figures: Path | None,
    as_json: bool,
) -> None:
    """Say what is wrong with the machine in one recording.

    FILE may be wav, csv/txt (or no ending), mat (v5), npy, parquet, tdms or uff58. Every fault
    comes with the lines that speak for it: where they should be, where they are, how far they
    stand out of the noise, and what the same search finds at decoy frequencies.

    \b
        vibro analyze fan.mat --rate 12000 --rpm 1796 --bearing 6205 --figures out
    """  # noqa: D301 (click's mark for a block that is not rewrapped)
    from vibro.cli.analyze.figures import draw_all  # noqa: PLC0415
    from vibro.cli.analyze.judging import Options, judge  # noqa: PLC0415
    from vibro.cli.analyze.telling import tell  # noqa: PLC0415
    from vibro.files import read_recording  # noqa: PLC0415

    group = int(iso_group) if iso_group else None
    options = Options(bearing, gear, blades, line_hz, group, mounting)
    recording = read_recording(file, rate_hz=rate_hz, rpm=rpm, channel=channel, units=units)
    if rpm is None and not recording.rpm > 0:
        raise BadInputError(
            f"{file}: does not say its speed, which every fault line depends on; give it with "
            "--rpm RPM (or --rpm unknown to judge without lines)"
        )
    before = None
    if reference is not None:
        before = read_recording(reference, rate_hz=rate_hz, rpm=rpm, channel=channel, units=units)
    judged = judge(recording, before, options)
    drawn = draw_all(figures, judged) if figures else []
    result = {**judged.facts(), "figures": drawn}
    if as_json:
        echo_json(result)
    else:
        tell(result)
