"""Bytes that were once released are read for ever.

``golden.json`` holds one record of every kind in hexadecimal, as the first schemas wrote it, and
``golden-2.json`` those of the kinds that have a second schema. To renew the newest, which is right
only as long as no release has written such bytes: ``VIBRO_GOLDEN=write pytest tests/vibro/wire``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.vibro.wire.records import FIXED, assert_same
from vibro.wire import decode, encode

FIRST, SECOND = (Path(__file__).with_name(f"golden{n}.json") for n in ("", "-2"))
AGAIN = ("features_sample", "features_status", "clip", "health")
"""Records of the kinds that have a second schema."""
UNPACKED = ("event", "label")
"""Kinds without packed columns: their bytes depend on no library's idea of compression."""


def held(path: Path) -> dict[str, bytes]:
    return {k: bytes.fromhex(v) for k, v in json.loads(path.read_text("utf-8")).items()}


@pytest.fixture(scope="module")
def golden():
    return held(FIRST)


@pytest.fixture(scope="module")
def second():
    if os.environ.get("VIBRO_GOLDEN") == "write":
        content = {kind: encode(FIXED[kind]).hex() for kind in AGAIN}
        SECOND.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return held(SECOND)


def test_every_fixed_record_is_golden(golden, second):
    assert golden.keys() == FIXED.keys()
    assert second.keys() == set(AGAIN)


@pytest.mark.parametrize("kind", FIXED)
def test_golden_bytes_are_read(kind, golden):
    assert_same(decode(golden[kind]), FIXED[kind])


@pytest.mark.parametrize("kind", AGAIN)
def test_golden_bytes_of_the_second_schema_are_read(kind, golden, second):
    assert second[kind][:10] != golden[kind][:10]
    assert_same(decode(second[kind]), FIXED[kind])


def test_levels_of_a_spectrum_are_written_the_same(golden):
    assert encode(FIXED["spectrum"]) == golden["spectrum"]


@pytest.mark.parametrize("kind", ["features_sample", "features_status"])
def test_cells_are_written_the_same(kind, second):
    """They are our own work to the last bit: no library decides."""
    assert encode(FIXED[kind]) == second[kind]


@pytest.mark.parametrize("kind", UNPACKED)
def test_the_same_bytes_are_written(kind, golden):
    assert encode(FIXED[kind]) == golden[kind]


def test_all_codecs_of_columns_are_golden(golden):
    everything = b"".join(golden.values())
    assert all(codec in everything for codec in (b"\x06raw", b"\x06pco", b"\x08zlib"))
