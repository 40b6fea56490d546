"""Binary formats: wav, npy with its sidecar, tdms, parquet and uff58."""

from __future__ import annotations

import json
import logging
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError, MissingExtraError
from vibro.files.raw import Raw

_STREAMED = 0x7FFFF000
"""Sizes from here on are what programs write that do not know how long a stream will be."""


def read_wav(path: Path) -> Raw:
    """Read PCM (8 to 32 bit) or IEEE float RIFF; full scale is 1.0.

    A comment (LIST INFO ICMT) of JSON such as our writer's gives names, units and speed.
    """
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise BadInputError(f"{path}: is not a WAV file (its RIFF header is missing)")
    chunks = _riff_chunks(path, data)
    if "fmt " not in chunks or "data" not in chunks or len(chunks["fmt "]) < 16:
        raise BadInputError(f"{path}: is a WAV file without its fmt or data chunk; it is torn")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunks["fmt "])
    if tag == 0xFFFE and len(chunks["fmt "]) >= 26:
        (tag,) = struct.unpack_from("<H", chunks["fmt "], 24)
    if not channels or not rate:
        raise BadInputError(
            f"{path}: its header says {channels} channels at {rate} Hz: it cannot be read"
        )
    if (tag, bits) not in _WAV:
        raise BadInputError(
            f"{path}: WAV encoding {tag} with {bits} bits cannot be read; save it as PCM or float"
        )
    samples = _WAV[tag, bits](chunks["data"])
    frames = samples.size // channels
    table = samples[: frames * channels].reshape(frames, channels).T
    facts = _wav_facts(chunks.get("LIST", b""))
    names = facts.pop("names", ())
    if len(names) != channels:
        names = tuple(f"ch{i + 1}" for i in range(channels))
    return Raw(table, names, **(facts | {"rate_hz": float(rate)}))


