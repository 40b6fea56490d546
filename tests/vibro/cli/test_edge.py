"""`vibro edge`: a sample that is valid, every mistake at once, and a short simulated run."""

from __future__ import annotations

import signal
import tomllib

import numpy as np
import pytest

from edge_node.config import parse
from tests.vibro.cli.commands import patched, refused, vibro
from tests.vibro.cli.homes import laid_out, signals_put_back
from vibro.log import EmbeddedLog
from vibro.records import topic

pytestmark = pytest.mark.slow_nojit

RATE, CHANNELS = 25_600, 2


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A home, the node's file and what `vibro edge run --json` said."""
    home = tmp_path_factory.mktemp("edge")
    node = laid_out(home, seconds=6.0)
    with signals_put_back():
        done = vibro("edge", "run", node, "--json")
    return home, node, done


def edited(node, old, new):
    text = node.read_text()
    assert old in text
    node.write_text(text.replace(old, new))
    return node


# -- sample ----------------------------------------------------------------------------------------


def test_the_sample_is_toml_without_a_mistake():
    done = vibro("edge", "sample")
    assert (done.status, done.err) == (0, "")
    _, mistakes = parse(tomllib.loads(done.out))
    assert mistakes == []


# -- check -----------------------------------------------------------------------------------------


def test_a_sound_configuration_says_which_node_and_machine(tmp_path):
    node = laid_out(tmp_path)
    done = vibro("edge", "check", node)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{node}: ok, node austin-fan-1, machine austin/fan-1\n"
    (said,) = vibro("edge", "check", node, "--json").json
    assert said == {
        "file": str(node), "ok": True, "mistakes": [],
        "node": "austin-fan-1", "machine": "austin/fan-1",
    }  # fmt: skip


def test_check_reports_all_mistakes_of_configuration_and_register_at_once(tmp_path):
    node = laid_out(tmp_path)
    edited(node, 'id = "austin-fan-1"', 'id = "Hamburg Motor"\ncolour = "red"')
    edited(node, 'kind = "simulator"', 'kind = "magic"\nseed = -1')
    edited(node, "sample_s = 1", 'sample_s = "often"')
    register = tmp_path / "assets.csv"
    register.write_text(register.read_text().replace("6309", "63o9", 1))
    done = vibro("edge", "check", node, "--json")
    assert done.status == 2
    (said,) = done.json
    assert said["ok"] is False
    expected = ["node.colour", "node.id", "source.kind", "source.seed", "reporting.sample_s"]
    assert [m.split()[0] for m in said["mistakes"]] == [*expected, "register:"]
    assert "line 2, column bearing: '63o9'" in said["mistakes"][-1]
    lines = vibro("edge", "check", node).out.splitlines()
    assert lines == [f"{node}: {m}" for m in said["mistakes"]]


def test_check_goes_on_after_a_bad_file(tmp_path):
    good, bad = laid_out(tmp_path / "a"), laid_out(tmp_path / "b")
    edited(bad, 'pace = "fast"', 'pace = "warp"')
    done = vibro("edge", "check", bad, good, "--json")
    assert done.status == 2
    assert [said["ok"] for said in done.json] == [False, True]


def test_a_machine_that_is_not_in_the_register_names_near_ones(tmp_path):
    node = edited(laid_out(tmp_path), 'machine = "fan-1"', 'machine = "fan-9"')
    (said,) = vibro("edge", "check", node, "--json").json
    (mistake,) = said["mistakes"]
    assert "'austin/fan-9' is not in the asset register" in mistake
    assert "austin/fan-1" in mistake


def test_recordings_that_are_not_there_are_named(tmp_path):
    node = edited(laid_out(tmp_path), 'kind = "simulator"', 'kind = "replay"')
    (said,) = vibro("edge", "check", node, "--json").json
    assert said["mistakes"] == ["source.files is empty: name at least one recording to replay"]
    edited(node, 'kind = "replay"', 'kind = "replay"\nfiles = ["a.npy", "b.npy"]')
    np.save(node.parent / "b.npy", np.ones((2, 500), np.float32))
    (said,) = vibro("edge", "check", node, "--json").json
    (mistake,) = said["mistakes"]
    assert str(node.parent / "a.npy") in mistake


def test_a_clock_that_is_not_named_is_a_mistake(tmp_path):
    node = edited(laid_out(tmp_path), 'pace = "fast"', 'pace = "clock"')
    (said,) = vibro("edge", "check", node, "--json").json
    assert "source.clock is empty" in said["mistakes"][0]


