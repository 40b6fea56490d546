"""Manifests: which recordings a folder holds and what is known of each."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibro.errors import BadInputError
from vibro.faults import Fault, from_publisher

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording of a manifest.

    Attributes
    ----------
    label : str
        The publisher's ``normal``, ``fault``, ``run_to_failure`` ...
    fault : Fault or None
        In our taxonomy; None for a healthy recording.
    rpm : float
        Measured, else nominal, else NaN.
    multipliers : dict of str to float
        BPFO, BPFI, BSF, FTF in shaft orders, where known.
    """

    file: str
    path: Path
    set: str
    label: str
    fault: Fault | None
    rate_hz: float
    rpm: float
    units: str
    bearing: str
    multipliers: dict[str, float]
    run: str
    index: int
    delimiter: str | None
    sha256: str
    notes: str
    raw: dict[str, Any]

    def is_intact(self) -> bool:
        """Whether the file is there and its SHA-256 is the manifest's."""
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest() == self.sha256
        except OSError:
            return False


def read_manifest(folder: Path) -> list[Entry]:
    """Entries of ``folder/manifest.json``.

    Raises
    ------
    BadInputError
        If there is none, or an entry lacks what every entry must have.
    """
    path = folder / MANIFEST
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["entries"]
    except OSError:
        raise BadInputError(f"{path}: there is no manifest; name a folder that has one") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError(
            f"{path}: is not a manifest, a JSON object with a list 'entries' ({error!r})"
        ) from None
    if not isinstance(entries, list):
        raise BadInputError(f"{path}: is not a manifest: its 'entries' is not a list")
    found = []
    for i, raw in enumerate(entries):
        try:
            found.append(_entry(folder, raw))
        except (TypeError, ValueError) as error:
            raise BadInputError(f"{path}: entry {i + 1} is malformed: {error}") from None
    return found


def _entry(folder: Path, raw: Any) -> Entry:
    """Entry of one JSON object; errors name the key, the value and what would be right."""
    if not isinstance(raw, dict):
        raise TypeError(f"{raw!r} is not an object with file, set, label ...")
    label = _text(raw, "label", required=True)
    fault, healthy = _text(raw, "fault"), label in ("normal", "healthy")
    return Entry(
        file=_file(raw),
        path=folder / _file(raw),
        set=_text(raw, "set", required=True),
        label=label,
        fault=None if healthy else from_publisher(fault or "unknown"),
        rate_hz=_number(raw, "sample_rate_hz"),
        rpm=_speed(raw),
        units=_units(_text(raw, "units")),
        bearing=_text(raw, "bearing"),
        multipliers=_multipliers(raw),
        run=_text(raw, "run"),
        index=_index(raw),
        delimiter=_text(raw, "delimiter") or None,
        sha256=_text(raw, "sha256"),
        notes=_text(raw, "notes"),
        raw=raw,
    )


def _text(raw: dict[str, Any], key: str, *, required: bool = False) -> str:
    value = raw.get(key)
    if required and not value:
        raise ValueError(f"{key} is missing")
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} = {value!r} is not a text")
    return value or ""


def _file(raw: dict[str, Any]) -> str:
    """Name below the manifest's folder: a manifest of others must not name what lies elsewhere."""
    name = _text(raw, "file", required=True)
    if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
        raise ValueError(f"file = {name!r} does not lie in the manifest's folder")
    return name


def _number(raw: dict[str, Any], key: str) -> float:
    """Positive number, NaN where it is not known."""
    value = raw.get(key)
    if not value:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{key} = {value!r} is not a number")
    if not 0.0 < value < math.inf:
        raise ValueError(f"{key} = {value!r} must be above 0 and finite, or null if not known")
    return float(value)


def _speed(raw: dict[str, Any]) -> float:
    measured = _number(raw, "rpm")
    return measured if measured > 0.0 else _number(raw, "rpm_nominal")


def _multipliers(raw: dict[str, Any]) -> dict[str, float]:
    """Lines' orders; a bearing's geometry may stand beside them as a text."""
    lines = raw.get("fault_freq_multipliers") or {}
    if not isinstance(lines, dict):
        raise TypeError(f"fault_freq_multipliers = {lines!r} is not an object")
    found = {k: float(v) for k, v in lines.items() if isinstance(v, (int, float))}
    if odd := [k for k, v in found.items() if not 0.0 <= v < math.inf]:
        raise ValueError(f"fault_freq_multipliers.{odd[0]} = {found[odd[0]]!r} is no order")
    return found


def _index(raw: dict[str, Any]) -> int:
    value = raw.get("index") or 0
    if not isinstance(value, int):
        raise TypeError(f"index = {value!r} is not a whole number")
    return value


def _units(text: str) -> str:
    """Reduce the publishers' sentences to ``g``, ``m/s2`` or ``""`` (amplitude lost)."""
    word = text.lower()
    if "standardis" in word or "standardiz" in word:
        return ""
    return "m/s2" if word.startswith("m/s") else "g" if word.startswith("g") else ""