def _wav_facts(info: bytes) -> dict[str, Any]:
    """Facts of our own comment; anybody else's comment says nothing to us."""
    at = info.find(b"ICMT")
    if not info.startswith(b"INFO") or at < 0:
        return {}
    text = info[at + 8 :].split(b"\0")[0]
    try:
        return _facts(json.loads(text))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _riff_chunks(path: Path, data: bytes) -> dict[str, bytes]:
    chunks: dict[str, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name = data[at : at + 4].decode("latin-1")
        (size,) = struct.unpack_from("<I", data, at + 4)
        there = len(data) - at - 8
        if name == "data" and there < size < _STREAMED:
            raise BadInputError(
                f"{path}: is torn: its header promises {size} bytes of samples, {there} are there; "
                "copy it again"
            )
        chunks.setdefault(name, data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return chunks


def _pcm24(data: bytes) -> Any:
    whole = np.frombuffer(data[: len(data) // 3 * 3], np.uint8).reshape(-1, 3).astype(np.int32)
    value = whole[:, 0] | whole[:, 1] << 8 | whole[:, 2] << 16
    return (value - (value >> 23 << 24)) / 2.0**23


def _pcm(dtype: str, scale: float) -> Any:
    size = np.dtype(dtype).itemsize

    def read(data: bytes) -> Any:
        # A float that is no number is refused further on, and not in a warning.
        with np.errstate(invalid="ignore"):
            return np.frombuffer(data[: len(data) // size * size], dtype) / scale

    return read


_WAV = {
    (1, 8): lambda data: (np.frombuffer(data, np.uint8) - 128.0) / 128.0,
    (1, 16): _pcm("<i2", 2.0**15),
    (1, 24): _pcm24,
    (1, 32): _pcm("<i4", 2.0**31),
    (3, 32): _pcm("<f4", 1.0),
    (3, 64): _pcm("<f8", 1.0),
}


def read_npy(path: Path) -> Raw:
    """Read a NumPy array, (channels, n) or (n,), and ``NAME.json`` beside it where there is one."""
    try:
        # Mapped first: what a header claims is compared with the file before memory is taken.
        with np.errstate(over="ignore"):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:
        raise BadInputError(
            f"{path}: is not a NumPy .npy file of numbers, or it is torn; copy it again or save it "
            "with numpy.save"
        ) from None
    if (
        not isinstance(array, np.ndarray)
        or array.dtype.kind not in "fiu"
        or array.ndim not in (1, 2)
    ):
        raise BadInputError(f"{path}: does not hold one array of numbers with 1 or 2 dimensions")
    wide = np.float64 if array.dtype == np.float64 else np.float32
    table: NDArray[np.floating] = np.array(np.atleast_2d(array), wide)
    table = table if table.shape[1] >= table.shape[0] else table.T
    sidecar = path.with_suffix(".json")
    facts = _sidecar(sidecar) if sidecar.exists() else {}
    names = facts.pop("names", None) or tuple(f"ch{i + 1}" for i in range(len(table)))
    if len(names) != len(table):
        raise BadInputError(f"{sidecar}: names {len(names)} channels, the array has {len(table)}")
    return Raw(table, names, **facts)


def _sidecar(path: Path) -> dict[str, Any]:
    try:
        return _facts(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadInputError(
            f"{path}: is not JSON such as "
            f'{{"rate_hz": 25600, "names": ["de-h"], "units": "m/s2"}} ({error})'
        ) from None


def _facts(said: dict[str, Any]) -> dict[str, Any]:
    names = said.get("names") or ()
    if isinstance(names, str):
        raise TypeError("names is not a list")
    return {
        "names": tuple(str(name) for name in names),
        "rate_hz": float(said.get("rate_hz") or "nan"),
        "rpm": float(said.get("rpm") or "nan"),
        "units": str(said.get("units", "")),
    }


def read_tdms(path: Path) -> Raw:
    """Read all waveform channels of one length of a TDMS file; wf_increment gives the rate."""
    try:
        from nptdms import TdmsFile  # noqa: PLC0415
        from nptdms.log import log_manager  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("reading TDMS", "edge") from None
    log_manager.set_level(logging.CRITICAL)  # what it would print is told below, in one line
    try:
        file = TdmsFile.read(path)
        torn = file.file_status.incomplete_final_segment
        channels = [c for g in file.groups() for c in g.channels() if len(c)]
        steps = [c.properties.get("wf_increment") for c in channels]
        rows = [np.asarray(c[:], np.float64) for c in channels]
    except Exception:
        raise BadInputError(f"{path}: is not a whole TDMS file; copy it again") from None
    if torn:
        raise BadInputError(
            f"{path}: is torn: its last segment is not complete; copy it again or defragment it"
        )
    if not rows:
        raise BadInputError(f"{path}: holds no channel with samples")
    keep = [i for i, r in enumerate(rows) if len(r) == max(map(len, rows))]
    step = steps[keep[0]]
    units = str(channels[keep[0]].properties.get("unit_string", ""))
    names = tuple(channels[i].name for i in keep)
    rate = 1.0 / float(step) if step else float("nan")
    return Raw(np.stack([rows[i] for i in keep]), names, rate, units=units)


def read_parquet(path: Path) -> Raw:
    """Read the numeric columns of a Parquet file."""
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("reading Parquet", "cloud") from None
    try:
        table = pq.read_table(path)
        columns = {
            n: np.asarray(table[n].to_numpy(), np.float64)
            for n in table.column_names
            if str(table[n].type) in ("float", "double", "halffloat") or "int" in str(table[n].type)
        }
    except Exception:
        raise BadInputError(f"{path}: is not a whole Parquet file; copy it again") from None
    if not columns:
        raise BadInputError(f"{path}: has no column of numbers")
    said = (table.schema.metadata or {}).get(b"rate_hz", b"nan")
    try:
        rate = float(said)
    except ValueError:
        raise BadInputError(f"{path}: its rate_hz {said!r} is not a number") from None
    return Raw(np.stack(list(columns.values())), tuple(columns), rate)


def read_uff(path: Path) -> Raw:
    """Read time responses (function type 1) of a universal file, data set 58."""
    try:
        import pyuff  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("reading universal files", "cloud") from None
    try:
        found = pyuff.UFF(str(path)).read_sets()
        sets = [found] if isinstance(found, dict) else list(found)
        times = [s for s in sets if s.get("type") == 58 and s.get("func_type") == 1]
        rows = [np.real(np.asarray(s["data"])) for s in times]
        step = float(times[0]["abscissa_inc"]) if times else 0.0
    except Exception:
        raise BadInputError(
            f"{path}: is not a whole universal file; copy it again or export data set 58"
        ) from None
    if not rows or len({len(r) for r in rows}) != 1:
        raise BadInputError(f"{path}: holds no time responses (data set 58) of one length")
    names = tuple(str(s.get("id1") or f"ch{i + 1}") for i, s in enumerate(times))
    return Raw(np.stack(rows), names, 1.0 / step if step > 0 else float("nan"))