def test_a_scenario_that_is_all_commissioning_is_a_mistake(tmp_path):
    node = edited(laid_out(tmp_path), "commissioning_s = 3.0", "commissioning_s = 6.0")
    (said,) = vibro("edge", "check", node, "--json").json
    assert said["mistakes"] == [
        "source.commissioning_s = 6 s must end at least 1 s before duration_s = 6 s"
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"register = ", "is not TOML"),
        (b"\xff\xfe\x00", "is not TOML"),
        (b"", "register is missing"),
        (b"register = 7\nnode = 3", "[node] is not a table"),
    ],
)
def test_what_is_no_configuration_is_told(tmp_path, content, told):
    node = tmp_path / "node.toml"
    node.write_bytes(content)
    done = vibro("edge", "check", node)
    assert (done.status, done.err) == (2, "")
    assert all(line.startswith(f"{node}: ") for line in done.out.splitlines())
    assert told in done.out


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"", b"site,region\n"])
def test_a_register_that_is_none_is_told_with_its_path(tmp_path, content):
    node = laid_out(tmp_path)
    register = tmp_path / "assets.csv"
    register.unlink()
    if content is not None:
        register.write_bytes(content)
    done = vibro("edge", "check", node, "--json")
    assert done.status == 2
    mistakes = done.json[0]["mistakes"]
    assert mistakes
    assert all("register" in m and "assets.csv" in m for m in mistakes)


def test_files_that_are_not_there_are_one_line(tmp_path):
    refused(vibro("edge", "check", tmp_path / "no.toml"), "no.toml", "does not exist")
    refused(vibro("edge", "check", tmp_path), str(tmp_path), "is a directory")
    refused(vibro("edge", "check"), "NODE.TOML")


# -- run and status --------------------------------------------------------------------------------


def test_a_run_accounts_for_every_sample_and_ships_all(ran):
    home, _, done = ran
    assert done.status == 0
    assert [line.split(" ", 1)[1] for line in done.err.splitlines()] == [
        "INFO node: austin-fan-1: listens to austin/fan-1, 2 channels, simulator; "
        "learning (no bundle yet)",
        "INFO node: austin-fan-1: ended in order; everything is shipped",
    ]
    (report,) = done.json
    seen = 6 * RATE * CHANNELS
    assert report["samples"] == {"seen": seen, "processed": seen, "lost": 0}
    assert (report["node"], report["machine"]) == ("austin-fan-1", "austin/fan-1")
    assert report["shipped_records"] == sum(report["produced"].values()) > 0
    assert (report["spool_bytes"], report["given_up"], report["bundles_refused"]) == (0, {}, [])
    logged = EmbeddedLog(home / "log").read(topic("austin", "features"), 0, 999)
    assert len(logged) == report["produced"]["features/live"]


def test_status_says_what_the_run_said(ran):
    _, node, done = ran
    (said,) = vibro("edge", "status", node, "--json").json
    mine = {"running", "answers", "age_s", "ill", "never"}
    assert {k: v for k, v in said.items() if k not in mine}.items() <= done.json[0].items()
    assert (said["running"], said["answers"], said["ill"], said["never"]) == (None, False, [], "")


def test_a_second_run_has_nothing_left_to_do(ran):
    _, node, done = ran
    with signals_put_back():
        again = vibro("edge", "run", node, "--json").json[0]
    assert again["samples"] == done.json[0]["samples"]
    assert again["produced"] == done.json[0]["produced"]
    assert again["shipped_records"] == 0


def test_the_status_of_a_node_that_never_ran_is_one_line(tmp_path):
    done = vibro("edge", "status", laid_out(tmp_path))
    assert (done.status, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert "node austin-fan-1 has never run" in done.err


def test_run_refuses_mistakes_before_anything_is_written(tmp_path):
    node = edited(laid_out(tmp_path), 'pace = "fast"', 'pace = "warp"')
    (tmp_path / "assets.csv").write_bytes(b"\xff\xfe")
    before = sorted(tmp_path.rglob("*"))
    refused(vibro("edge", "run", node), "source.pace", "assets.csv", "UTF-8")
    assert sorted(tmp_path.rglob("*")) == before


def test_nodes_that_would_share_a_spool_are_refused(tmp_path):
    node = laid_out(tmp_path)
    other = node.with_name("other.toml")
    other.write_text(node.read_text().replace("fan-1", "pump-1"))
    refused(vibro("edge", "run", node, other), "other.toml", "spool", "its own")
    assert not (node.parent / "spool.db").exists()


def test_sigterm_ends_a_run_cleanly_with_its_report(tmp_path):
    node = edited(laid_out(tmp_path), 'pace = "fast"', 'pace = "real"')
    edited(node, "duration_s = 6.0", "duration_s = 600.0")
    edited(node, f"t0_ns = {1_700_000_000 * 10**9}", "t0_ns = 0")
    code = (
        "import os, signal, threading\n"
        "from edge_node.hosted import HostedNode\n"
        "step = HostedNode.step\n"
        "def stepped(self):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return step(self)\n"
        "HostedNode.step = stepped\n"
    )
    done = patched(code, "edge", "run", node, "--json")
    assert done.status == 0
    assert done.err.splitlines()[-1].endswith("ended in order; everything is shipped")
    (report,) = done.json
    assert report["samples"]["seen"] == report["samples"]["processed"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
