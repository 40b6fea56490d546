"""`vibro convert`: a recording in any known format, rewritten as the edge replays it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from vibro.cli.main import echo_json
from vibro.cli.values import Positive
from vibro.errors import BadInputError

SIDECAR = {".npy": ".json"}


@click.command(name="convert")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--rate", "rate_hz", type=Positive("Hz"), metavar="HZ",
    help="Sampling rate; wins over what the file says.",
)  # fmt: skip
@click.option(
    "--rpm", type=click.FloatRange(0, 1e6), metavar="RPM",
    help="Speed of the shaft; kept by wav and npy.",
)  # fmt: skip
@click.option(
    "--channel", "--key", metavar="NAME", help="Only this channel: its name, or number from 1."
)
@click.option(
    "--units", metavar="UNIT",
    help="Units where the file does not say them: g, m/s2 or mm/s2.  [default: g]",
)  # fmt: skip
@click.option(
    "--delimiter", metavar="CHAR", help="Delimiter of a text file; found by itself otherwise."
)
@click.option("--force", is_flag=True, help="Overwrite OUT.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    source: Path,
    target: Path,
    rate_hz: float | None,
    rpm: float | None,
    channel: str | None,
    units: str | None,
    delimiter: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Convert a recording to what the edge replays.

    IN may be wav, csv/txt (or no ending), mat (v5), npy, parquet, tdms or uff58. The ending of
    OUT names its format: wav (float), csv, npy (with a json beside it) or tdms. Samples are
    written in m/s2.

    \b
        vibro convert 130at6_0.mat pump.npy --rate 12000 --rpm 1796 --channel DE
    """  # noqa: D301 (click's mark for a block that is not rewrapped)
    from vibro.files import WRITERS, read_recording  # noqa: PLC0415

    if target.suffix.lower() not in WRITERS:
        raise BadInputError(
            f"{target}: can write {', '.join(WRITERS)}, not '{target.suffix}'; end OUT so"
        )
    _refuse_overwriting(source, target, force)
    recording = read_recording(
        source, rate_hz=rate_hz, rpm=rpm, channel=channel, units=units, delimiter=delimiter
    )
    written = _write(target, recording)
    facts = {
        "file": str(target),
        "also": [str(p) for p in written if p != target],
        "source": str(source),
        "channels": list(recording.names),
        "samples": int(recording.samples.shape[1]),
        "rate_hz": recording.rate_hz,
        "rpm": recording.rpm,
        "duration_s": recording.duration_s,
        "units": "m/s2",
        "units_assumed": not recording.units_known,
        "bytes": sum(p.stat().st_size for p in written),
    }
    if as_json:
        echo_json(facts)
        return
    speed = f", {recording.rpm:g} rpm" if recording.rpm == recording.rpm else ""
    click.echo(
        f"{' and '.join(map(str, written))}: {len(recording.names)} channels "
        f"({', '.join(recording.names)}), {recording.samples.shape[1]} samples at "
        f"{recording.rate_hz:g} Hz{speed}, m/s2"
    )
    if not recording.units_known:
        click.echo(f"{source}: does not say its units; g were taken (--units UNIT)", err=True)


def _files_of(target: Path) -> list[Path]:
    beside = SIDECAR.get(target.suffix.lower())
    return [target, target.with_suffix(beside)] if beside else [target]


def _refuse_overwriting(source: Path, target: Path, force: bool) -> None:
    if not target.parent.is_dir():
        raise BadInputError(f"{target.parent}: there is no such folder; make it first")
    for path in _files_of(target):
        if path.is_dir():
            raise BadInputError(f"{path}: is a folder; name a file")
        if path.exists() and source.exists() and path.samefile(source):
            raise BadInputError(f"{path}: is IN itself; name another OUT")
        if path.exists() and not force:
            raise BadInputError(f"{path}: is there already; name another OUT or add --force")


def _write(target: Path, recording: object) -> list[Path]:
    """Write beside the target, then rename: a failure leaves nothing half done."""
    from vibro.files import Recording, write_recording  # noqa: PLC0415

    assert isinstance(recording, Recording)  # noqa: S101 (for the type checker)
    try:
        with tempfile.TemporaryDirectory(prefix=".vibro-", dir=target.parent) as folder:
            draft = Path(folder) / target.name
            write_recording(draft, recording)
            written = [p for p in _files_of(target) if (Path(folder) / p.name).exists()]
            for path in written:
                (Path(folder) / path.name).replace(path)
    except OSError as error:
        raise BadInputError(f"{target}: cannot be written ({error.strerror})") from None
    return written
