"""Writing recordings in the formats that the edge replays."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vibro.errors import BadInputError, MissingExtraError
from vibro.files.recording import Recording


def _write_wav(path: Path, r: Recording) -> None:
    """IEEE float: 1.0 is one m/s2, nothing is clipped; names, units and speed in a comment."""
    data = np.ascontiguousarray(r.samples.T, "<f4").tobytes()
    channels, rate = r.samples.shape[0], round(r.rate_hz)
    if rate != r.rate_hz:
        raise BadInputError(f"{path}: WAV cannot hold a rate of {r.rate_hz!r} Hz; use npy or csv")
    fmt = struct.pack("<HHIIHH", 3, channels, rate, rate * channels * 4, channels * 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    body += _comment({"units": "m/s2", "names": list(r.names)} | _speed(r))
    body += b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def _comment(facts: dict[str, Any]) -> bytes:
    """RIFF list INFO with one comment (ICMT) of JSON, padded to even length."""
    text = json.dumps(facts).encode() + b"\0"
    text += b"\0" * (len(text) % 2)
    inner = b"INFOICMT" + struct.pack("<I", len(text)) + text
    return b"LIST" + struct.pack("<I", len(inner)) + inner


def _speed(r: Recording) -> dict[str, Any]:
    return {"rpm": r.rpm} if r.rpm == r.rpm else {}


def _write_csv(path: Path, r: Recording) -> None:
    """Header with units, time in seconds, nine significant digits (float32 reads back exactly)."""
    time = np.arange(r.samples.shape[1]) / r.rate_hz
    table = np.column_stack([time, r.samples.T.astype(np.float64)])
    formats = ["%.17g"] + ["%.9g"] * len(r.names)
    header = ",".join(["time", *(f"{name} [m/s2]" for name in r.names)])
    np.savetxt(path, table, formats, delimiter=",", header=header, comments="")


def _write_npy(path: Path, r: Recording) -> None:
    """Array (channels, n) and a JSON file beside it with rate, names and units."""
    np.save(path, r.samples)
    facts = {"rate_hz": r.rate_hz, "names": list(r.names), "units": "m/s2"} | _speed(r)
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _write_tdms(path: Path, r: Recording) -> None:
    try:
        from nptdms import ChannelObject, TdmsWriter  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("writing TDMS", "edge") from None
    properties = {"wf_increment": 1.0 / r.rate_hz, "unit_string": "m/s2"}
    with TdmsWriter(str(path)) as writer:
        writer.write_segment(
            [
                ChannelObject("vibro", name, x, properties)
                for name, x in zip(r.names, r.samples, strict=True)
            ]
        )


WRITERS: dict[str, Callable[[Path, Recording], None]] = {
    ".wav": _write_wav,
    ".csv": _write_csv,
    ".npy": _write_npy,
    ".tdms": _write_tdms,
}


def write_recording(path: Path, recording: Recording) -> None:
    """Write a recording in m/s2; the ending names the format.

    Raises
    ------
    BadInputError
        If the format cannot be written or cannot hold the recording.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise BadInputError(f"{path}: can write {', '.join(WRITERS)}, not '{path.suffix}'")
    try:
        writer(path, recording)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written ({error.strerror})") from None
