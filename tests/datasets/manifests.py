"""Small folders of made-up recordings with a manifest, in the shape the real ones have."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

LINES = {"BPFO": 3.5848, "BPFI": 5.4152, "BSF": 2.3567, "FTF": 0.39831, "geom": "n=9"}
COMMON: dict[str, Any] = {
    "set": "cwru", "sample_rate_hz": 12000, "rpm": 1797, "units": "g", "bearing": "SKF 6205",
    "fault_freq_multipliers": LINES, "notes": "",
}  # fmt: skip


def noise(n: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.1, (channels, n)).astype(np.float32)


def add(
    folder: Path, file: str, x: np.ndarray, label: str = "normal", fault: str = "none", **facts: Any
) -> dict[str, Any]:
    """Write one recording and return its entry."""
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, x)
    content = {"file": file, "label": label, "fault": fault, **facts}
    return COMMON | content | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def write(folder: Path, entries: list[dict[str, Any]]) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps({"pack": "made-up", "entries": entries}))
    return path
