"""Line protocol: what is written is what is read, by a reader that shares nothing with it."""

from __future__ import annotations

import math
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_jobs.timeseries.lines import batches, columns, count, line, series
from tests.cloud_jobs.timeseries.protocol import parse

PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20)
NAMES = st.text(string.ascii_lowercase + "_, =", min_size=1, max_size=12)
VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.booleans(),
    PRINTABLE,
    st.none(),
)


def kept(value) -> bool:
    return value is not None and (not isinstance(value, float) or math.isfinite(value))


@given(
    st.dictionaries(NAMES, PRINTABLE, max_size=4),
    st.dictionaries(NAMES, VALUES, max_size=6),
    st.integers(0, 2**62),
)
def test_a_point_reads_as_it_was_written(tags, fields, t_ns):
    points = parse(line(series("status", tags), fields, t_ns))
    told = {k: v for k, v in fields.items() if kept(v)}
    if not told:
        assert points == []
        return
    (point,) = points
    assert point.measurement == "status"
    assert point.tags == {k: v.replace("\\", "/") for k, v in tags.items() if v}
    assert point.fields == told
    assert [type(v) for v in point.fields.values()] == [type(v) for v in told.values()]
    assert point.t_ns == t_ns


def test_a_text_never_breaks_a_line():
    (point,) = parse(line(series("case", {"site": "a\nb"}), {"note": 'two\nlines "quoted" \\'}, 1))
    assert point.fields == {"note": 'two lines "quoted" \\'}
    assert point.tags == {"site": "a b"}


def test_tags_stand_in_the_order_of_their_names():
    text = line(series("status", {"state": "run", "channel": "c", "site": "s"}), {"x": 1.0}, 5)
    assert text == b"status,channel=c,site=s,state=run x=1.0 5\n"


def test_an_integer_that_the_server_cannot_hold_is_left_out():
    assert line("status", {"x": 2**63}, 0) == b""
    assert line("status", {"x": 2**63 - 1}, 0) == b"status x=9223372036854775807i 0\n"


@given(
    st.lists(st.floats(width=32), min_size=1, max_size=30),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=30, max_size=30),
)
def test_columns_are_the_same_points_as_single_lines(floats, whole):
    n = len(floats)
    values, counts = np.array(floats, np.float32), np.array(whole[:n], np.int64)
    starts = [series("m", {"channel": c}) for c in ("de-h", "a b")]
    which, t_ns = np.arange(n) % 2, 10**18 + np.arange(n)
    fields = {"mean, rms": values, "seen": counts, "absent": None}
    parsed = parse(columns(starts, which, fields, t_ns))
    single = b"".join(
        line(starts[i % 2], {"mean, rms": float(values[i]), "seen": int(counts[i])}, int(t_ns[i]))
        for i in range(n)
    )
    assert parsed == parse(single)


def test_rows_of_nothing_measured_are_no_lines():
    nothing = np.array([np.nan, 1.5, np.inf, np.nan], np.float32)
    text = columns(["m"], np.zeros(4, int), {"x": nothing, "y": nothing[::-1].copy()}, np.arange(4))
    assert text == b"m x=1.5 1\nm y=1.5 2\n"
    assert (
        columns(["m"], np.zeros(4, int), {"x": np.full(4, np.nan, np.float32)}, np.arange(4)) == b""
    )
    assert columns([], np.zeros(0, int), {"x": np.zeros(0)}, np.zeros(0, np.int64)) == b""


def test_a_number_is_written_exactly():
    """As a double it has the bits of the float32, so that the server packs it well."""
    x = np.array([0.1, 1e-30, 3.4e38, 1e-45, -0.0, 16777217.0], np.float32)
    fields = [
        p.fields["x"] for p in parse(columns(["m"], np.zeros(6, int), {"x": x}, np.arange(6)))
    ]
    assert fields == x.astype(float).tolist()


@pytest.mark.parametrize("most", [1, 3, 7, 10, 11])
def test_lines_are_parted_without_losing_any(most):
    lines = b"".join(b"m x=%di %d\n" % (i, i) for i in range(10))
    parts = list(batches(lines, most))
    assert b"".join(parts) == lines
    assert [count(p) for p in parts[:-1]] == [most] * (len(parts) - 1)
    assert 0 < count(parts[-1]) <= most
    assert list(batches(b"", most)) == []
