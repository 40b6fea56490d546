"""`vibro edge run` as a service manager sees it: signals, the lock, logs and answers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

from edge_node.host import CUT_SHORT
from edge_node.service.lock import FolderLock
from tests.vibro.cli.commands import vibro
from tests.vibro.cli.homes import laid_out

pytestmark = pytest.mark.slow_nojit
DEADLINE_S = 60.0


def service(tmp_path, *pairs: tuple[str, str], more: str = ""):
    """A node that simulates in real time from now on, answers, and logs as JSON."""
    node = laid_out(tmp_path, seconds=600.0)
    text = node.read_text()
    for old, new in (('pace = "fast"', 'pace = "real"'), ("sample_s = 1\n", ""), *pairs):
        assert old in text
        text = text.replace(old, new)
    text = text.replace(text[text.index("t0_ns") : text.index("duration_s")], "")
    node.write_text(text + more)
    return node


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A running `vibro edge run` whose JSON lines are read as they come."""

    def __init__(self, node, tmp_path) -> None:
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(tmp_path / "notify"))
        self.manager.settimeout(DEADLINE_S)
        self.child = subprocess.Popen(
            [sys.executable, "-P", "-m", "vibro", "edge", "run", "--log-format", "json", str(node)],
            stderr=subprocess.PIPE, text=True,
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"),
                 "WATCHDOG_USEC": "100000"},
        )  # fmt: skip

    def told(self, word: bytes) -> None:
        while self.manager.recv(100) != word:
            pass

    def line(self, part: str) -> str:
        """Return the next line of the log that holds a text."""
        for raw in self.child.stderr:
            message = json.loads(raw)["message"]
            if part in message:
                return message
        raise AssertionError(f"the log ended without '{part}'")

    def end(self) -> None:
        self.manager.close()
        self.child.kill()
        self.child.communicate()


def test_a_service_is_ready_tells_its_watchdog_answers_reloads_and_ends(tmp_path):
    """The life of a node under systemd, in one process."""
    port = free_port()
    node = service(tmp_path, more=f"[service]\nhttp_port = {port}\n")
    process = Process(node, tmp_path)
    try:
        process.told(b"READY=1")
        process.told(b"WATCHDOG=1")
        assert process.line("listens to").startswith("austin-fan-1: listens to austin/fan-1")

        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        asked.request("GET", "/metrics")
        assert b"vibro_edge_samples_seen_total" in asked.getresponse().read()
        asked.close()

        second = vibro("edge", "run", node)
        assert (second.status, second.out) == (1, "")
        assert second.err.splitlines()[-1].startswith("vibro: ")
        assert f"process {process.child.pid} runs the node of this folder" in second.err

        node.write_text(node.read_text() + '[reflex]\npeak_m_s2 = "high"\n')
        process.child.send_signal(signal.SIGHUP)
        assert "reflex.peak_m_s2 = 'high'" in process.line("the old configuration stays")
        node.write_text(node.read_text().replace('"high"', "[400.0]"))
        process.child.send_signal(signal.SIGHUP)
        assert process.line("reloaded").endswith("reloaded: reflex.peak_m_s2")
        process.told(b"WATCHDOG=1")

        began = time.monotonic()
        process.child.send_signal(signal.SIGTERM)
        process.told(b"STOPPING=1")
        assert process.child.wait(DEADLINE_S) == 0
        assert time.monotonic() - began < 5.0
        assert "ended in order" in process.line("ended")
    finally:
        process.end()


def test_a_node_that_is_run_elsewhere_is_one_clear_line(tmp_path):
    node = laid_out(tmp_path)
    lock = FolderLock(node.parent)
    done = vibro("edge", "run", node)
    lock.release()
    assert (done.status, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert "runs the node of this folder; stop it first" in done.err
    assert not (node.parent / "spool.db").exists()


def test_nodes_of_one_process_answer_in_one_place(tmp_path):
    one, two = laid_out(tmp_path / "a"), laid_out(tmp_path / "b")
    for node, port in ((one, 9464), (two, 9465)):
        node.write_text(node.read_text() + f"[service]\nhttp_port = {port}\n")
    done = vibro("edge", "run", one, two)
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert "9464" in done.err
    assert "9465" in done.err


def test_a_port_that_is_taken_does_not_keep_a_node_from_listening(tmp_path):
    node = laid_out(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        node.write_text(node.read_text() + f"[service]\nhttp_port = {port}\n")
        done = vibro("edge", "run", node)
    assert done.status == 0
    assert f"service.http_port = {port} on 127.0.0.1 cannot be had" in done.err
    assert "ended in order" in done.err


@pytest.mark.prove
@pytest.mark.parametrize("what", ["spool.db", "log"])
def test_a_disk_or_link_that_hangs_does_not_keep_the_process(tmp_path, what):
    """SQLite waits 30 s for a file that somebody else holds: nearer to a hanging disk is hard."""
    node = service(tmp_path, more="commit_s = 0.5\n")
    process = Process(node, tmp_path)
    held: list[sqlite3.Connection] = []
    try:
        process.told(b"READY=1")
        folder, pattern = (
            (node.parent, "spool.db") if what == "spool.db" else (tmp_path, "log/*.db")
        )
        for _ in range(400):
            process.told(b"WATCHDOG=1")
            if files := list(folder.glob(pattern)):
                break
        for file in files:
            held.append(sqlite3.connect(file, isolation_level=None))
            held[-1].execute("BEGIN EXCLUSIVE")
        assert held
        for _ in range(40):
            process.told(b"WATCHDOG=1")
        began = time.monotonic()
        process.child.send_signal(signal.SIGTERM)
        status = process.child.wait(DEADLINE_S)
        assert time.monotonic() - began < 5.0
        assert status == (CUT_SHORT if what == "spool.db" else status)
    finally:
        for db in held:
            db.close()
        process.end()
