"""`encode` and `decode`: between the records of `vibro.records` and bytes on the wire."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.faults import Fault, Severity
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import Clip, Event, FeatureBlock, Health, Label, Origin, Record, RecordId
from vibro.wire import cells, facts
from vibro.wire.columns import pack, unpack
from vibro.wire.framing import frame, unframe

# Names of the feature columns by (schema hash, path): not sent, because the hash says them.
_TABLES: dict[tuple[str, str], tuple[str, ...]] = {
    (SCHEMA_HASH, "fast"): FAST_NAMES,
    (SCHEMA_HASH, "long"): LONG_NAMES,
}
# Other lists of columns that are told by a number; what a number once meant it means for ever.
_LISTS: dict[str, tuple[str, ...]] = {
    "1": (
        "judged_share",
        "p_fast",
        "p_long",
        "rpm",
        "score_fast",
        "score_long",
        "severity",
        "velocity_rms_mm_s",
    )
}
_KEYS = ("channel", "first_sample", "t0_ns", "state")
_KEY_TYPES = {"channel": "int16", "first_sample": "int64", "t0_ns": "int64", "state": "int16"}
_MOST_ERROR = 300
"""Characters of a malformed field that an error repeats."""


def encode(record: Record) -> bytes:
    """Serialise a record.

    Lossless: what may be rounded was rounded before, see `vibro.wire.precision`, and takes the
    fewer bytes for it.
    """
    if isinstance(record, FeatureBlock):
        return frame("features", _features(record))
    if isinstance(record, Clip):
        return frame("clip", _clip(record))
    if isinstance(record, Event):
        return frame("event", _event(record))
    if isinstance(record, Health):
        return frame("health", _health(record))
    return frame("label", asdict(record))


def decode(value: bytes) -> Record:
    """Deserialise a record.

    Raises
    ------
    BadInputError
        For anything that is not one whole record of a known schema.
    """
    kind, body = unframe(value)
    try:
        return _READERS[kind](body)
    except (
        LookupError,
        TypeError,
        ValueError,
        ArithmeticError,
        RecursionError,
        struct.error,
    ) as error:
        said = str(error)[:_MOST_ERROR]
        if isinstance(error, BadInputError):
            raise BadInputError(f"{kind}: {said}") from None
        raise BadInputError(f"{kind}: a field is malformed ({said})") from None


def _features(block: FeatureBlock) -> dict[str, Any]:
    counts = [n for n, c in block.columns.items() if n not in _KEYS and c.dtype.kind in "iu"]
    names = tuple(n for n in block.columns if n not in (*_KEYS, *counts))
    matrix = np.array([block.columns[n] for n in names], np.float32).reshape(-1, block.rows)
    keys = {k: block.columns[k].astype(_KEY_TYPES.get(k, "int64")) for k in (*_KEYS, *counts)}
    close = all(cells.fits(keys[k]) for k in _KEYS)
    told = {k: c for k, c in keys.items() if close and cells.fits(c)}
    return {
        "origin": asdict(block.origin),
        "content": block.content,
        "path": block.path,
        "schema_hash": block.schema_hash,
        "bundle": block.bundle,
        "channels": list(block.channels),
        "states": list(block.states),
        "keys": [pack(k, c) for k, c in keys.items() if k not in told],
        "names": _short(names, block),
        "values": None if close else pack("values", matrix.ravel()),
        "counts": [k for k in told if k not in _KEYS],
        "rows": block.rows if close else 0,
        "cells": cells.write(told, matrix) if close else None,
    }


def _short(names: tuple[str, ...], block: FeatureBlock) -> list[str]:
    """How the names of the columns are told: not at all, by a number, or in full."""
    if _TABLES.get((block.schema_hash, block.path)) == names:
        return []
    return next(([number] for number, known in _LISTS.items() if known == names), list(names))


def _names(body: dict[str, Any]) -> tuple[str, ...]:
    told = tuple(body["names"])
    if len(told) == 1:
        return _LISTS.get(told[0], told)
    return told or _TABLES.get((body["schema_hash"], body["path"]), ())


def _read_features(body: dict[str, Any]) -> FeatureBlock:
    names = _names(body)
    keys = [*(c["name"] for c in body["keys"]), *(_told(body))]
    if len({*names, *keys}) != len(names) + len(keys):
        raise BadInputError("two columns have one name")
    columns, values = _columns(body, len(names))
    if not set(columns) >= set(_KEYS) or len({c.size for c in columns.values()}) != 1:
        raise BadInputError(f"key columns are not {', '.join(_KEYS)} of one length")
    for key, column in columns.items():
        if column.dtype.name != _KEY_TYPES.get(key, "int64"):
            raise BadInputError(f"key column '{key}' is {column.dtype}")
    rows = columns["t0_ns"].size
    if values.size != len(names) * rows or values.dtype != np.float32:
        raise BadInputError(
            f"{values.size} {values.dtype} values do not fill {len(names)} columns of {rows} rows"
        )
    _check_index(columns["channel"], len(body["channels"]), "channel")
    _check_index(columns["state"], len(body["states"]), "state")
    columns |= dict(zip(names, values.reshape(len(names), rows), strict=True))
    return FeatureBlock(
        Origin(**body["origin"]),
        body["content"],
        body["path"],
        body["schema_hash"],
        body["bundle"],
        tuple(body["channels"]),
        tuple(body["states"]),
        columns,
    )


def _told(body: dict[str, Any]) -> tuple[str, ...]:
    """Names of the keys that stand in the cells."""
    return () if body["cells"] is None else (*_KEYS, *body["counts"])


def _columns(body: dict[str, Any], count: int) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """Keys by name, and all values: from the cells, or from packed columns as all once were."""
    packed = {c["name"]: c for c in body["keys"]}
    columns = dict(zip(packed, unpack(list(packed.values())), strict=True))
    rows = body["rows"]
    if body["cells"] is None:
        if body["values"] is None:
            raise BadInputError("a block holds neither cells nor values")
        return columns, unpack([body["values"]])[0]
    names = _told(body)
    if rows < 1 or rows * (count + len(names)) > cells.MOST:
        raise BadInputError(f"a block declares {rows} rows of {count} columns")
    keys, values = cells.read(body["cells"], names, count, rows)
    for name, key in zip(names, keys, strict=True):
        columns[name] = key.astype(_KEY_TYPES.get(name, "int64"))
    order = [*_KEYS, *(n for n in columns if n not in _KEYS)]
    return {n: columns[n] for n in order}, values


def _check_index(values: NDArray[Any], count: int, what: str) -> None:
    if values.size and not 0 <= values.min() <= values.max() < count:
        raise BadInputError(f"a {what} index is outside the {count} declared")


def _clip(clip: Clip) -> dict[str, Any]:
    return {
        "id": str(clip.id),
        "origin": asdict(clip.origin),
        "reason": clip.reason,
        "event": clip.event,
        "t0_ns": clip.t0_ns,
        "rate_hz": clip.rate_hz,
        "rpm": clip.rpm,
        "state": clip.state,
        "channels": list(clip.channels),
        "scale": [float(s) for s in clip.scale],
        "samples": [pack(n, x) for n, x in zip(clip.channels, clip.samples, strict=True)],
    }


def _read_clip(body: dict[str, Any]) -> Clip:
    samples = unpack(body["samples"])
    if not len(samples) == len(body["channels"]) == len(body["scale"]) > 0:
        raise BadInputError("channels, scales and sample columns are not of one number")
    if len({(s.size, s.dtype) for s in samples}) != 1:
        raise BadInputError("channels are not of one length and type")
    return Clip(
        id=RecordId.parse(body["id"]),
        origin=Origin(**body["origin"]),
        samples=np.stack(samples),
        scale=np.array(body["scale"], np.float32),
        channels=tuple(body["channels"]),
        **{k: body[k] for k in ("reason", "event", "t0_ns", "rate_hz", "rpm", "state")},
    )


def _event(event: Event) -> dict[str, Any]:
    body = {f: getattr(event, f) for f in _PLAIN_EVENT}
    return body | {
        "id": str(event.id),
        "origin": asdict(event.origin),
        "severity": int(event.severity),
        "causes": list(event.causes),
        "contributions": [{"feature": f, "deviation": d} for f, d in event.contributions],
        "sensor_fault": None if event.sensor_fault is None else event.sensor_fault.value,
    }


_PLAIN_EVENT = (
    "channel",
    "t_onset_ns",
    "t_last_ns",
    "t_clear_ns",
    "t_decided_ns",
    "state",
    "score",
    "p_value",
    "velocity_rms_mm_s",
    "rpm",
    "bundle",
)


def _read_event(body: dict[str, Any]) -> Event:
    fault = body["sensor_fault"]
    return Event(
        id=RecordId.parse(body["id"]),
        origin=Origin(**body["origin"]),
        severity=Severity(body["severity"]),
        causes=tuple(body["causes"]),
        contributions=tuple((c["feature"], c["deviation"]) for c in body["contributions"]),
        sensor_fault=None if fault is None else Fault(fault),
        **{f: body[f] for f in _PLAIN_EVENT},
    )


def _health(health: Health) -> dict[str, Any]:
    number = (health.id.first_sample, health.id.revision)
    usual = RecordId("health", health.origin.node, health.origin.stream_epoch, *number)
    return asdict(health) | {
        "id": "" if usual == health.id else str(health.id),
        "first_sample": number[0],
        "revision": number[1],
        "detail": "",
        "facts": facts.pack(health.detail),
    }


def _read_health(body: dict[str, Any]) -> Health:
    origin = Origin(**body["origin"])
    packed = body["facts"]
    detail = json.loads(body["detail"] if packed is None else facts.unpack(packed))
    if not isinstance(detail, dict):
        raise BadInputError("detail is not a JSON object")
    plain = {k: body[k] for k in ("content", "t0_ns", "seen", "processed", "lost", "raw_bytes")}
    return Health(
        id=RecordId.parse(body["id"])
        if body["id"]
        else RecordId(
            "health", origin.node, origin.stream_epoch, body["first_sample"], body["revision"]
        ),
        origin=origin,
        bundle=body["bundle"],
        detail=detail,
        **plain,
    )


def _read_label(body: dict[str, Any]) -> Label:
    fault = None if body["fault"] is None else Fault(body["fault"])
    return Label(**body | {"origin": Origin(**body["origin"]), "fault": fault})


_READERS: dict[str, Callable[[dict[str, Any]], Record]] = {
    "features": _read_features,
    "clip": _read_clip,
    "event": _read_event,
    "health": _read_health,
    "label": _read_label,
}
