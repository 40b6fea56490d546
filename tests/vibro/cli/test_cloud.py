"""`vibro cloud`: taking in what the edge sent, once, and retraining from it."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest

from cloud_jobs.store import Store
from tests.cloud_jobs.builders import Sender, block, event, heartbeat
from tests.vibro.cli.commands import patched, refused, vibro
from tests.vibro.cli.homes import laid_out, signals_put_back

pytestmark = pytest.mark.slow_nojit

COUNTS = ("messages", "events", "clips", "dead", "repeats")
TOTALS = ("seen", "processed", "lost", "raw_bytes")


def once(home, *more):
    with signals_put_back():
        return vibro("cloud", "run", "--once", "--home", home, *more)


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    """A home, what a simulated node sent in two minutes, and what was said of taking it in."""
    home = tmp_path_factory.mktemp("plant")
    node = laid_out(home, seconds=120.0)
    with signals_put_back():
        sent = vibro("edge", "run", node, "--json").json[0]
    return home, sent, once(home, "--json")


# -- run -------------------------------------------------------------------------------------------


def test_one_look_takes_in_all_that_the_edge_sent(plant):
    _, sent, done = plant
    assert (done.status, done.err) == (0, "")
    said = done.json
    assert set(said) == {*COUNTS, *TOTALS, "cases"}
    assert said["messages"] == sent["shipped_records"]
    assert said["clips"] == sent["produced"]["clips/live"]
    assert (said["dead"], said["repeats"]) == (0, 0)
    assert {k: said[k] for k in ("seen", "processed", "lost")} == sent["samples"]


def test_a_second_look_finds_nothing_new_and_loses_nothing(plant):
    home, _, first = plant
    again = once(home, "--json").json
    assert {k: again[k] for k in COUNTS} == dict.fromkeys(COUNTS, 0)
    assert {k: again[k] for k in (*TOTALS, "cases")} == {
        k: first.json[k] for k in (*TOTALS, "cases")
    }


def test_people_are_told_how_much_came(tmp_path):
    Sender(tmp_path).send(event(10.0), heartbeat(20.0), block())
    done = once(tmp_path)
    assert (done.status, done.err) == (0, "")
    assert "3 messages  1 events  0 clips  0 dead  0 repeats  " in done.out
    assert once(tmp_path).out == ""


def test_what_cannot_be_decoded_is_counted_and_does_not_stop_the_rest(tmp_path):
    sender = Sender(tmp_path)
    sender.send(event(10.0))
    sender.send_raw("vibro.v1.a.events", b"what a day")
    sender.send(event(30.0))
    said = once(tmp_path, "--json").json
    assert (said["messages"], said["events"], said["dead"]) == (3, 2, 1)


def test_a_home_without_anything_is_made_and_is_no_error(tmp_path):
    home = tmp_path / "new" / "home"
    said = once(home, "--json").json
    assert said["messages"] == 0
    assert (home / "store.db").exists()


def test_without_once_it_runs_until_it_is_told_to_stop(tmp_path):
    Sender(tmp_path).send(event(10.0))
    code = (
        "import os, signal\n"
        "from cloud_jobs.run import CloudJobs\n"
        "step, looks = CloudJobs.step, []\n"
        "def stepped(self, *given):\n"
        "    looks.append(step(self, *given))\n"
        "    if len(looks) == 2:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return looks[-1]\n"
        "CloudJobs.step = stepped\n"
    )
    done = patched(code, "cloud", "run", "--home", tmp_path, "--json")
    assert (done.status, done.err) == (0, "")
    assert done.json["events"] == 1


def test_consuming_alone_takes_everything_in_and_correlates_nothing(tmp_path):
    sender = Sender(tmp_path)
    sender.send(event(10.0, 90.0), heartbeat(200.0), block(), block("mean"))
    sender.send_raw("vibro.v1.a.events", b"what a day")
    with signals_put_back():
        done = vibro("cloud", "consume", "--once", "--home", tmp_path)
        assert (done.status, done.err) == (0, "")
        assert "5 messages  2 features  4 rows  1 events  0 clips  1 health  0 repeats  1 dead" in (
            done.out
        )
        again = vibro("cloud", "consume", "--once", "--home", tmp_path, "--json").json
    assert set(again.values()) == {0}
    store = Store(tmp_path)
    assert (len(store.events()), store.cases(), list(store.news())) == (1, [], ["a/m1"])
    store.close()
    assert once(tmp_path, "--json").json["cases"] == 1


def metrics_of(port: int) -> str:
    """What is told on a port of loopback."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as link:
        link.request("GET", "/metrics")
        return link.getresponse().read().decode()


