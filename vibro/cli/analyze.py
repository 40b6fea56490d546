"""`vibro analyze`: one recording, from samples to ranked faults with their evidence."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibro.cli.main import echo_json
from vibro.errors import BadInputError

if TYPE_CHECKING:
    from vibro.assets import Point
    from vibro.diagnosis import Assessment
    from vibro.files import Recording
    from vibro.iso10816 import IsoLimits
    from vibro.kinematics import Bearing
    from vibro.records import Diagnosis


class Speed(click.ParamType[float]):
    """A speed in rpm, or the word ``unknown``."""

    name = "RPM"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return the speed, NaN for ``unknown``."""
        if value == "unknown":
            return float("nan")
        try:
            speed = float(value)
        except ValueError:
            speed = 0.0
        if not 0.0 < speed < 1e6:
            self.fail(f"'{value}' is neither a speed in rpm nor 'unknown'", param, ctx)
        return speed


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says of the machine that the recording does not."""

    bearing: str | None
    gear: tuple[int, int] | None
    blades: int | None
    line_hz: float
    iso_group: int | None
    mounting: str


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--rate", "rate_hz", type=click.FloatRange(0, min_open=True), metavar="HZ",
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
@click.option("--gear", type=(int, int), metavar="Z1 Z2", help="Teeth of this gear and its mate.")
@click.option("--blades", type=click.IntRange(1), help="Number of blades or vanes.")
@click.option(
    "--line-hz", type=click.FloatRange(0, min_open=True), default=50.0, show_default=True,
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
        vibro analyze 130at6_0.mat --rate 12000 --rpm 1796 --bearing 6205 --figures out
    """  # noqa: D301 (click's mark for a block that is not rewrapped)
    from vibro.files import read_recording  # noqa: PLC0415

    group = int(iso_group) if iso_group else None
    options = Options(bearing, gear, blades, line_hz, group, mounting)
    recording = read_recording(file, rate_hz=rate_hz, rpm=rpm, channel=channel, units=units)
    if rpm is None and not recording.rpm > 0:
        raise BadInputError(
            f"{file}: does not say its speed, which every fault line depends on; give it with "
            "--rpm RPM (or --rpm unknown to judge without lines)"
        )
    points = _points(recording, options)
    before = None
    if reference is not None:
        before = read_recording(reference, rate_hz=rate_hz, rpm=rpm, channel=channel, units=units)
    assessment = _assess(recording, points, before, options)
    best = _main_channel(recording, assessment)
    result = {
        "file": str(file),
        "rate_hz": recording.rate_hz,
        "rpm": recording.rpm,
        "channel": recording.names[best],
        "features": _features(recording, points, best),
        "score": None,
        "severity": assessment.severity.word,
        "diagnosis": [_diagnosis(d) for d in assessment.diagnoses],
        "zone": assessment.zone or None,
        "velocity_rms_mm_s": dict(zip(recording.names, assessment.velocity_mm_s, strict=False)),
        "notes": [*assessment.notes, *_notes(recording, options)],
        "figures": _figures(figures, file, recording, points, assessment) if figures else [],
    }
    if as_json:
        echo_json(result)
    else:
        _tell(result)


def _bearing(name: str) -> Bearing:
    from vibro.kinematics import Bearing, find_bearing, near_names  # noqa: PLC0415

    if "=" in name:
        return Bearing.parse(name)
    found = find_bearing(name)
    if found is None:
        near = near_names(name)
        hint = f" (near: {', '.join(near)})" if near else ""
        raise BadInputError(
            f"--bearing '{name}' is not in the catalogue{hint}; give its geometry as "
            "'Z=9 d=7.94 D=39.04 phi=0'"
        )
    return found


def _points(recording: Recording, options: Options) -> list[Point]:
    """One measuring point a channel, all of the same machine."""
    from vibro.assets import Point  # noqa: PLC0415

    known = _bearing(options.bearing) if options.bearing else None
    teeth, mate = options.gear or (None, None)
    return [
        Point(
            name,
            "DE",
            "H",
            bearing=known,
            gear_teeth=teeth,
            gear_mate_teeth=mate,
            blades=options.blades,
            line_hz=options.line_hz,
            rate_hz=recording.rate_hz,
        )
        for name in recording.names
    ]


def _assess(
    recording: Recording, points: list[Point], before: Recording | None, options: Options
) -> Assessment:
    from vibro.diagnosis import assess, reference_of  # noqa: PLC0415

    if before is not None and (before.names, before.rate_hz) != (
        recording.names,
        recording.rate_hz,
    ):
        raise BadInputError(
            f"{before.source}: has channels {', '.join(before.names)} at {before.rate_hz:g} Hz, "
            f"the recording {', '.join(recording.names)} at {recording.rate_hz:g} Hz: they cannot "
            "be compared"
        )
    reference = reference_of(before.samples, before.rate_hz, before.rpm, points) if before else None
    return assess(
        recording.samples,
        recording.rate_hz,
        recording.rpm,
        points,
        iso=_limits(recording, options),
        reference=reference,
    )


