"""Bytes that were once released are read for ever.

``golden.json`` holds one record of every kind in hexadecimal. To renew it, which is right only as
long as no release has written such bytes: ``VIBRO_GOLDEN=write pytest tests/vibro/wire``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.vibro.wire.records import FIXED, assert_same
from vibro.wire import decode, encode

GOLDEN = Path(__file__).with_name("golden.json")
UNPACKED = ("event", "health", "label")
"""Kinds without packed columns: their bytes depend on no library's idea of compression."""


@pytest.fixture(scope="module")
def golden():
    if os.environ.get("VIBRO_GOLDEN") == "write":
        content = {kind: encode(record).hex() for kind, record in FIXED.items()}
        GOLDEN.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return {k: bytes.fromhex(v) for k, v in json.loads(GOLDEN.read_text("utf-8")).items()}


def test_every_fixed_record_is_golden(golden):
    assert golden.keys() == FIXED.keys()


@pytest.mark.parametrize("kind", FIXED)
def test_golden_bytes_are_read(kind, golden):
    assert_same(decode(golden[kind]), FIXED[kind])


@pytest.mark.parametrize("kind", UNPACKED)
def test_the_same_bytes_are_written(kind, golden):
    assert encode(FIXED[kind]) == golden[kind]


def test_all_codecs_of_columns_are_golden(golden):
    everything = b"".join(golden.values())
    assert all(codec in everything for codec in (b"\x06raw", b"\x06pco", b"\x08zlib"))
