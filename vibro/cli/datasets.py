"""`vibro datasets`: public recordings, what is here of them and whether it is intact."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from vibro.cli.main import echo_json
from vibro.errors import BadInputError

DATA = click.option(
    "--data", envvar="VIBRO_DATA", metavar="DIR", show_envvar=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of recordings with a manifest.json.",
)  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")


@click.group(name="datasets")
def command() -> None:
    """List and verify public recordings.

    The recordings belong to their publishers, from whom `fetch` gets them; they are never part
    of Vibro. A data folder holds a
    manifest.json that names each file with its sampling rate, label and SHA-256.
    """


def wanted_folder(data: Path | None) -> Path:
    """Folder that was named.

    Raises
    ------
    BadInputError
        If none was.
    """
    if data is None:
        raise BadInputError("no folder of recordings: name it with --data DIR or $VIBRO_DATA")
    return data


@command.command(name="list")
@DATA
@JSON
def show(data: Path | None, as_json: bool) -> None:
    """List the sets that Vibro knows, with their terms and traps, and what is here of them."""
    from datasets.catalogue import CATALOGUE  # noqa: PLC0415
    from datasets.downloads import DOWNLOADS  # noqa: PLC0415
    from vibro.files import read_manifest  # noqa: PLC0415

    entries = read_manifest(data) if data is not None else []
    here = Counter(e.set for e in entries if e.path.is_file())
    rows: list[dict[str, Any]] = [
        {
            "name": s.name,
            "title": s.title,
            "publisher": s.publisher,
            "page": s.page,
            "citation": s.citation,
            "licence": s.licence,
            "machine": s.machine,
            "traps": list(s.traps),
            "fetch": s.name in DOWNLOADS,
            "recordings_here": here[s.name],
        }
        for s in CATALOGUE
    ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        count = row["recordings_here"]
        click.echo(f"{row['name']}: {row['title']}; {count or 'no'} recordings here")
        click.echo(f"    {row['machine']}")
        click.echo(f"    {row['publisher']} ('{row['page']}')")
        click.echo(f"    terms: {row['licence'] or 'none stated'}; cite {row['citation']}")
        for trap in row["traps"]:
            click.echo(f"    - {trap}")
    others = sorted(set(here) - {s.name for s in CATALOGUE})
    if others:
        click.echo(f"here but not in the catalogue: {', '.join(others)}")


@command.command()
@DATA
@JSON
def verify(data: Path | None, as_json: bool) -> None:
    """Compare every recording with the SHA-256 of its manifest.

    Exits with 1 when one is missing or changed.
    """
    from vibro.files import read_manifest  # noqa: PLC0415

    folder = wanted_folder(data)
    entries = read_manifest(folder)
    missing = [e.file for e in entries if not e.path.is_file()]
    unchecked = [e.file for e in entries if not e.sha256 and e.path.is_file()]
    absent = {*missing, *unchecked}
    changed = [e.file for e in entries if e.file not in absent and not e.is_intact()]
    intact = len(entries) - len(missing) - len(unchecked) - len(changed)
    if as_json:
        echo_json(
            {"data": str(folder), "entries": len(entries), "ok": intact, "missing": missing,
             "changed": changed, "unchecked": unchecked}
        )  # fmt: skip
    else:
        for word, files in (
            ("missing", missing),
            ("changed", changed),
            ("without checksum", unchecked),
        ):
            for file in files:
                click.echo(f"{word}: {folder / file}")
        click.echo(f"{folder}: {intact} of {len(entries)} recordings are as their manifest says")
    if missing or changed:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("name")
@DATA
@JSON
def fetch(name: str, data: Path | None, as_json: bool) -> None:
    """Fetch set NAME from its publisher into the data folder.

    Files that are there already are kept. Single recordings are added to the folder's
    manifest.json; archives are unpacked.
    """
    from datasets.downloads import downloads_of, fetch_set  # noqa: PLC0415

    known, _ = downloads_of(name)
    folder = wanted_folder(data)
    found = []
    quiet = as_json
    for got in fetch_set(name, folder, note=lambda line: None if quiet else click.echo(line)):
        found.append(got)
        if not as_json:
            checked = "as examined" if got.checked else "no checksum to compare with"
            unpacked = f", {len(got.unpacked)} files unpacked" if got.unpacked else ""
            click.echo(f"{got.file}: SHA-256 {got.sha256[:16]}..., {checked}{unpacked}")
    if as_json:
        echo_json(
            [
                {"file": str(f.file), "sha256": f.sha256, "checked": f.checked,
                 "unpacked": len(f.unpacked)}
                for f in found
            ]
        )  # fmt: skip
        return
    click.echo(f"terms: {known.licence or 'none stated'}; cite {known.citation}")
