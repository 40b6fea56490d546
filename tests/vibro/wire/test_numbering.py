"""Numbering a record that is already encoded is the same as encoding it with that number."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vibro.wire.records import FIXED
from vibro.errors import BadInputError
from vibro.wire import encode, renumber

NUMBERS = st.one_of(st.integers(0, 2**63 - 1), st.integers(0, 200))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(FIXED)),
    st.text(max_size=200),
    st.tuples(st.text(max_size=80), NUMBERS),
    st.tuples(st.sampled_from(["live", "backfill"]), NUMBERS),
)
def test_numbering_bytes_is_numbering_the_record(kind, node, before, after):
    """Whatever stands before the lane, and however long texts and numbers are."""

    def numbered(lane: str, sequence: int):
        origin = replace(FIXED[kind].origin, node=node, lane=lane, sequence=sequence)
        return encode(replace(FIXED[kind], origin=origin))

    assert renumber(numbered(*before), *after) == numbered(*after)


@pytest.mark.parametrize("kind", sorted(FIXED))
@pytest.mark.parametrize("cut", [0, 5, 9, 10, 11, 20, 40])
def test_bytes_that_end_too_early_are_refused(kind, cut):
    with pytest.raises(BadInputError, match=r"not one whole record|is missing|is not known"):
        renumber(encode(FIXED[kind])[:cut], "live", 1)
