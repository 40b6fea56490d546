"""Where the publishers keep their recordings, and getting them from there.

The checksums are those of copies that were examined; an address without one has not been.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets.catalogue import CATALOGUE, PublicSet, find_set
from vibro.errors import BadInputError, VibroError
from vibro.files import MANIFEST

TIMEOUT_S = 30.0
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Download:
    """One file at its publisher.

    Attributes
    ----------
    address : str
    file : str
        Name under the data folder; an archive (.zip) is unpacked beside it.
    sha256 : str
        ``""`` where no copy has been examined.
    facts : dict
        Manifest entry of a recording; empty for an archive.
    members : dict
        Pattern of a member's name in an archive -> its manifest entry.
    """

    address: str
    file: str
    sha256: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a download left."""

    file: Path
    sha256: str
    checked: bool
    unpacked: tuple[Path, ...] = ()


_CASE = "https://engineering.case.edu/sites/default/files/"
_LINES = {"BPFO": 3.5848, "BPFI": 5.4152, "BSF": 2.3567, "FTF": 0.39831}


def _case(number: str, rate_hz: int, rpm: int, fault: str, sha256: str = "") -> Download:
    facts = {
        "set": "cwru",
        "sample_rate_hz": rate_hz,
        "rpm": None,
        "rpm_nominal": rpm,
        "label": "normal" if fault == "normal" else "fault",
        "fault": fault,
        "units": "g (not stated in the file)",
        "bearing": "SKF 6205 (drive end)",
        "fault_freq_multipliers": _LINES,
    }
    return Download(f"{_CASE}{number}.mat", f"cwru/{number}.mat", sha256, facts)


def _mfpt(rate_hz: int, fault: str, load: int | None = None) -> dict[str, Any]:
    lines = {"BPFO": 3.245, "BPFI": 4.755, "BSF": 2.5546, "FTF": 0.4056}
    facts: dict[str, Any] = {
        "set": "mfpt",
        "sample_rate_hz": rate_hz,
        "rpm": 1500,
        "label": "normal" if fault == "none" else "fault",
        "fault": fault,
        "units": "g",
        "bearing": "NICE",
        "fault_freq_multipliers": lines,
    }
    return facts if load is None else facts | {"load_lbs": load}


DOWNLOADS: dict[str, tuple[Download, ...]] = {
    "cwru": (
        _case(
            "97", 48000, 1797, "normal",
            "16bf48babcf1c7ac224bc1a81cd9eafdb27e42d5cf559761907e067e8eeadf3c",
        ),
        _case("98", 48000, 1772, "normal"),
        _case("99", 48000, 1750, "normal"),
        _case("100", 48000, 1730, "normal"),
        _case("105", 12000, 1797, "inner_race"),
        _case("118", 12000, 1797, "ball"),
        _case("130", 12000, 1797, "outer_race"),
        _case("109", 48000, 1797, "inner_race"),
        _case("122", 48000, 1797, "ball"),
        _case("174", 48000, 1797, "inner_race"),
    ),
    "mfpt": (
        Download(
            "https://www.mfpt.org/wp-content/uploads/2020/02/"
            "MFPT-Fault-Data-Sets-20200227T131140Z-001.zip",
            "mfpt/mfpt.zip",
            members={
                r"/baseline_\d\.mat": _mfpt(97656, "none", 270),
                r"/OuterRaceFault_\d\.mat": _mfpt(97656, "outer_race", 270),
                r"/OuterRaceFault_vload_\d\.mat": _mfpt(48828, "outer_race"),
                r"/InnerRaceFault_vload_\d\.mat": _mfpt(48828, "inner_race"),
            },
        ),
    ),
    "ims": (
        Download("https://phm-datasets.s3.amazonaws.com/NASA/4.+Bearings.zip", "ims/bearings.zip"),
    ),
    "femto": (
        Download(
            "https://phm-datasets.s3.amazonaws.com/NASA/10.+FEMTO+Bearing.zip", "femto/femto.zip"
        ),
    ),
}  # fmt: skip


