"""Clips are packed beside the decisions: nothing waits for them, and none is lost or doubled."""

from __future__ import annotations

import threading

import pytest

from edge_node.clips import packing
from tests.edge_node.plants import ArraySource, eventful, node_of, of, run, spool_of, trained
from vibro.records import Clip
from vibro.wire import encode


@pytest.fixture
def held(monkeypatch):
    """Packing that waits until it is let go."""
    go = threading.Event()

    def slow(record) -> bytes:
        go.wait(20.0)
        return encode(record)

    monkeypatch.setattr(packing, "encode", slow)
    yield go
    go.set()


def clips(spool) -> list[bytes]:
    return [r.value for r in spool.peek(2**40) if r.kind == "clips"]


def until(node, commits: int) -> None:
    while node.commits < commits:
        assert node.step()


@pytest.mark.slow_nojit
def test_a_node_goes_on_and_commits_while_a_clip_is_packed(held, tmp_path):
    node = node_of(tmp_path, ArraySource(*eventful()), trained())
    # The clip of commissioning is complete after 3 s, a commit comes every 1.5 s.
    until(node, 5)
    assert clips(node.spool) == []
    held.set()
    until(node, 7)
    assert len(clips(node.spool)) == 1
    node.spool.close()


@pytest.mark.slow_nojit
def test_a_clip_that_a_kill_finds_half_packed_is_cut_again_just_as_it_was(held, tmp_path, story):
    node = node_of(tmp_path, ArraySource(*eventful()), trained())
    until(node, 5)
    node.spool.close()
    held.set()
    again = node_of(tmp_path, ArraySource(*eventful()), trained(), spool_of(tmp_path))
    run(again)
    assert clips(again.spool) == clips(story.spool)
    ids = [c.id for c in of(Clip, again.spool)]
    assert len(ids) == len(set(ids)) > 1
    again.spool.close()


@pytest.mark.slow_nojit
def test_whoever_ends_a_stream_waits_for_its_clips(tmp_path, story):
    node = node_of(tmp_path, ArraySource(*eventful()), trained())
    while node.step():
        pass
    node.finish()
    assert [c.origin.sequence for c in of(Clip, node.spool)] == list(range(len(clips(node.spool))))
    assert clips(node.spool) == clips(story.spool)
    node.spool.close()
