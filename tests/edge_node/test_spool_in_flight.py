"""What is being shipped, what no message can hold, and two threads at one spool."""

from __future__ import annotations

import threading

import pytest

from edge_node.spool import EnduringSpool, Spool, SpoolWriter
from edge_node.spool.ladder import TOO_LARGE
from tests.edge_node.some_records import S, beat, clip, event
from tests.edge_node.spools import MAKERS, NO_BOUND, put, standing_in, waiting
from vibro.records import Clip
from vibro.wire import decode, encode


@pytest.fixture(params=MAKERS)
def spool(request, tmp_path):
    opened = MAKERS[request.param](tmp_path / "node", 40_000, NO_BOUND)
    yield opened
    opened.close()


def test_what_is_being_shipped_is_neither_reduced_nor_given_up(spool):
    """A record that may have arrived must not be told as lost."""
    put(spool, *[("features", "live", bytes(4000), 0) for _ in range(4)])
    flying = [r.id for r in spool.peek(NO_BOUND)][:2]
    spool.hold(flying)
    put(spool, *[("features", "live", bytes(4000), 1) for _ in range(6)])
    left = [r.sequence for r in spool.peek(NO_BOUND)]
    assert left[:2] == [0, 1]
    assert left[2] > 2, "the others made room"
    spool.acknowledge(flying)
    assert [r.sequence for r in spool.peek(NO_BOUND)] == left[2:]
    produced = sum(spool.produced().values())
    assert produced == 2 + len(left[2:]) + spool.given_up()["features"][0]


def test_what_is_too_old_waits_for_its_answer_too(tmp_path):
    spool = Spool(tmp_path / "spool.db", NO_BOUND, 10 * S)
    put(spool, ("events", "live", b"first", 0), ("events", "live", b"second", 0))
    spool.hold([spool.peek(0)[0].id])
    put(spool, ("health", "live", b"", 60 * S))
    assert [r[3] for r in waiting(spool) if r[0] == "events"] == [b"first"]
    spool.close()


def test_what_the_transport_refuses_is_given_up_and_told(spool):
    put(
        spool, ("events", "live", b"a", 0), ("events", "live", b"b", 0), ("events", "live", b"c", 0)
    )
    refused = spool.peek(NO_BOUND)[1]
    spool.hold([refused.id])
    spool.refuse(refused.id)
    assert [r[3] for r in waiting(spool)] == [b"a", b"c"]
    (loss,) = spool.open_losses()
    assert (loss.step, loss.reason, loss.kind, loss.lane) == (
        "given up", TOO_LARGE, "events", "live",
    )  # fmt: skip
    assert (loss.first, loss.last, loss.records) == (1, 1, 1)
    assert spool.given_up() == {"events": (1, 1)}
    spool.refuse(refused.id)
    assert spool.given_up() == {"events": (1, 1)}


def test_a_clip_that_no_message_holds_is_cut_short_before_it_is_kept(tmp_path):
    value = encode(clip(200.0, 40.0))
    spool = EnduringSpool(
        tmp_path / "spool.db", NO_BOUND, NO_BOUND, largest_bytes=round(0.3 * len(value))
    )
    writer = SpoolWriter(spool, "a/m1", 10 * S)
    writer.write([beat(0)], [value, encode(clip(200.0, 1.0))], b"{}", S)
    kept = [decode(r.value) for r in spool.peek(NO_BOUND) if r.kind == "clips"]
    assert [c.origin.sequence for c in kept] == [0, 1]
    assert isinstance(kept[0], Clip)
    assert kept[0].samples.shape[1] < 0.3 * clip(200.0, 40.0).samples.shape[1]
    assert all(len(r.value) <= 0.3 * len(value) for r in spool.peek(NO_BOUND))
    writer.write([beat(S)], [], b"{}", 2 * S)
    (gap,) = [r for r in map(decode, (r.value for r in spool.peek(NO_BOUND))) if is_gap(r)]
    (loss,) = gap.detail["losses"]
    assert (loss["step"], loss["reason"], loss["kind"]) == ("shortened", TOO_LARGE, "clips")
    spool.close()


def is_gap(record) -> bool:
    return getattr(record, "content", "") == "gap"


def test_what_cannot_be_cut_short_is_given_up(tmp_path):
    value = encode(clip(2000.0, 3.0))
    most = len(value) // 8
    spool = EnduringSpool(tmp_path / "spool.db", NO_BOUND, NO_BOUND, largest_bytes=most)
    writer = SpoolWriter(spool, "a/m1", 10 * S)
    writer.write([beat(0), event(0)], [value], b"{}", S)
    assert {"events", "health"} <= {r.kind for r in spool.peek(NO_BOUND)}
    assert "clips" not in [r.kind for r in spool.peek(NO_BOUND)]
    assert spool.given_up()["clips"][0] == 1
    spool.take_at_most(0)
    writer.write([], [value], b"{}", 2 * S)
    assert "clips" in [r.kind for r in spool.peek(NO_BOUND)]
    spool.close()


def test_an_answer_about_a_record_in_memory_never_concerns_a_later_one(tmp_path):
    """While it was on its way the disk came back, was lost again, and memory stood in anew."""
    spool = standing_in(tmp_path, NO_BOUND, NO_BOUND)
    put(spool, ("events", "live", b"first", 0))
    flying = spool.peek(NO_BOUND)[0].id
    (tmp_path / "spool.db").rmdir()
    put(spool, ("events", "live", b"second", 0))
    assert spool.trouble == ""
    spool._file.close()
    spool._file = None
    (tmp_path / "spool.db").rename(tmp_path / "gone")
    standing_in_again = tmp_path / "spool.db"
    standing_in_again.mkdir()
    put(spool, ("events", "live", b"third", 0))
    assert spool.trouble != ""
    spool.acknowledge([flying])
    assert [r[3] for r in waiting(spool)] == [b"third"]
    spool.close()


def test_an_answer_about_a_record_in_a_torn_file_never_concerns_one_of_the_next(tmp_path):
    spool = EnduringSpool(tmp_path / "spool.db", NO_BOUND, NO_BOUND)
    put(spool, ("events", "live", b"first", 0))
    flying = spool.peek(NO_BOUND)[0].id
    spool._set_aside("torn by a test", {})
    put(spool, ("events", "live", b"second", 0))
    spool.acknowledge([flying])
    assert [r[3] for r in waiting(spool)] == [b"second"]
    spool.close()


def test_two_threads_lose_and_double_nothing(tmp_path):
    """One commits, one ships; each transaction is whole, and each record leaves once."""
    spool = EnduringSpool(tmp_path / "spool.db", NO_BOUND, NO_BOUND)
    count, shipped, done = 300, [], threading.Event()

    def ship() -> None:
        while not (done.is_set() and not spool.peek(NO_BOUND)):
            batch = spool.peek(500)
            spool.hold(r.id for r in batch)
            shipped.extend(r.sequence for r in batch)
            spool.acknowledge((r.id for r in batch), 1)

    thread = threading.Thread(target=ship)
    thread.start()
    for i in range(count):
        put(spool, ("events", "live", bytes(100), i), checkpoint=b"%d" % i)
    done.set()
    thread.join(60)
    assert shipped == list(range(count))
    assert spool.size_bytes() == 0
    spool.close()
