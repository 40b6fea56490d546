"""Disks that are full, dead or torn: the node goes on, and it is said what that took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_node.spool import EnduringSpool, Entry, Spool, enduring
from edge_node.spool import database as database_of_spools
from tests.edge_node.plants import ArraySource, eventful, node_of, of, run, trained
from tests.edge_node.spools import NO_BOUND, database, no_file_grows, put, waiting
from vibro.records import Clip, Event, FeatureBlock, Health

ROOM = 400_000


@pytest.fixture
def lasting(tmp_path):
    """Opens the one enduring spool, as often as wanted, as after a kill."""
    found: list[EnduringSpool] = []

    def open_it(**options) -> EnduringSpool:
        path = tmp_path / "node" / "spool.db"
        found.append(EnduringSpool(path, NO_BOUND, NO_BOUND, **options))
        return found[-1]

    yield open_it
    for spool in found:
        spool.close()


def gap(detail: dict, number: int) -> Entry:
    value = json.dumps([number, detail]).encode()
    return Entry("health", "a/m1", "live", lambda _: value, 0, gap=True)


def gaps(spool) -> list[dict]:
    """Losses in the gap records that wait."""
    told = [json.loads(r[3]) for r in waiting(spool) if r[3].startswith(b"[")]
    return [loss for _, detail in told for loss in detail["losses"]]


def numbers(spool) -> list[int]:
    return [r[2] for r in waiting(spool) if r[0] == "events"]


def largest(folder: Path) -> int:
    """Where file and journal may be written over, but nothing may grow."""
    return max(f.stat().st_size for f in folder.iterdir())


def test_a_full_disk_makes_room_in_the_file_itself(lasting, tmp_path, monkeypatch):
    """Others fill the disk while the link is down: heartbeats and clips go, no event does."""
    monkeypatch.setattr(database_of_spools, "_free_bytes", lambda _: NO_BOUND)
    spool = lasting()
    put(spool, *[("clips", "live", bytes(20_000), i) for i in range(20)], checkpoint=b"0")
    monkeypatch.setattr(database_of_spools, "_free_bytes", lambda _: 0)
    with no_file_grows(largest(tmp_path / "node")):
        for i in range(40):
            put(spool, ("events", "live", bytes(5000), i), checkpoint=b"%d" % i)
            assert spool.trouble == ""
    assert numbers(spool) == list(range(40))
    lost = spool.open_losses()
    assert {(x.step, x.reason, x.kind) for x in lost} == {("given up", "disk full", "clips")}
    assert lost[0].records == 20 - sum(r[0] == "clips" for r in waiting(spool)) > 5
    assert lasting().checkpoint() == b"39"


def test_beyond_that_memory_stands_in_until_there_is_room_again(lasting):
    spool = lasting()
    put(spool, ("events", "live", b"0", 0), checkpoint=b"0")
    with no_file_grows(ROOM):
        for i in range(1, 60):
            put(spool, ("events", "live", bytes(20_000), i), checkpoint=b"%d" % i)
        assert "spool.db: " in spool.trouble
        assert numbers(spool)[0] == 0
        assert spool.checkpoint() == b"59"
    assert numbers(lasting()) < list(range(60))
    put(spool, ("events", "live", b"60", 60), checkpoint=b"60")
    assert spool.trouble == ""
    again = lasting()
    assert numbers(again) == list(range(61))
    assert again.checkpoint() == b"60"
    assert again.given_up() == {}


def test_a_dead_disk_still_ships_what_is_in_the_file_and_in_memory(lasting):
    spool = lasting()
    put(spool, *[("events", "live", b"%d" % i, i) for i in range(3)])
    shipped = []
    with no_file_grows(0):
        for i in range(3, 9):
            put(spool, ("events", "live", b"%d" % i, i))
            while batch := spool.peek(0):
                shipped += [r.sequence for r in batch]
                spool.acknowledge(r.id for r in batch)
        assert spool.trouble
    assert shipped == list(range(9))
    assert spool.peek() == []
    put(spool, ("events", "live", b"9", 9))
    assert numbers(lasting()) == [9]


def test_live_records_in_memory_go_before_the_backfill_in_the_file(lasting):
    spool = lasting()
    put(spool, ("events", "backfill", b"old", 0))
    with no_file_grows(0):
        put(spool, ("events", "live", b"new", 1))
        assert [r.value for r in spool.peek()] == [b"new"]


def test_a_disk_that_is_read_only_from_the_start(lasting):
    with no_file_grows(0):
        spool = lasting()
        assert spool.trouble
        assert spool.checkpoint() is None
        put(spool, ("events", "live", b"0", 0), checkpoint=b"0")
        assert numbers(spool) == [0]
    put(spool, ("events", "live", b"1", 1), checkpoint=b"1")
    assert spool.trouble == ""
    assert numbers(lasting()) == [0, 1]


def test_memory_is_bounded_and_its_losses_are_said_when_the_disk_is_back(lasting, monkeypatch):
    monkeypatch.setattr(enduring, "MEMORY_BYTES", 20_000)
    spool = lasting()
    put(spool, ("features", "live", bytes(1000), 0))
    with no_file_grows(0):
        for i in range(1, 50):
            put(spool, ("features", "live", bytes(1000), i), gap=gap)
            assert spool.size_bytes() < 22_000
    put(spool, ("features", "live", bytes(1000), 50), gap=gap)
    put(spool, ("features", "live", bytes(1000), 51), gap=gap)
    there = {r[2] for r in waiting(spool) if r[0] == "features"}
    (loss,) = gaps(spool)
    assert (loss["reason"], loss["kind"]) == ("memory full", "features")
    assert loss["records"] == 52 - len(there) > 20
    assert set(range(52)) - there <= set(range(loss["first"], loss["last"] + 1))


def test_the_file_keeps_room_that_others_cannot_take(lasting, tmp_path):
    """The disk is full from the second commit on, yet what is shipped makes room for what comes."""
    spool = lasting(reserve_bytes=1_000_000)
    put(spool, ("events", "live", b"", 0))
    with no_file_grows(largest(tmp_path / "node")):
        for i in range(200):
            put(spool, ("events", "live", bytes(20_000), i), checkpoint=bytes(20_000))
            spool.acknowledge(r.id for r in spool.peek())
            assert spool.trouble == ""


def tear(path, tail: int = 4096 * 3) -> None:
    content = bytearray(path.read_bytes())
    content[tail:] = b"\xa5" * (len(content) - tail)
    path.write_bytes(content)


@pytest.mark.parametrize("tail", [0, 4096 * 3, 4096 * 20])
def test_a_torn_file_is_set_aside_and_said(lasting, tmp_path, tail):
    spool = lasting()
    put(spool, *[("events", "live", bytes(3000), i) for i in range(60)], checkpoint=b"0")
    spool.close()
    path = tmp_path / "node" / "spool.db"
    tear(path, tail)
    spool = lasting()
    spool.checkpoint()
    spool.peek()
    for i in range(60, 63):
        put(spool, ("events", "live", b"%d" % i, i), gap=gap)
    assert (path.parent / "spool.db.torn-1").exists()
    assert spool.trouble == ""
    assert [r[3] for r in waiting(spool) if r[0] == "events"] == [b"60", b"61", b"62"]
    assert {loss["step"] for loss in gaps(spool)} == {"torn"}
    assert len({r.spool for r in spool.peek()}) == 1


def test_a_file_that_tears_under_way_costs_what_it_held_but_no_number(lasting, tmp_path):
    spool = lasting()
    for i in range(30):
        put(spool, ("events", "live", bytes(3000), i), checkpoint=b"%d" % i)
    name = spool.peek(0)[0].spool
    file = spool._file
    database(file).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database(file).execute("PRAGMA cache_size=0")
    tear(tmp_path / "node" / "spool.db", 4096)
    database(file).execute("PRAGMA shrink_memory")
    for i in range(30, 33):
        put(spool, ("events", "live", b"%d" % i, i), checkpoint=b"%d" % i, gap=gap)
    assert spool.trouble == ""
    assert spool.checkpoint() == b"32"
    assert numbers(spool) == [30, 31, 32]
    assert spool.peek(0)[0].spool != name
    (loss,) = gaps(spool)
    assert (loss["step"], loss["kind"], loss["first"], loss["last"]) == ("torn", "events", 0, 29)


def test_a_kill_while_a_torn_file_is_set_aside_loses_no_more(lasting, tmp_path):
    """Its journal was moved, it was not: it is found torn again, or still whole."""
    spool = lasting()
    put(spool, *[("events", "live", bytes(3000), i) for i in range(60)])
    path = tmp_path / "node" / "spool.db"
    wal = path.with_name("spool.db-wal")
    torn = path.with_name("spool.db.torn-1-wal")
    torn.write_bytes(wal.read_bytes())
    spool.close()
    tear(path)
    spool = lasting()
    spool.peek()
    put(spool, ("events", "live", b"new", 60))
    assert [r[3] for r in waiting(spool)] == [b"new"]


def test_a_spool_of_another_version_is_one_clear_line(tmp_path):
    spool = Spool(tmp_path / "spool.db", NO_BOUND, NO_BOUND)
    database(spool).execute("PRAGMA user_version = 1")
    spool.close()
    with pytest.raises(Exception, match=r"spool\.db is of another version: move it away"):
        Spool(tmp_path / "spool.db", NO_BOUND, NO_BOUND)


def test_a_node_processes_every_sample_while_its_disk_is_dead(tmp_path, story):
    """Dead from the second commit on, back before the end: nothing is missing or doubled."""
    path = tmp_path / "node" / "spool.db"
    spool = EnduringSpool(path, NO_BOUND, NO_BOUND)
    node = node_of(tmp_path, ArraySource(*eventful()), trained(), spool=spool)
    for _ in range(10):
        node.step()
    with no_file_grows(0):
        for _ in range(50):
            node.step()
        assert "spool.db" in spool.trouble
    run(node)
    assert spool.trouble == ""
    spool.close()
    found = Spool(path, NO_BOUND, NO_BOUND)
    for kind in (Event, Clip):
        assert [r.id for r in of(kind, found)] == [r.id for r in of(kind, story.spool)]
    rows = [sum(b.rows for b in of(FeatureBlock, s)) for s in (found, story.spool)]
    assert rows[0] == rows[1]
    assert of(Health, found)[-1].seen == of(Health, story.spool)[-1].seen
    found.close()
