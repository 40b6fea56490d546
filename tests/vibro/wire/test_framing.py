"""The frame against the Avro specification, read by hand."""

from __future__ import annotations

import json
import struct
from importlib.resources import files
from pathlib import Path

import pytest

from tests.vibro.wire.records import FIXED
from vibro.errors import BadInputError
from vibro.wire import decode, encode
from vibro.wire.facts import MOST_BYTES, pack
from vibro.wire.framing import frame, unframe

MASK = 2**64 - 1
KINDS = ("event", "clip", "health", "label")


def crc64_avro(data: bytes) -> bytes:
    """Rabin fingerprint of the Avro specification, bit by bit, little endian."""
    empty = 0xC15D213AA4D7A795
    print_ = empty
    for byte in data:
        bits = (print_ ^ byte) & 0xFF
        for _ in range(8):
            bits = (bits >> 1) ^ (empty if bits & 1 else 0)
        print_ = (print_ >> 8) ^ (bits & MASK)
    return struct.pack("<Q", print_)


def canonical(schema, seen: set[str]) -> str:
    """Parsing canonical form: full names, known attributes only, in the specified order."""
    if isinstance(schema, str):
        if "." not in schema or schema in seen:
            return json.dumps(schema)
        name = schema.rsplit(".", 1)[1].lower()
        text = files("vibro.schemas").joinpath(f"{name}.avsc").read_text("utf-8")
        return canonical(json.loads(text), seen)
    if isinstance(schema, list):
        return "[" + ",".join(canonical(s, seen) for s in schema) + "]"
    if schema["type"] == "array":
        return '{"type":"array","items":' + canonical(schema["items"], seen) + "}"
    name = f"vibro.v1.{schema['name']}"
    seen.add(name)
    fields = ",".join(
        '{"name":"%s","type":%s}' % (f["name"], canonical(f["type"], seen))  # noqa: UP031
        for f in schema["fields"]
    )
    return '{"name":"%s","type":"record","fields":[%s]}' % (name, fields)  # noqa: UP031


def schema_of(kind: str):
    return json.loads(files("vibro.schemas").joinpath(f"{kind}.avsc").read_text("utf-8"))


@pytest.mark.parametrize("kind", [*KINDS, "features"])
def test_marker_and_fingerprint(kind):
    value = encode(FIXED["features_sample" if kind == "features" else kind])
    assert value[:2] == b"\xc3\x01"
    assert value[2:10] == crc64_avro(canonical(schema_of(kind), set()).encode())


class Reader:
    """Avro's binary encoding of what a label holds."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def long(self) -> int:
        number = shift = 0
        while True:
            byte, self.data = self.data[0], self.data[1:]
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)

    def text(self) -> str:
        n = self.long()
        word, self.data = self.data[:n], self.data[n:]
        return word.decode()


def test_a_label_read_by_hand():
    label, reader = FIXED["label"], Reader(encode(FIXED["label"])[10:])
    origin = label.origin
    assert reader.text() == label.id
    assert [reader.text() for _ in range(4)] == [
        origin.node,
        origin.site,
        origin.machine,
        origin.lane,
    ]
    assert [reader.long(), reader.long()] == [origin.sequence, origin.stream_epoch]
    assert reader.text() == label.subject
    assert reader.long() == 1
    assert reader.text() == label.fault
    assert reader.text() == label.author
    assert reader.long() == label.t0_ns
    assert reader.text() == label.note
    assert reader.data == b""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "marker C3 01 is missing"),
        (b"{}", "marker C3 01 is missing"),
        (b"\xc3\x01" + bytes(8), "fingerprint 0000000000000000 is not known"),
        (b"\xc3\x01\x02", "fingerprint 02 is not known"),
    ],
)
def test_foreign_bytes_are_named(value, said):
    with pytest.raises(BadInputError, match=said):
        decode(value)


def test_bytes_after_the_end_are_refused():
    with pytest.raises(BadInputError, match="label: bytes follow the end"):
        decode(encode(FIXED["label"]) + b"\x00")


def body(kind: str, **changes) -> bytes:
    """A well-framed record with fields that its schema allows and its meaning does not."""
    name, content = unframe(encode(FIXED[kind]))
    return frame(name, {**content, **changes})


GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text("utf-8"))
PACKED = unframe(bytes.fromhex(GOLDEN["features_sample"]))[1]
"""A block as the first schema packed it, which the present one still says."""
KEY_COLUMNS = PACKED["keys"]


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("event", {"severity": 9}, "event: a field is malformed .*9"),
        ("event", {"id": "event:x"}, "event: record id 'event:x' is not kind:source"),
        ("event", {"sensor_fault": "gremlins"}, "event: a field is malformed .*gremlins"),
        ("label", {"fault": "gremlins"}, "label: a field is malformed"),
        ("health", {"facts": None, "detail": "[]"}, "health: detail is not a JSON object"),
        ("health", {"facts": None, "detail": "{"}, "health: a field is malformed"),
        ("health", {"facts": None, "detail": "[" * 100_000}, "health: a field is malformed"),
        ("health", {"facts": pack([])}, "health: detail is not a JSON object"),
        ("health", {"facts": pack({"a": 1})[:-1]}, "health: detail is torn or too long"),
        ("health", {"facts": pack({"a": "a" * MOST_BYTES})}, "health: detail is torn or too long"),
        ("health", {"facts": b"\xff" * 9}, "health: detail: "),
        ("clip", {"channels": []}, "clip: channels, scales and sample columns"),
        ("clip", {"channels": [], "scale": [], "samples": []}, "clip: channels, scales"),
        ("features_sample", PACKED | {"keys": []}, "features: key columns are not"),
        ("features_sample", PACKED | {"keys": [KEY_COLUMNS[0]] * 5}, "two columns have one name"),
        ("features_sample", PACKED | {"schema_hash": "?"}, "do not fill 0 columns of 3 rows"),
        ("features_sample", PACKED | {"values": None}, "holds neither cells nor values"),
        ("features_sample", {"schema_hash": "?"}, "columns are not of the number declared"),
        ("features_sample", {"rows": -3}, "declares -3 rows"),
        ("features_sample", {"rows": 2**31 - 1}, "declares 2147483647 rows"),
        ("features_sample", {"rows": 0}, "declares 0 rows"),
        ("features_sample", {"rows": 5}, "columns are not of the number declared"),
        ("features_sample", {"cells": b""}, "features: a field is malformed"),
        ("features_sample", {"counts": ["state"]}, "features: two columns have one name"),
        ("features_sample", {"names": ["a", "a"]}, "features: two columns have one name"),
        ("features_sample", {"names": ["t0_ns"]}, "features: two columns have one name"),
    ],
)
def test_what_the_schema_allows_and_the_meaning_does_not(kind, changes, said):
    with pytest.raises(BadInputError, match=said):
        decode(body(kind, **changes))


def test_an_error_does_not_repeat_a_long_field():
    with pytest.raises(BadInputError) as caught:
        decode(body("event", id="x" * 100_000))
    assert len(str(caught.value)) < 400