def downloads_of(name: str) -> tuple[PublicSet, tuple[Download, ...]]:
    """Catalogue entry and files of a set.

    Raises
    ------
    BadInputError
        If there is no such set, or its publisher gives it out by hand only.
    """
    known = find_set(name)
    if known is None:
        names = ", ".join(s.name for s in CATALOGUE)
        raise BadInputError(f"'{name}' is not a set of the catalogue; it has {names}")
    if name not in DOWNLOADS:
        raise BadInputError(
            f"{name}: its publisher has no address to fetch it from; get it by hand "
            f"('{known.page}', {known.publisher})"
        )
    return known, DOWNLOADS[name]


def fetch_set(
    name: str, folder: Path, *, note: Callable[[str], None] = lambda _: None
) -> Iterator[Fetched]:
    """Fetch the files of a set into ``folder``; those already there and right are kept.

    Raises
    ------
    VibroError
        If the publisher cannot be reached, or sends something else than what was examined.
    """
    known, downloads = downloads_of(name)
    for item in downloads:
        target = folder / item.file
        if not _is_there(target, item.sha256):
            note(f"{item.address} -> {target}")
            _download(item, target, known)
        digest = _digest(target)
        unpacked = _unpack(target) if target.suffix == ".zip" else ()
        found = [(target, item.facts)] if item.facts else []
        found += [
            (path, facts)
            for path in unpacked
            for pattern, facts in item.members.items()
            if re.search(pattern + r"\Z", path.as_posix())
        ]
        _remember(folder, found)
        yield Fetched(target, digest, bool(item.sha256), unpacked)


def _is_there(target: Path, sha256: str) -> bool:
    return target.is_file() and (not sha256 or _digest(target) == sha256)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(item: Download, target: Path, known: PublicSet) -> None:
    host = urllib.parse.urlsplit(item.address).netloc or item.address
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as scratch:
            draft = Path(scratch) / target.name
            # The address is the catalogue's own, never a user's.
            with (
                urllib.request.urlopen(item.address, timeout=TIMEOUT_S) as answer,  # noqa: S310
                draft.open("wb") as file,
            ):
                shutil.copyfileobj(answer, file, CHUNK)
            found = _digest(draft)
            if item.sha256 and found != item.sha256:
                raise VibroError(
                    f"{known.name}: {item.address} has SHA-256 {found[:12]}..., the copy that was "
                    f"examined {item.sha256[:12]}...: nothing was kept"
                )
            draft.replace(target)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise VibroError(
            f"{known.name}: {item.file} cannot be fetched from {host} ({reason}); go online, or "
            f"get it by hand ('{known.page}') into {target.parent}"
        ) from None


def _unpack(archive: Path) -> tuple[Path, ...]:
    """Unpack a zip beside itself; its own checksums are verified on the way."""
    try:
        with zipfile.ZipFile(archive) as bundle:
            names = [n for n in bundle.namelist() if not n.endswith("/")]
            # extract() itself keeps members inside the folder.
            return tuple(Path(bundle.extract(n, archive.parent)) for n in names)
    except (zipfile.BadZipFile, OSError, RuntimeError) as error:
        archive.unlink(missing_ok=True)
        raise VibroError(f"{archive}: is not a whole zip ({error}); fetch it again") from None


def _remember(folder: Path, recordings: list[tuple[Path, dict[str, Any]]]) -> None:
    """Add recordings to the folder's manifest, or replace what it says of them."""
    if not recordings:
        return
    new = {
        (name := path.relative_to(folder).as_posix()): {"file": name, **facts}
        | {"sha256": _digest(path)}
        for path, facts in recordings
    }
    manifest = folder / MANIFEST
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        kept = [e for e in content["entries"] if e["file"] not in new]
    except FileNotFoundError:
        content, kept = {"pack": "fetched"}, []
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{manifest}: is no manifest ({error!r}); mend or remove it") from None
    draft = manifest.with_suffix(".json.new")
    draft.write_text(json.dumps(content | {"entries": [*kept, *new.values()]}, indent=1))
    draft.replace(manifest)
