"""`vibro edge status`: several nodes at a glance, from files and processes, and what is true."""

from __future__ import annotations

import json
import time

import pytest

from edge_node.config import load
from edge_node.host import Host
from edge_node.service.answers import Answers
from edge_node.service.lock import FolderLock
from tests.edge_node.plants import RATE, T0
from tests.edge_node.test_host import laid_out
from tests.vibro.cli.commands import vibro
from vibro.cli import edge as edge_verb
from vibro.cli.edge_status import table

pytestmark = pytest.mark.slow_nojit

NODE = {
    "node": "n1", "machine": "harbour/motor-1", "running": 4711, "answers": True, "never": "",
    "state": "running", "rpm": 1480.2, "bundle": "v3", "lag_s": 0.31, "spool_bytes": 1_234_567,
    "spool_headroom": 0.9974, "age_s": 0.0, "written_ns": T0, "ill": [], "last_error": "",
    "samples": {"seen": 30, "processed": 28, "lost": 2}, "given_up": {},
    "link": {"state": "connected", "for_s": 60.0, "deaf": ""},
    "channels": [
        {"channel": "de-h", "severity": "ok", "score_fast": 0.41, "score_long": None,
         "velocity_rms_mm_s": 0.66},
        {"channel": "de-v", "severity": "alert", "score_fast": 0.44, "score_long": 0.71,
         "velocity_rms_mm_s": 4.2, "judged_by": "proven", "judged_share": 0.987},
    ],
}  # fmt: skip


@pytest.fixture
def lived(tmp_path):
    """A node that has processed some seconds, committed and ended; and its file."""
    path = laid_out(tmp_path)
    host = Host([path], T0)
    for _ in range(16):
        host.turn()
    host.stopping = True
    host.run()
    return path


def columns(text: str, row: int = 1) -> dict[str, str]:
    """Cells of a row by the heads above them."""
    head, line = text.splitlines()[0], text.splitlines()[row]
    starts = [i for i, c in enumerate(head) if c != " " and (i == 0 or head[i - 2 : i] == "  ")]
    ends = [*starts[1:], None]
    return {head[a:b].strip(): line[a:b].strip() for a, b in zip(starts, ends, strict=True)}


def test_a_row_shows_everything_at_a_glance():
    assert columns(table([NODE])) == {
        "NODE": "n1", "MACHINE": "harbour/motor-1", "PROCESS": "runs, 4711", "STATE": "running",
        "RPM": "1480", "WORST": "alert de-v", "SCORE": "0.71", "LAG": "0.3 s", "SPOOL": "1.2 MB",
        "FREE": "100%", "LINK": "connected", "MODEL": "v3",
    }  # fmt: skip


def test_one_node_shows_its_channels_and_several_do_not():
    one = table([NODE])
    assert "de-v     alert     0.440       0.710  4.20 mm/s  proven     98.7%" in one
    assert "CHANNEL" not in table([NODE, NODE | {"node": "n2"}])
    assert "n1: samples 30 seen = 28 processed + 2 lost; samples as last committed" in one


def test_what_a_row_has_no_room_for_is_said_below():
    ill = {"ill": ["n1: the source has said nothing for 9.0 s"], "last_error": "no route"}
    ill["link"] = {"state": "away", "for_s": 200.0, "deaf": "may not read"}
    lost = {"given_up": {"features": {"records": 7, "bytes": 9}}}
    text = table([NODE | ill | lost])
    assert "n1: the source has said nothing for 9.0 s" in text
    assert "n1: the link is down (away for 3 min): no route" in text
    assert "n1: neither models nor requests can be read: may not read" in text
    assert "n1: gave up 7 records, too many or too large" in text


def test_a_slow_link_is_said_to_be_and_a_good_one_is_not_spoken_of():
    slow = {"link": {"state": "slow", "for_s": 20.0, "deaf": ""}}
    assert "n1: the link is slow: an answer takes more than 5 s" in table([NODE | slow])
    assert "the link" not in table([NODE])


def test_a_process_that_writes_nothing_is_not_called_well():
    stale = {"answers": False, "age_s": 3700.0, "lag_s": None}
    assert "as its files said 62 min ago" in table([NODE | stale])
    assert "it runs, but writes nothing" in table([NODE | stale])
    assert "writes nothing" not in table([NODE | stale | {"running": None}])


def test_files_alone_say_how_it_was_and_that_it_does_not_run(lived):
    done = vibro("edge", "status", lived)
    assert (done.status, done.err) == (0, "")
    row = columns(done.out)
    assert (row["PROCESS"], row["STATE"], row["LAG"]) == ("not running", "running", "-")
    assert row["MODEL"] == "learning"
    assert f"samples {16 * RATE} seen = {16 * RATE} processed + 0 lost; as its files said" in (
        done.out
    )


def test_whether_it_runs_is_what_its_lock_says(lived):
    lock = FolderLock(lived.parent)
    (said,) = vibro("edge", "status", lived, "--json").json
    lock.release()
    assert isinstance(said["running"], int)
    (said,) = vibro("edge", "status", lived, "--json").json
    assert said["running"] is None


def test_a_process_that_answers_is_believed_before_its_files(tmp_path):
    path = laid_out(tmp_path)
    host = Host([path], T0)
    host.turn()
    answers = Answers("127.0.0.1", 0, host.facts)
    path.write_text(path.read_text() + f"[service]\nhttp_port = {answers.port}\n")
    host.turned_s = time.monotonic() - 60.0
    (said,) = vibro("edge", "status", path, "--json").json
    answers.close()
    assert (said["answers"], said["age_s"]) == (True, 0.0)
    assert said["until_ns"] == host.nodes[0].node.now_ns
    assert said["ill"][0].startswith("the loop has not gone round for 60.")
    # The process is gone from where it answered, and its lock is still held.
    (said,) = vibro("edge", "status", path, "--json").json
    assert said["answers"] is False
    assert said["running"] is not None
    host.stopping = True
    host.run()


def test_a_port_that_somebody_else_answers_on_is_not_believed(lived):
    answers = Answers("127.0.0.1", 0, lambda: {"nodes": [{"node": "other"}], "ill": []})
    lived.write_text(lived.read_text() + f"[service]\nhttp_port = {answers.port}\n")
    lock = FolderLock(lived.parent)
    (said,) = vibro("edge", "status", lived, "--json").json
    lock.release()
    answers.close()
    assert (said["node"], said["answers"]) == ("n1", False)


def test_one_that_never_ran_stands_beside_those_that_did(tmp_path, lived):
    other = laid_out(tmp_path / "b")
    done = vibro("edge", "status", lived, other)
    assert done.status == 0
    assert columns(done.out, 2)["STATE"] == "never ran"
    assert "node n1 has never run" in done.out
    alone = vibro("edge", "status", other)
    assert (alone.status, alone.out, len(alone.err.splitlines())) == (1, "", 1)


def test_it_looks_again_until_it_is_told_to_stop(lived, monkeypatch):
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(edge_verb.time, "sleep", sleep)
    done = vibro("edge", "status", lived, "--watch", "--json")
    assert done.status == 130
    assert looks == [edge_verb.WATCH_S] * 3
    said = [json.loads(line) for line in done.out.splitlines()]
    assert [s[0]["node"] for s in said] == ["n1"] * 3


def test_status_writes_nothing(lived):
    before = {p: p.stat().st_mtime_ns for p in lived.parent.iterdir()}
    vibro("edge", "status", lived)
    assert {p: p.stat().st_mtime_ns for p in lived.parent.iterdir()} == before
    assert load(lived).node.id == "n1"
