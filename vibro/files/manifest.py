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
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{path}: is not a manifest ({error!r})") from None
    found = []
    for i, raw in enumerate(entries):
        try:
            found.append(_entry(folder, raw))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInputError(f"{path}: entry {i + 1} is malformed ({error!r})") from None
    return found


def _entry(folder: Path, raw: dict[str, Any]) -> Entry:
    rpm = raw.get("rpm") or raw.get("rpm_nominal") or math.nan
    lines = raw.get("fault_freq_multipliers") or {}
    healthy = raw["label"] in ("normal", "healthy")
    return Entry(
        file=raw["file"],
        path=folder / raw["file"],
        set=raw["set"],
        label=raw["label"],
        fault=None if healthy else from_publisher(raw.get("fault") or "unknown"),
        rate_hz=float(raw.get("sample_rate_hz") or math.nan),
        rpm=float(rpm),
        units=_units(raw.get("units") or ""),
        bearing=raw.get("bearing") or "",
        multipliers={k: float(v) for k, v in lines.items() if isinstance(v, (int, float))},
        run=raw.get("run") or "",
        index=int(raw.get("index") or 0),
        delimiter=raw.get("delimiter"),
        sha256=raw.get("sha256") or "",
        notes=raw.get("notes") or "",
        raw=raw,
    )


def _units(text: str) -> str:
    """Reduce the publishers' sentences to ``g``, ``m/s2`` or ``""`` (amplitude lost)."""
    word = text.lower()
    if "standardis" in word or "standardiz" in word:
        return ""
    return "m/s2" if word.startswith("m/s") else "g" if word.startswith("g") else ""
