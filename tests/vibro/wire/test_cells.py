"""Cells of feature blocks: lossless, short, and Rice codes as their definition has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.vibro.wire.records import FIXED, block, fixed_sample
from vibro.errors import BadInputError
from vibro.wire import cell_reader, cell_writer, decode, encode, rice
from vibro.wire.precision import round_step

RESIDUALS = npst.arrays(np.int64, st.integers(0, 30), elements=st.integers(-(2**54), 2**54))


def plain_rice(columns, parameters) -> str:
    """Bits by the definition, one value at a time."""
    folded = [[2 * v if v >= 0 else -2 * v - 1 for v in c.tolist()] for c in columns]
    unary = ["0" * (u >> k) + "1" for c, k in zip(folded, parameters, strict=True) for u in c]
    rest = [
        format(u & ((1 << k) - 1), f"0{k}b") if k else ""
        for c, k in zip(folded, parameters, strict=True)
        for u in c
    ]
    return "".join([*unary, *rest])


@settings(deadline=None)
@given(st.lists(RESIDUALS, max_size=5))
def test_rice_codes_are_lossless(columns):
    parameters = [rice.best_parameter(c)[0] for c in columns]
    data = rice.write(columns, parameters)
    got = rice.read(data, [c.size for c in columns], parameters)
    for a, b in zip(got, columns, strict=True):
        np.testing.assert_array_equal(a, b)


@given(st.lists(npst.arrays(np.int64, 9, elements=st.integers(-99, 99)), max_size=3))
def test_rice_codes_are_those_of_the_definition(columns):
    parameters = [3] * len(columns)
    bits = plain_rice(columns, parameters)
    data = rice.write(columns, parameters)
    assert "".join(format(b, "08b") for b in data)[: len(bits)] == bits
    assert len(data) == -(-len(bits) // 8)


@pytest.mark.parametrize("spread", [0.3, 1.0, 4.0, 30.0, 4000.0])
def test_the_parameter_is_within_a_per_cent_of_the_best(spread):
    values = np.rint(spread * np.random.default_rng(3).standard_normal(500)).astype(np.int64)
    most = [len(plain_rice([values], [k])) for k in range(16)]
    k, bits = rice.best_parameter(values)
    assert bits == most[k] <= 1.01 * min(most)


def test_bell_shaped_residuals_take_little_more_than_their_entropy():
    values = np.rint(5.0 * np.random.default_rng(4).standard_normal(4000)).astype(np.int64)
    _, counts = np.unique(values, return_counts=True)
    share = counts / values.size
    entropy = -(share * np.log2(share)).sum()
    assert rice.best_parameter(values)[1] / values.size < entropy + 0.25


@pytest.mark.parametrize(
    ("data", "lengths", "parameters"),
    [(b"", [1], [0]), (b"\x00", [1], [0]), (b"\x80\x00", [1], [0]), (b"\xff", [1], [9])],
)
def test_torn_residuals_are_refused(data, lengths, parameters):
    with pytest.raises(BadInputError):
        rice.read(data, lengths, parameters)


@st.composite
def keyed(draw):
    """Keys as a node makes them and as it never would, and columns of any floats."""
    channels, each = draw(st.integers(1, 4)), draw(st.integers(1, 30))
    rows = channels * each
    channel = np.repeat(np.arange(channels), each)
    if draw(st.booleans()):
        channel = draw(st.permutations(channel.tolist()))
    first = np.tile(
        2048 * np.cumsum(draw(npst.arrays(np.int64, each, elements=st.integers(0, 9999)))), channels
    )
    jitter = draw(npst.arrays(np.int64, rows, elements=st.integers(-2, 2)))
    time = 1_700_000_000_000_000_000 + first * 1_000_000_000 // 25_600 + jitter
    state = draw(npst.arrays(np.int16, rows, elements=st.integers(0, 3)))
    keys = dict(
        zip(
            ("channel", "first_sample", "t0_ns", "state"),
            (np.array(channel, np.int16), first, time, state),
            strict=True,
        )
    )
    columns = draw(st.integers(0, 4))
    values = draw(npst.arrays(np.float32, (columns, rows)))
    if draw(st.booleans()):
        values = round_step(values, draw(st.integers(-20, 20)))
    return keys, values


@settings(deadline=None, max_examples=150)
@given(keyed())
def test_cells_are_lossless(found):
    keys, values = found
    data = cell_writer.write(keys, values)
    got, same = cell_reader.read(data, list(keys), *values.shape)
    assert same.tobytes() == values.tobytes()
    for a, b in zip(got, keys.values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_column_that_does_not_change_costs_next_to_nothing():
    keys = {
        k: v
        for k, v in fixed_sample().columns.items()
        if k in ("channel", "first_sample", "t0_ns", "state")
    }
    sizes = [len(cell_writer.write(keys, np.full((n, 3), 0.25, np.float32))) for n in (0, 100)]
    assert sizes[1] - sizes[0] <= 5 * 100


def test_rounded_columns_take_the_bits_that_are_left_of_them():
    rng = np.random.default_rng(6)
    rows = 144
    keys = {
        "channel": np.repeat(np.arange(2, dtype=np.int16), rows // 2),
        "first_sample": np.tile(7_680_000 * np.arange(rows // 2), 2),
        "t0_ns": np.tile(300_000_000_000 * np.arange(rows // 2), 2),
        "state": np.zeros(rows, np.int16),
    }
    values = rng.standard_normal((30, rows)).astype(np.float32)
    exact, told = (len(cell_writer.write(keys, v)) for v in (values, round_step(values, -3)))
    # A standard deviation of 8 steps: log2(8 sqrt(2 pi e)) = 5.05 bits a value.
    assert exact > 22 / 8 * values.size
    # And the code's own loss, and the head of each column.
    assert told < (5.05 + 0.25) / 8 * values.size + 6 * len(values)


def test_keys_that_lie_too_far_apart_are_packed_as_plain_columns():
    far = FIXED["features_status"].columns | {"seen": np.arange(400) * 2**47}
    record = block("status", "", "", far)
    got = decode(encode(record))
    np.testing.assert_array_equal(got.columns["seen"], far["seen"])
    assert b"\x08seen\x0aint64" in encode(record)
