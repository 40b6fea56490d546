"""A node killed at any moment and started again yields what it would have yielded."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.spool import sqlite
from edge_node.spool.ladder import Ladder
from tests.edge_node.plants import (
    RATE,
    T0,
    ArraySource,
    S,
    eventful,
    node_of,
    of,
    records,
    run,
    spool_of,
    trained,
    without_luck,
)
from tests.vibro.wire.records import assert_same
from vibro.records import Clip, Event, Health

pytestmark = pytest.mark.slow_nojit
COUNTS, RPM = eventful()
STEPS = 72


def start(folder, **more):
    return node_of(folder, ArraySource(COUNTS, RPM), trained(), **more)


def kill(node) -> None:
    """Nothing is committed, nothing said: the process is gone, its file stays."""
    node.spool.close()


def finished(node) -> list:
    run(node)
    found = [without_luck(r) for r in records(node.spool)]
    kill(node)
    return found


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return finished(start(tmp_path_factory.mktemp("whole")))


def assert_same_records(found, expected) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert_same(a, b)


def test_the_whole_story_is_worth_repeating(uninterrupted):
    """What the kills below must not touch: events of both channels, clips, every kind of row."""
    assert len([r for r in uninterrupted if isinstance(r, Event)]) >= 5
    assert len([r for r in uninterrupted if isinstance(r, Clip)]) == 6
    assert {r.content for r in uninterrupted if hasattr(r, "columns")} == {
        "status",
        "mean",
        "max",
        "sample",
    }


@pytest.mark.parametrize("at", [0, 1, 2, 3, 5, 7, *range(10, STEPS, 16), STEPS - 1, STEPS])
def test_a_kill_after_any_step(tmp_path, uninterrupted, at):
    node = start(tmp_path)
    for _ in range(at):
        node.step()
    kill(node)
    assert_same_records(finished(start(tmp_path)), uninterrupted)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(12, 40), min_size=2, max_size=6))
def test_kills_again_and_again(tmp_path_factory, uninterrupted, lives):
    folder = tmp_path_factory.mktemp("lives")
    for steps in lives:
        node = start(folder)
        for _ in range(steps):
            node.step()
        kill(node)
    assert_same_records(finished(start(folder)), uninterrupted)


class PowerCut(BaseException):
    """Not an Exception: no handler may swallow it."""


@pytest.mark.parametrize("call", [0, 3, 30])
@pytest.mark.parametrize("what", ["append", "drop_older"])
def test_a_kill_in_the_middle_of_a_commit(tmp_path, monkeypatch, uninterrupted, what, call):
    """Before a record is appended, or after all of them and the checkpoint."""
    left = SimpleNamespace(calls=call if what == "append" else call // 6)
    where = sqlite if what == "append" else Ladder
    whole = getattr(where, what)

    def torn(*args):
        left.calls -= 1
        if left.calls < 0:
            raise PowerCut
        return whole(*args)

    node = start(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(where, what, torn)
        with pytest.raises(PowerCut):
            run(node)
    kill(node)
    assert_same_records(finished(start(tmp_path)), uninterrupted)


@pytest.mark.parametrize("call", [1, 30, 77, 140])
def test_a_kill_in_the_middle_of_a_step(tmp_path, uninterrupted, call):
    left = SimpleNamespace(calls=call)

    def clock() -> float:
        left.calls -= 1
        if left.calls < 0:
            raise PowerCut
        return 0.0

    node = start(tmp_path, monotonic=clock)
    with pytest.raises(PowerCut):
        run(node)
    kill(node)
    assert_same_records(finished(start(tmp_path)), uninterrupted)


def test_what_was_shipped_before_the_kill_is_not_sent_again(tmp_path, uninterrupted):
    shipped: list = []
    for steps in (20, 31, 40, 0):
        node = start(tmp_path)
        for _ in range(steps):
            node.step()
        if not steps:
            run(node)
        shipped += [without_luck(r) for r in records(node.spool)]
        node.spool.acknowledge([r.id for r in node.spool.peek(2**62)])
        kill(node)
    key = {"Event": 0, "Clip": 1, "Health": 2, "FeatureBlock": 3}
    shipped.sort(key=lambda r: (key[type(r).__name__], r.origin.sequence))
    expected = sorted(uninterrupted, key=lambda r: (key[type(r).__name__], r.origin.sequence))
    assert_same_records(shipped, expected)


def test_a_finished_node_that_is_started_again_says_nothing_new(tmp_path, uninterrupted):
    finished(start(tmp_path))
    assert_same_records(finished(start(tmp_path)), uninterrupted)


def test_samples_are_counted_once_though_they_are_read_again(tmp_path):
    node = start(tmp_path)
    for _ in range(31):
        node.step()
    kill(node)
    node = start(tmp_path)
    assert node.source.next_sample < 31 * RATE // 2
    run(node)
    last = of(Health, node.spool)[-1]
    assert last.seen == last.processed == COUNTS.size
    assert last.raw_bytes == 2 * COUNTS.size


def test_a_bundle_taken_over_just_before_the_kill_keeps_its_reference(tmp_path):
    """The checkpoint is older than the bundle: the reference of its change rule must be new."""
    node = node_of(tmp_path, ArraySource(COUNTS, RPM))
    for _ in range(12):
        node.step()
    node.use(trained())
    wanted = [d.reference_mm_s for d in node._pipeline.judge._deciders]
    kill(node)
    again = start(tmp_path)
    assert [d.reference_mm_s for d in again._pipeline.judge._deciders] == wanted
    assert np.isfinite(wanted).all()
    kill(again)


def test_a_checkpoint_is_small_and_plain_json(tmp_path):
    node = start(tmp_path)
    run(node)
    held = node.spool.checkpoint()
    assert len(held) < 20_000
    state = json.loads(held)
    assert state["end"] == COUNTS.shape[1]
    assert state["t0_ns"] == T0
    kill(node)


def test_a_lost_spool_starts_a_new_stream(tmp_path, uninterrupted):
    node = start(tmp_path)
    for _ in range(30):
        node.step()
    kill(node)
    for file in tmp_path.iterdir():
        file.unlink()
    assert_same_records(finished(start(tmp_path)), uninterrupted)


def test_an_untouched_node_leaves_no_checkpoint(tmp_path):
    node = node_of(tmp_path, ArraySource(COUNTS[:, :0]))
    run(node)
    assert spool_of(tmp_path).checkpoint() is None
    assert records(node.spool) == []
    assert node.finished
    assert node._timeline.time_of(S) > 0
