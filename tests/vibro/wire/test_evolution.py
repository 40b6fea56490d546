"""How schemas may change: old writer with new reader, new writer with old reader.

The cloud is updated before the edges (BACKWARD), so a present reader reads whatever was released.
The reverse is what happens when somebody updates an edge first: a reader that does not know the
fingerprint refuses the value by name, which is what brings it to the dead letters, and reads it
once it is updated.
"""

from __future__ import annotations

import io

import fastavro
import pytest
from hypothesis import given

from tests.vibro.wire.records import FIXED, RECORDS, assert_same
from vibro.errors import BadInputError
from vibro.wire import decode, encode, framing
from vibro.wire.framing import RELEASED, frame, schemas, unframe

FINGERPRINTS = {
    "features": "fd396ed73d160d84",
    "spectrum": "fff7c4fce6435e6e",
    "event": "e54c55023f06c3b1",
    "clip": "f38703f1c80d47c8",
    "health": "f58c223c4b5cab99",
    "label": "b186367c51ce45f9",
    "features-1": "e2f3d895fd3864c2",
    "health-1": "58954498307d93ce",
    "clip-1": "a38b4a0e7751601a",
}
PAIRS = sorted(RELEASED.items())
KIND_OF = {"features": "features_sample"}


def fields_of(schema) -> dict[str, dict]:
    return {f["name"]: f for f in schema["fields"]}


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_what_was_added_has_a_default(old, new):
    """Avro's rule for BACKWARD: fields that the writer did not know need one."""
    before, after = fields_of(schemas()[old]), fields_of(schemas()[new])
    assert after.keys() > before.keys(), "a new schema that adds nothing is none"
    assert all("default" in after[name] for name in after.keys() - before.keys())


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_nothing_was_taken_away_or_narrowed(old, new):
    """A released field keeps its place in the order and a type that holds what it held."""
    before, after = schemas()[old]["fields"], schemas()[new]["fields"]
    assert [f["name"] for f in after][: len(before)] == [f["name"] for f in before]
    for was, now in zip(before, after, strict=False):
        widened = isinstance(now["type"], list) and not isinstance(was["type"], list)
        names = now["type"] if widened else [now["type"]]
        assert _name(was["type"]) in [_name(t) for t in names]


def _name(kind) -> str:
    return str(kind["name"] if isinstance(kind, dict) and "name" in kind else kind)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_origin_stands_where_it_is_renumbered(old, new):
    """A record is renumbered in its bytes: only texts may stand before the origin."""
    for name in (old, new):
        fields = schemas()[name]["fields"]
        at = [f["name"] for f in fields].index("origin")
        assert all(f["type"] == "string" for f in fields[:at])


@pytest.mark.parametrize(("old", "new"), [p for p in PAIRS if p[1] != "features"])
def test_an_old_edge_is_read_by_a_new_cloud(old, new):
    """A block's first schema packed each column by itself: test_golden.py has its bytes."""
    kind = KIND_OF.get(new, new)
    body = unframe(encode(FIXED[kind]))[1]
    if new == "health":
        body |= {"id": str(FIXED[kind].id), "detail": '{"lag_s": 0.25}'}
    known = fields_of(schemas()[old])
    value = frame(old, {k: v for k, v in body.items() if k in known})
    read = decode(value)
    assert read.origin == FIXED[kind].origin
    assert read.id == FIXED[kind].id


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_new_edge_is_refused_by_name_by_an_old_cloud(old, new, monkeypatch):
    """And read, bit for bit, as soon as the cloud is updated: dead letters are replayed."""
    kind = KIND_OF.get(new, new)
    value = encode(FIXED[kind])
    known = {k: v for k, v in framing._writers().items() if v != new}
    with monkeypatch.context() as older:
        older.setattr(framing, "_writers", lambda: known)
        with pytest.raises(BadInputError, match=f"fingerprint {value[2:10].hex()} is not known"):
            decode(value)
    assert_same(decode(value), FIXED[kind])


@given(RECORDS)
def test_an_old_reader_that_is_told_the_schema_reads_what_it_knew(record):
    """Avro's resolution the other way: what a registry of schemas would give an old reader."""
    value = encode(record)
    writer = framing.known_kind(value)
    for old in (o for o, n in PAIRS if n == writer and o != "features-1"):
        body = fastavro.schemaless_reader(io.BytesIO(value[10:]), schemas()[writer], schemas()[old])
        assert body.keys() == fields_of(schemas()[old]).keys()
        assert body["origin"]["sequence"] == record.origin.sequence


def test_released_schemas_never_change():
    """Whoever changes one by a letter gives its bytes another name: nobody reads them again."""
    assert {k: p.hex() for k, p in framing._prints().items()} == FINGERPRINTS
