"""A node's files are read without touching them, whatever the node does meanwhile."""

from __future__ import annotations

import sqlite3

import pytest

from edge_node.config import load
from edge_node.hosted import HostedNode
from edge_node.service.facts import status
from tests.edge_node.plants import RATE, T0, S
from tests.edge_node.test_host import laid_out
from vibro.errors import VibroError

pytestmark = pytest.mark.slow_nojit


@pytest.fixture
def lived(tmp_path):
    """A node that has processed eight seconds and is still there, and its configuration."""
    config = load(laid_out(tmp_path))
    hosted = HostedNode(config, T0)
    for _ in range(16):
        hosted.step()
    hosted.node.commit(wait=True)
    return config, hosted


def test_the_files_say_what_was_processed_and_how_each_channel_is(lived):
    facts = status(lived[0])
    assert facts["samples"] == {"seen": 16 * RATE, "processed": 16 * RATE, "lost": 0}
    assert (facts["node"], facts["machine"]) == ("n1", "harbour/motor-1")
    assert (facts["state"], facts["rpm"], facts["bundle"]) == ("running", 1480.0, "")
    assert facts["until_ns"] == T0 + 8 * S
    assert [c["channel"] for c in facts["channels"]] == ["de-h", "de-v"]
    assert {c["severity"] for c in facts["channels"]} == {"ok"}
    assert all(c["score_fast"] is None for c in facts["channels"])
    assert all(0.0 < c["velocity_rms_mm_s"] < 5.0 for c in facts["channels"])
    assert {(c["judged_by"], c["judged_share"]) for c in facts["channels"]} == {("learning", 0.0)}
    assert facts["waiting"]["health"] >= 1
    assert facts["spool_bytes"] > 0
    assert facts["oldest_ns"] is not None
    free = 1.0 - facts["spool_bytes"] / facts["spool_max_bytes"]
    assert facts["spool_headroom"] == pytest.approx(free, abs=1e-6)
    assert facts["spool_max_bytes"] == 512_000_000


def test_reading_changes_no_file_and_makes_none(lived):
    folder = lived[0].folder
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir() if p.name != "spool.db-shm"}
    status(lived[0])
    after = {p.name: p.stat().st_mtime_ns for p in folder.iterdir() if p.name != "spool.db-shm"}
    assert after == before


def test_neither_waits_for_the_other(lived):
    """A reader gets the last commit while the next is being written, and delays it by nothing."""
    config, _ = lived
    writer = sqlite3.connect(config.folder / "spool.db", isolation_level=None, timeout=0.0)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM checkpoint")
    assert status(config)["samples"]["seen"] == 16 * RATE
    writer.execute("ROLLBACK")
    writer.close()


def test_a_node_that_ended_can_be_read_where_nothing_can_be_written(lived):
    """Without a write-ahead file SQLite would want to make one beside it, on a read-only disk."""
    config, hosted = lived
    hosted.secure()
    hosted.close()
    hosted.node.spool.close()
    assert not (config.folder / "spool.db-wal").exists()
    names = sorted(p.name for p in config.folder.iterdir())
    assert status(config)["samples"]["seen"] == 16 * RATE
    assert sorted(p.name for p in config.folder.iterdir()) == names


def test_a_register_that_is_gone_costs_only_the_names_of_channels(lived):
    (lived[0].folder.parent.parent / "assets.csv").unlink()
    facts = status(lived[0])
    assert facts["channels"] == []
    assert facts["samples"]["seen"] == 16 * RATE


def test_what_cannot_be_read_is_one_line(tmp_path):
    config = load(laid_out(tmp_path))
    with pytest.raises(VibroError, match="node n1 has never run"):
        status(config)
    (config.folder / "spool.db").write_bytes(b"a spool this is not" * 100)
    with pytest.raises(VibroError, match="cannot be read") as told:
        status(config)
    assert "\n" not in str(told.value)