def _limits(recording: Recording, options: Options) -> IsoLimits | None:
    """Zone limits where the user asks for them and the level can be trusted."""
    from vibro.iso10816 import IsoLimits, limits  # noqa: PLC0415

    if options.iso_group is None or not recording.units_known:
        return None
    # A group is a statement that the machine is above 15 kW.
    found = limits(300.0, options.iso_group, options.mounting, "10816-3")
    return found if isinstance(found, IsoLimits) else None


def _notes(recording: Recording, options: Options) -> list[str]:
    notes = []
    if not recording.units_known:
        notes.append("the file does not say its units: g were taken (--units UNIT)")
        if options.iso_group is not None:
            notes.append("ISO zones are not judged where the units are not known")
    if options.bearing is None:
        notes.append("no bearing is given: bearing lines are not looked for (--bearing NAME)")
    return notes


def _main_channel(recording: Recording, assessment: Assessment) -> int:
    """Channel of the first diagnosis, else the first."""
    if not assessment.diagnoses:
        return 0
    return recording.names.index(assessment.diagnoses[0].channel)


def _features(recording: Recording, points: list[Point], row: int) -> dict[str, float]:
    """Medians over windows of one channel's fast and long features."""
    import numpy as np  # noqa: PLC0415

    from vibro.features.recording import analyse_recording  # noqa: PLC0415
    from vibro.features.setup import ChannelSetup  # noqa: PLC0415
    from vibro.features.table import FAST_NAMES, LONG_NAMES  # noqa: PLC0415

    setup = ChannelSetup(lines=points[row].lines)
    found = analyse_recording(
        recording.samples[row : row + 1], recording.rate_hz, recording.rpm, [setup]
    )
    fast, long = (np.median(v[:, 0], axis=0) for v in (found.fast, found.long))
    names = [*FAST_NAMES, *LONG_NAMES]
    return dict(zip(names, [*fast.tolist(), *long.tolist()], strict=True))


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "fault": diagnosis.fault.value,
        "probability": diagnosis.probability,
        "channel": diagnosis.channel,
        "severity": diagnosis.severity.word,
        "evidence": [asdict(e) for e in diagnosis.evidence],
        "note": diagnosis.note,
    }


def _figures(
    folder: Path, file: Path, recording: Recording, points: list[Point], assessment: Assessment
) -> list[str]:
    from vibro.figures import Story, draw  # noqa: PLC0415

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"--figures {folder}: cannot be made ({error.strerror})") from None
    paths = []
    for row, point in zip(recording.samples, points, strict=True):
        own = next((d for d in assessment.diagnoses if d.channel == point.channel), None)
        verdict = f"{own.fault.value.replace('_', ' ')} ({own.probability:.2f})" if own else "ok"
        title = f"{file.name}, channel {point.channel}: {verdict}"
        story = Story(title, row, recording.rate_hz, recording.rpm, point, own)
        paths.append(str(draw(story, folder / f"{file.stem}-{point.channel.lower()}.png")))
    return paths


def _tell(result: dict[str, Any]) -> None:
    """Print the short report."""
    rpm = result["rpm"]
    speed = f"{rpm:g} rpm" if rpm == rpm else "speed unknown"
    click.echo(f"{result['file']}: {result['rate_hz']:g} Hz, {speed}")
    click.echo(f"severity {result['severity']}")
    if not result["diagnosis"]:
        click.echo("nothing found")
    for d in result["diagnosis"]:
        fault = d["fault"].replace("_", " ")
        click.echo(f"\n{fault}  probability {d['probability']:.2f}  channel {d['channel']}")
        for e in d["evidence"]:
            click.echo(
                f"  {e['line']:<6} expected {e['expected_hz']:.2f} Hz, found {e['found_hz']:.2f} "
                f"Hz, {e['snr_db']:.1f} dB over the noise (decoys {e['decoy_snr_db']:.1f} dB), "
                f"{e['harmonics']} harmonics"
            )
        if d["note"]:
            click.echo(f"  {d['note']}")
    names = ("rms", "crest_factor", "kurtosis", "velocity_rms_mm_s")
    known = [f"{n} {result['features'][n]:.4g}" for n in names if n in result["features"]]
    click.echo(f"\nchannel {result['channel']}: {', '.join(known)}")
    for note in result["notes"]:
        click.echo(f"note: {note}")
    for figure in result["figures"]:
        click.echo(figure)
