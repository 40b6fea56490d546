"""Blocks of windows: closed on the UTC grid, of one state, the same after any restart."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibro.decide import BlockLevels

NS = 10**9
NAN = float("nan")


def told(blocks, steps):
    """Blocks closed by windows given as (second, state, levels)."""
    found = [blocks.window(t * NS, state, np.array(x)) for t, state, x in steps]
    return [b for b in found if b is not None]


def test_a_block_is_the_mean_of_its_windows_by_channel():
    steps = [(0, "on", [1.0, NAN]), (3, "on", [3.0, 5.0]), (9, "on", [5.0, NAN])]
    (block,) = told(BlockLevels("fast", 10 * NS), [*steps, (10, "on", [99.0, 99.0])])
    assert (block.path, block.state) == ("fast", "on")
    np.testing.assert_array_equal(block.level, [3.0, 5.0])
    np.testing.assert_array_equal(block.count, [3, 1])


def test_a_channel_without_levels_has_none():
    steps = [(0, "on", [NAN]), (10, "on", [1.0])]
    (block,) = told(BlockLevels("fast", 10 * NS), steps)
    assert np.isnan(block.level).all()
    assert block.count.tolist() == [0]


@pytest.mark.parametrize("states", [("on", "off", "on"), ("off", "on", "on")])
def test_a_block_of_two_states_is_given_up(states):
    steps = [(t, s, [1.0]) for t, s in zip((0, 3, 6), states, strict=True)]
    assert told(BlockLevels("fast", 10 * NS), [*steps, (10, "on", [1.0])]) == []


def test_what_was_forgotten_is_in_no_block():
    blocks = BlockLevels("fast", 10 * NS)
    told(blocks, [(0, "on", [50.0])])
    blocks.forget()
    (block,) = told(blocks, [(5, "on", [1.0]), (10, "on", [9.0])])
    assert block.level.tolist() == [1.0]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["on", "on", "off"]), st.floats(-5, 5))),
    st.integers(0, 20),
)
def test_a_restart_at_any_window_changes_nothing(steps, cut):
    times = np.cumsum([0, *(s[0] for s in steps)])[:-1]
    windows = [(int(t), s, [x]) for t, (_, s, x) in zip(times, steps, strict=True)]
    whole = told(BlockLevels("long", 10 * NS), windows)
    first, second = BlockLevels("long", 10 * NS), BlockLevels("long", 10 * NS)
    parts = told(first, windows[:cut])
    second.restore(json.loads(json.dumps(first.snapshot())))
    parts += told(second, windows[cut:])
    assert [(b.state, b.level.tolist(), b.count.tolist()) for b in parts] == [
        (b.state, b.level.tolist(), b.count.tolist()) for b in whole
    ]
