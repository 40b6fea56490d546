"""`encode` and `decode`: between the records of `vibro.records` and bytes on the wire."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from vibro.errors import BadInputError
from vibro.faults import Fault, Severity
from vibro.records import (
    Clip,
    Event,
    FeatureBlock,
    Health,
    Label,
    Origin,
    Record,
    RecordId,
    Spectrum,
)
from vibro.wire import blocks, facts, levels
from vibro.wire.columns import pack, unpack
from vibro.wire.framing import frame, unframe

_MOST_ERROR = 300
"""Characters of a malformed field that an error repeats."""


def encode(record: Record) -> bytes:
    """Serialise a record.

    Lossless: what may be rounded was rounded before, see `vibro.wire.precision`, and takes the
    fewer bytes for it. Only spectra are rounded here, see `vibro.wire.levels`.
    """
    if isinstance(record, FeatureBlock):
        return frame("features", blocks.body(record))
    if isinstance(record, Spectrum):
        return frame("spectrum", _spectrum(record))
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


def _spectrum(spectrum: Spectrum) -> dict[str, Any]:
    return {
        "id": str(spectrum.id),
        "origin": asdict(spectrum.origin),
        "channels": list(spectrum.channels),
        **{k: getattr(spectrum, k) for k in _PLAIN_SPECTRUM},
        **levels.write(spectrum.values),
    }


_PLAIN_SPECTRUM = ("reason", "t0_ns", "rate_hz", "rpm", "state", "averages", "step_hz")


def _read_spectrum(body: dict[str, Any]) -> Spectrum:
    return Spectrum(
        id=RecordId.parse(body["id"]),
        origin=Origin(**body["origin"]),
        channels=tuple(body["channels"]),
        values=levels.read(body, len(body["channels"])),
        **{k: body[k] for k in _PLAIN_SPECTRUM},
    )


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
        "request": clip.request,
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
        **{k: body[k] for k in _PLAIN_CLIP},
    )


_PLAIN_CLIP = ("reason", "event", "t0_ns", "rate_hz", "rpm", "state", "request")


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
    "features": blocks.block,
    "spectrum": _read_spectrum,
    "clip": _read_clip,
    "event": _read_event,
    "health": _read_health,
    "label": _read_label,
}
