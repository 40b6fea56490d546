"""Whatever bytes arrive: a record or one clear error, in bounded memory."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vibro.wire.records import FIXED
from vibro.errors import BadInputError
from vibro.records import Record
from vibro.wire import decode, encode
from vibro.wire.columns import MOST_BYTES, pack, unpack
from vibro.wire.framing import frame, unframe

VALUES = [encode(record) for record in FIXED.values()]
HEADS = [value[:10] for value in VALUES]


def decoded(value: bytes) -> Record | None:
    """The record, or None where one clear error was raised; anything else fails the test."""
    try:
        return decode(value)
    except BadInputError as error:
        said = str(error)
    assert said
    assert len(said) < 400
    return None


@given(st.binary(max_size=200))
def test_random_bytes(value):
    assert decoded(value) is None


@settings(deadline=None)
@given(st.sampled_from(HEADS), st.binary(max_size=400))
def test_random_bodies(head, value):
    decoded(head + value)


@pytest.mark.parametrize("value", VALUES, ids=FIXED)
def test_every_truncation_is_refused(value):
    for end in range(len(value)):
        assert decoded(value[:end]) is None, end


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(VALUES), st.data())
def test_flipped_bits(value, data):
    torn = bytearray(value)
    places = st.integers(0, 8 * len(value) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        torn[place // 8] ^= 1 << place % 8
    decoded(bytes(torn))


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(VALUES), st.data())
def test_pieces_put_together_wrongly(value, data):
    a, b = sorted(data.draw(st.tuples(*[st.integers(0, len(value))] * 2)))
    decoded(value[:a] + data.draw(st.binary(max_size=30)) + value[b:])
    decoded(value[:b] + value[a:])


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["raw", "zlib", "pco", "zip"]),
    st.sampled_from(["int16", "int64", "float32", "float64", "object"]),
    st.integers(-2, 300),
    st.data(),
)
def test_columns_that_lie(codec, dtype, rows, data):
    honest = data.draw(
        st.sampled_from([pack("x", np.arange(100, dtype=t)) for t in ("int16", "float64")])
    )
    content = data.draw(st.sampled_from([honest["data"], honest["data"][:-1]]) | st.binary())
    try:
        got = unpack([{"name": "x", "codec": codec, "dtype": dtype, "rows": rows, "data": content}])
    except BadInputError:
        return
    assert got[0].shape == (rows,)
    assert got[0].dtype == dtype


@pytest.mark.parametrize("codec", ["raw", "zlib", "pco"])
def test_huge_claims_cost_nothing(codec):
    """300 bytes that claim to unpack into gigabytes are refused before anything is allocated."""
    column = {"name": "x", "dtype": "float64", "rows": MOST_BYTES // 8 - 1, "codec": codec}
    kind, body = unframe(encode(FIXED["clip"]))
    value = frame(kind, body | {"samples": [column | {"data": b"\x00"}] * 2})
    tracemalloc.start()
    assert decoded(value) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_deflated_column_unpacks_no_further_than_it_declares():
    packed = {"name": "x", "dtype": "int16", "codec": "zlib", "rows": 10}
    zeros = zlib.compress(bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(BadInputError, match="longer than declared"):
        unpack([packed | {"data": zeros}])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000


@pytest.mark.prove
@pytest.mark.parametrize("value", VALUES, ids=FIXED)
def test_every_flipped_bit(value):
    for place in range(8 * len(value)):
        torn = bytearray(value)
        torn[place // 8] ^= 1 << place % 8
        decoded(bytes(torn))
