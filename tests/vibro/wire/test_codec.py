"""Round trips of every kind, and how far rounding may go."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.vibro.wire.records import (
    FIXED,
    RECORDS,
    assert_same,
    block,
    blocks,
    fixed_sample,
    keys,
)
from vibro.errors import BadInputError
from vibro.features.table import FAST_NAMES
from vibro.wire import decode, encode
from vibro.wire.columns import pack, unpack

COLUMN_TYPES = ("int16", "int32", "int64", "float32", "float64")


@settings(deadline=None)
@given(RECORDS)
def test_what_is_encoded_is_decoded(record):
    assert_same(decode(encode(record)), record)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["mean", "max", "status", "sample"]).flatmap(blocks))
def test_blocks_of_any_content_are_lossless(record):
    """What is rounded is rounded by whoever knows how much it may be, before it comes here."""
    assert_same(decode(encode(record)), record)


@settings(deadline=None)
@given(st.sampled_from(COLUMN_TYPES).flatmap(lambda t: npst.arrays(t, st.integers(0, 600))))
def test_columns_are_lossless(values):
    (got,) = unpack([pack("x", values)])
    assert got.dtype == values.dtype
    assert got.tobytes() == values.tobytes()


@pytest.mark.parametrize("dtype", COLUMN_TYPES)
def test_columns_of_every_length_are_lossless(dtype):
    """A predictor needs the samples before, in every batch of the packer: clips end anywhere."""
    for rows in (*range(2600), 51_203, 262_145):
        values = (np.arange(rows) ** 2 % 101).astype(dtype)
        (got,) = unpack([pack("x", values)])
        assert got.tobytes() == values.tobytes(), rows


def test_packing_pays():
    t = np.arange(20000)
    tone = np.round(3000 * np.sin(0.05 * t)).astype(np.int16)
    assert len(pack("x", tone)["data"]) < 0.5 * tone.nbytes
    assert len(pack("x", t.astype(np.int64))["data"]) < 100


def test_other_types_cannot_be_packed():
    with pytest.raises(BadInputError, match="column 'x': dtype complex128"):
        pack("x", np.zeros(3, complex))


def test_names_of_the_known_table_are_not_sent():
    known = fixed_sample()
    unknown = dataclasses.replace(known, schema_hash="another")
    saved = len(encode(unknown)) - len(encode(known))
    assert saved > sum(len(n) for n in FAST_NAMES)
    assert tuple(decode(encode(known)).columns)[4:] == FAST_NAMES


def test_a_block_without_rows():
    empty = fixed_sample()
    empty = dataclasses.replace(empty, columns={k: v[:0] for k, v in empty.columns.items()})
    assert_same(decode(encode(empty)), empty)


def test_a_block_without_values():
    assert_same(decode(encode(block("status", "", "", keys(3)))), block("status", "", "", keys(3)))


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("channel", [0, 1, 2], "channel index is outside the 2"),
        ("channel", [0, -1, 0], "channel index is outside the 2"),
        ("state", [0, 1, 0], "state index is outside the 1"),
    ],
)
def test_an_index_outside_its_list_is_refused(column, values, said):
    columns = keys(3) | {column: np.array(values, np.int16)}
    with pytest.raises(BadInputError, match=said):
        decode(encode(block("status", "", "", columns)))


def test_ragged_clips_are_refused():
    clip = FIXED["clip"]
    with pytest.raises(BadInputError, match="clip: channels, scales and sample"):
        decode(encode(dataclasses.replace(clip, scale=clip.scale[:1])))


def test_acceleration_of_a_decoded_clip():
    clip = decode(encode(FIXED["clip"]))
    expected = FIXED["clip"].samples * np.array([[0.015], [0.03]])
    np.testing.assert_allclose(clip.acceleration(), expected, rtol=1e-6)
    assert clip.acceleration().dtype == np.float32
