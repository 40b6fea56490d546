"""Avro single-object framing: marker C3 01, CRC-64-AVRO fingerprint of the schema, body.

Source: Apache Avro 1.11 specification, "Single-object encoding".
"""

from __future__ import annotations

import functools
import io
import json
from importlib.resources import files
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from vibro.errors import BadInputError

MARKER = b"\xc3\x01"
KINDS = ("features", "spectrum", "event", "clip", "health", "label")
RELEASED = {"features-1": "features", "health-1": "health", "clip-1": "clip"}
"""Older schemas, whose bytes are read for ever, by the kind whose present schema reads them."""


@functools.cache
def schemas() -> dict[str, Any]:
    """Parsed Avro schema of every kind, and of every older version of one."""
    shared = {f"vibro.v1.{name.capitalize()}": _load(name) for name in ("origin", "column")}
    return {
        name: fastavro.parse_schema(_inline(_load(name), dict(shared)), named_schemas={})
        for name in (*KINDS, *RELEASED)
    }


def _load(name: str) -> Any:
    path = files("vibro.schemas").joinpath(f"{name}.avsc")
    return json.loads(path.read_text(encoding="utf-8"))


def _inline(schema: Any, shared: dict[str, Any]) -> Any:
    """Put each shared record where it is first named; later uses stay names, as Avro wants it."""
    if isinstance(schema, str) and schema in shared:
        return _inline(shared.pop(schema), shared)
    if isinstance(schema, dict):
        return {key: _inline(value, shared) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inline(value, shared) for value in schema]
    return schema


@functools.cache
def _prints() -> dict[str, bytes]:
    return {
        kind: bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
        for kind, schema in schemas().items()
    }


@functools.cache
def _writers() -> dict[bytes, str]:
    """Names of schemas by fingerprint."""
    return {value: name for name, value in _prints().items()}


def frame(kind: str, body: dict[str, Any]) -> bytes:
    """Serialise a body under its schema, with marker and fingerprint."""
    out = io.BytesIO()
    out.write(MARKER + _prints()[kind])
    fastavro.schemaless_writer(out, schemas()[kind], body)
    return out.getvalue()


def known_kind(value: bytes) -> str:
    """Name of the schema that wrote a framed value.

    Raises
    ------
    BadInputError
        If the marker is missing or the schema is not known.
    """
    if value[:2] != MARKER:
        raise BadInputError("value is not an Avro single object (marker C3 01 is missing)")
    writer = _writers().get(value[2:10])
    if writer is None:
        raise BadInputError(f"schema fingerprint {value[2:10].hex()} is not known")
    return writer


def unframe(value: bytes) -> tuple[str, dict[str, Any]]:
    """Kind and body of a framed value, in the kind's present schema, whichever wrote it.

    Raises
    ------
    BadInputError
        If the marker is missing, the schema is not known, or the body is not whole.
    """
    writer = known_kind(value)
    kind = RELEASED.get(writer, writer)
    reader = schemas()[kind] if kind != writer else None
    stream = io.BytesIO(value[10:])
    try:
        body = fastavro.schemaless_reader(stream, schemas()[writer], reader)
    except Exception as error:  # A codec may fail in any way on malformed bytes.
        raise BadInputError(f"{kind}: body is malformed ({type(error).__name__})") from None
    if stream.read(1):
        raise BadInputError(f"{kind}: bytes follow the end of the body")
    if not isinstance(body, dict):
        raise BadInputError(f"{kind}: body is not a record")
    return kind, body
