"""What was committed is there exactly once, whatever happens to process and disk."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from edge_node.spool import Spool
from tests.edge_node.spools import NO_BOUND, database, put, waiting
from vibro.errors import VibroError

WRITER = """
import os, signal, sys
from pathlib import Path
from edge_node.spool import Entry, Spool
spool = Spool(Path(sys.argv[1]), 2**62, 2**62)
for i in range(100_000):
    records = [
        Entry(kind, "a/m1", "live", lambda _: b"%d" % i, i)
        for kind in ("events", "features", "events")
    ]
    spool.put(records, b"%d" % i)
    print(i, flush=True)
    if i == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def start(path, last: int) -> subprocess.Popen:
    """A process that commits until the transaction numbered ``last``, then kills itself."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(last)], stdout=subprocess.PIPE, text=True
    )


def check_whole(spool: Spool) -> int:
    """Every transaction up to the checkpoint is there once, and none after it; return its number.

    A checkpoint without its records, or records without their checkpoint, fails here.
    """
    last = int(spool.checkpoint() or b"-1")
    by_kind = {"events": [], "features": []}
    for kind, _, sequence, value in waiting(spool):
        by_kind[kind].append((sequence, int(value)))
    assert by_kind["features"] == [(i, i) for i in range(last + 1)]
    assert by_kind["events"] == [(i, i // 2) for i in range(2 * last + 2)]
    return last


@pytest.mark.parametrize("commits", [1, 2, 7, 40, 111])
def test_kill_9_while_writing(opened, tmp_path, commits):
    """The kill comes at whatever instruction follows the commits that were told of."""
    writer = start(tmp_path / "node" / "spool.db", 100_000)
    for _ in range(commits):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    told = commits - 1 + writer.communicate()[0].count("\n")
    assert writer.returncode == -signal.SIGKILL
    spool = opened()
    last = check_whole(spool)
    assert last in (told, told + 1)
    put(spool, ("features", "live", b"%d" % (last + 1), 0))
    assert waiting(spool)[-1] == ("features", "live", last + 1, b"%d" % (last + 1))


@pytest.mark.parametrize("cut", [0, 1, 100, 5000, 40_000])
def test_a_write_ahead_log_torn_by_a_power_cut(opened, tmp_path, cut):
    path = tmp_path / "node" / "spool.db"
    start(path, 11).communicate()
    wal = path.with_name("spool.db-wal")
    content = wal.read_bytes()
    wal.write_bytes(content[: len(content) - cut])
    last = check_whole(opened())
    assert last == 11 if cut == 0 else last < 11


def test_a_full_disk_leaves_everything_as_it_was(opened):
    spool = opened()
    put(spool, ("events", "live", b"0", 0), checkpoint=b"0")
    (pages,) = database(spool).execute("PRAGMA page_count").fetchone()
    database(spool).execute(f"PRAGMA max_page_count={pages + 1}")
    with pytest.raises(VibroError, match=r"spool\.db: database or disk is full$"):
        put(spool, ("events", "live", bytes(100_000), 0), checkpoint=b"1")
    assert waiting(spool) == [("events", "live", 0, b"0")]
    assert spool.checkpoint() == b"0"
    spool.acknowledge([r.id for r in spool.peek()])
    database(spool).execute("PRAGMA max_page_count=1000000")
    put(spool, ("events", "live", bytes(100_000), 0), checkpoint=b"1")
    assert [r.sequence for r in spool.peek()] == [1]


def test_a_file_that_is_no_spool_is_one_clear_error(opened, tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "spool.db").write_bytes(b"what a day " * 1000)
    with pytest.raises(VibroError, match=r"spool\.db: file is not a database; move it away"):
        opened()


def test_a_torn_file_is_one_clear_error(opened, tmp_path):
    spool = opened()
    put(spool, *[("events", "live", bytes(3000), i) for i in range(60)], checkpoint=b"0")
    spool.close()
    path = tmp_path / "node" / "spool.db"
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\xa5" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    with pytest.raises(VibroError, match=r"spool\.db: [^\n]*; move it away"):
        opened().peek(NO_BOUND)