@pytest.mark.parametrize("verb", ["run", "consume"])
def test_prometheus_is_told_lag_and_counts_and_sigterm_ends_it(tmp_path, verb):
    Sender(tmp_path).send(event(10.0), block(), heartbeat(5.0))
    command = [sys.executable, "-m", "vibro", "cloud", verb, "--home", str(tmp_path), "--json"]
    command += ["--metrics-port", "0", "--every", "0.2", "--hold", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        port = int(process.stderr.readline().removesuffix("/metrics\n").rpartition(":")[2])
        told = metrics_of(port)
        end = time.monotonic() + 60.0
        while 'vibro_consume_messages_total{kind="events"} 1.0' not in told:
            assert time.monotonic() < end
            time.sleep(0.1)
            told = metrics_of(port)
        assert 'vibro_consume_lag_messages{topic="vibro.v1.a.events"} 0.0' in told
        assert "vibro_consume_rows_total 2.0" in told
        assert 'vibro_consume_batch_seconds_bucket{le="+Inf"}' in told
        process.terminate()
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["messages"] == 3


def test_a_port_that_is_taken_is_one_line(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken, signals_put_back():
        port = taken.getsockname()[1]
        refused(
            vibro("cloud", "consume", "--home", tmp_path, "--metrics-port", port),
            "--metrics-port", str(port), "in use",
        )  # fmt: skip


@pytest.mark.parametrize("verb", [("run", "--once"), ("consume", "--once"), ("retrain",)])
def test_a_home_that_cannot_be_one_is_one_line(tmp_path, verb):
    (tmp_path / "file").write_text("precious")
    with signals_put_back():
        refused(vibro("cloud", *verb, "--home", tmp_path / "file"), "--home", "file")
        refused(vibro("cloud", *verb, "--home", tmp_path / "file" / "x"), "cannot be made")
        (tmp_path / "cloud.toml").write_text("[services]\ntransport = 'pigeon'\n")
        refused(vibro("cloud", *verb, "--home", tmp_path), "services.transport", "pigeon")
        (tmp_path / "cloud.toml").unlink()
        if verb[0] == "consume":
            return
        (tmp_path / "assets.csv").write_bytes(b"\xff\xfe")
        refused(vibro("cloud", *verb, "--home", tmp_path), "assets.csv", "UTF-8")
        (tmp_path / "assets.csv").write_text("site,region\n")
        refused(vibro("cloud", *verb, "--home", tmp_path), "assets.csv", "is missing")


@pytest.mark.parametrize("every", ["0", "-1", "nan", "often"])
def test_a_pause_that_cannot_be_is_refused(tmp_path, every):
    refused(vibro("cloud", "run", "--every", every, "--home", tmp_path), "--every", every)


# -- retrain ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def retrained(plant):
    """The home and what was said of retraining it."""
    home, _, _ = plant
    return home, vibro("cloud", "retrain", "--home", home, "--json")


def test_retraining_publishes_what_passes_and_says_why_the_rest_did_not(retrained):
    home, done = retrained
    assert (done.status, done.err) == (0, "")
    rows = {(r["site"], r["machine_class"]): r for r in done.json}
    assert len(rows) == 12
    assert all(
        set(r) == {"site", "machine_class", "version", "bytes", "refused"} for r in rows.values()
    )
    fan = rows.pop(("austin", "fan"))
    assert (fan["refused"], 0 < fan["bytes"] <= 250_000) == ([], True)
    assert all(r["version"] is None and r["refused"] for r in rows.values())
    assert "30 sampled vectors" in rows["porto", "fan"]["refused"][0]
    store = Store(home)
    try:
        assert store.champion("austin", "fan").version == fan["version"]
    finally:
        store.close()
    assert list((home / "bundles").rglob(f"*{fan['version']}*"))


def test_the_node_takes_over_what_was_retrained(retrained):
    home, done = retrained
    (version,) = [row["version"] for row in done.json if row["version"]]
    node = home / "nodes" / "austin-fan-1" / "node.toml"
    with signals_put_back():
        (report,) = vibro("edge", "run", node, "--json").json
    assert (report["bundles_refused"], report["bundle"]) == ([], version)


def test_retraining_an_empty_register_says_what_to_do(tmp_path):
    done = vibro("cloud", "retrain", "--home", tmp_path)
    assert (done.status, done.err) == (0, "")
    assert done.out == "the asset register is empty: vibro assets import FILE --home HOME\n"
    assert vibro("cloud", "retrain", "--home", tmp_path, "--json").json == []


def test_people_read_why_nothing_was_published(tmp_path):
    laid_out(tmp_path)
    done = vibro("cloud", "retrain", "--home", tmp_path)
    assert done.status == 0
    assert len(done.out.splitlines()) == 12
    assert all("  not published: " in line for line in done.out.splitlines())


def test_retraining_every_night_makes_up_for_a_missed_one_and_ends_when_told(plant):
    home, *_ = plant
    vibro("cloud", "retrain", "--home", home)
    store = Store(home)
    before = store.models()
    with store.transaction() as session:
        for model in before:
            session.merge(model).created_ns -= 2 * 86_400 * 10**9
    store.close()
    code = (
        "import os, signal\n"
        "from cloud_jobs.run import CloudJobs\n"
        "retrain = CloudJobs.retrain\n"
        "def once(self, now_ns):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return retrain(self, now_ns)\n"
        "CloudJobs.retrain = once\n"
    )
    done = patched(code, "cloud", "retrain", "--nightly", "02:00", "--home", home, "--json")
    assert (done.status, done.err) == (0, "")
    rounds = done.json
    assert {(r["site"], r["machine_class"]) for r in rounds} >= {("austin", "fan")}
    assert [r["version"] for r in rounds if r["version"]], "the fan's model"


def test_a_time_of_day_that_is_none_is_refused(tmp_path):
    for said in ("2", "24:00", "02:60", "2:00", "noon", "02:00\n"):
        refused(
            vibro("cloud", "retrain", "--nightly", said, "--home", tmp_path), "--nightly", "02:00"
        )
