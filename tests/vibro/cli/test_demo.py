"""The whole pipeline as a newcomer starts it, with one edge process killed on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloud_jobs.store import Store
from edge_node.config import load
from edge_node.service.facts import status
from vibro.errors import VibroError

pytestmark = pytest.mark.slow_nojit
MINUTES = 4
RATE = 25_600


def vibro(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vibro", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def children(pid: int) -> list[int]:
    """Process ids of the edge processes that a demo has started."""
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    lines = [line.split(maxsplit=1) for line in found.stdout.splitlines()]
    return [int(number) for number, args in lines if " edge run " in f" {args} "]


def seen_by(config: Path) -> int:
    try:
        return int(status(load(config))["samples"]["seen"])
    except VibroError:
        return 0


def kill_in_mid_run(demo: subprocess.Popen[str], home: Path) -> int:
    """SIGKILL the first edge process once one of its nodes has committed half a minute."""
    until = time.monotonic() + 120
    config = home / "nodes" / "hamburg-motor-1" / "node.toml"
    while time.monotonic() < until and demo.poll() is None:
        # A node's configuration names the process that runs it.
        if config.exists() and seen_by(config) > 2 * 30 * RATE:
            for pid in children(demo.pid):
                args = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
                if "hamburg-motor-1" in args:
                    os.kill(pid, signal.SIGKILL)
                    return pid
        time.sleep(0.05)
    raise AssertionError("the edge process never came to half a minute of samples")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A demo of four minutes and its home; an edge process was killed on the way."""
    home = tmp_path_factory.mktemp("demo") / "home"
    environment = {k: v for k, v in os.environ.items() if k != "VIBRO_DATA"}
    command = [sys.executable, "-m", "vibro", "demo", "--no-serve", "--json"]
    with subprocess.Popen(
        [*command, "--minutes", str(MINUTES), "--home", str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as demo:
        try:
            kill_in_mid_run(demo, home)
            out, err = demo.communicate(timeout=240)
        finally:
            demo.kill()
    assert demo.returncode == 0, err
    assert err == ""
    return json.loads(out), home


def test_every_sample_is_accounted_for_although_a_process_was_killed(run):
    result, _ = run
    samples = result["samples"]
    assert samples["seen"] == 12 * 2 * MINUTES * 60 * RATE
    assert samples["seen"] == samples["processed"] + samples["lost"]
    assert samples["lost"] == 0
    assert result["ledger"]["restarts"] >= 1


def test_nothing_is_lost_and_nothing_doubled(run):
    ledger = run[0]["ledger"]
    assert ledger["produced"] == ledger["stored"]
    assert set(ledger["stored"]) == {"clips", "events", "features", "health"}
    assert (ledger["missing"], ledger["doubled"], ledger["dead"]) == (0, 0, 0)


def test_every_fault_is_found_and_named(run):
    result, _ = run
    assert len(result["truth"]) == 7
    assert result["missed"] == []
    assert len(result["false_cases"]) <= 1
    delays = [c["delay_s"] for c in result["cases"] if c["delay_s"] is not None]
    assert len(delays) == 7
    assert all(0 < d < 60 for d in delays)


def test_groups_name_the_shaken_site_and_the_fault_that_sites_share(run):
    result, _ = run
    groups = {g["kind"]: g for g in result["groups"]}
    shared = [t["machine"] for t in result["truth"] if t["fault"] == "bearing_outer"]
    assert sorted(groups["shared_fault"]["machines"]) == sorted(shared)
    assert groups["shared_fault"]["evidence"]["fault"] == "bearing_outer"
    shaken = {m.split("/")[0] for m in groups["common_cause"]["machines"]}
    assert len(groups["common_cause"]["machines"]) >= 2
    assert len(shaken) == 1


def test_every_site_runs_retrained_models(run):
    models = run[0]["models"]
    assert {m["site"] for m in models} == {"hamburg", "porto", "austin"}
    assert sum(m["nodes_running"] for m in models) == 12
    assert all(0 < m["bytes"] <= 250_000 for m in models)


def test_the_json_says_what_was_shortened_and_what_the_defaults_would_ship(run):
    result, _ = run
    assert result["shortened"]["status_s"] < result["at_defaults"]["intervals"]["status_s"]
    assert result["at_defaults"]["steady_ratio"] > 1000
    assert result["bytes"]["raw"] == 2 * result["samples"]["seen"]
    assert result["bytes"]["ratio"] > 10
    assert result["latency_ms"]["p50"] <= result["latency_ms"]["p99"] < 1000
    assert result["realtime_factor"] > 1


def test_the_query_lists_exactly_the_machines_of_the_truth(run):
    result, home = run
    found = vibro(
        "query", "fault=bearing_outer severity>=alert since=1h", "--home", str(home), "--json"
    )
    wanted = {t["machine"] for t in result["truth"] if t["fault"] == "bearing_outer"}
    assert {row["machine"] for row in json.loads(found.stdout)} == wanted
    assert len(json.loads(found.stdout)) == len(wanted)


def test_the_home_keeps_the_register_and_the_nodes(run):
    _, home = run
    checked = vibro("edge", "check", *map(str, sorted(home.glob("nodes/*/node.toml"))))
    assert checked.returncode == 0, checked.stderr
    assert len(checked.stdout.splitlines()) == 12
    validated = vibro("assets", "validate", str(home / "assets.csv"))
    assert validated.returncode == 0, validated.stderr
    store = Store(home)
    assert len(store.machines()) == 12
    store.close()


def offspring(pid: int) -> set[int]:
    """Process ids of all that descend from a process."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parents = {int(a): int(b) for a, b in (line.split() for line in listed.splitlines())}
    found = {pid}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def running(pid: int) -> bool:
    """Whether a process still runs; one that has ended may wait for its reaper."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_nothing_outlives_a_demo_that_was_killed(tmp_path):
    command = [sys.executable, "-m", "vibro", "demo", "--no-serve", "--json", "--home"]
    with subprocess.Popen([*command, str(tmp_path / "home")], stdout=subprocess.DEVNULL) as demo:
        until = time.monotonic() + 60
        while len(children(demo.pid)) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        left = offspring(demo.pid)
        assert len(left) >= 2
        demo.kill()
    while left and time.monotonic() < until + 60:
        left = {p for p in left if running(p)}
        time.sleep(0.05)
    assert not left


def test_a_home_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    refused = vibro("demo", "--no-serve", "--home", str(tmp_path))
    assert refused.returncode == 2
    assert re.fullmatch(r"vibro: .*not empty.*\n", refused.stderr)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
