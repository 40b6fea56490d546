"""Telling the service manager: a datagram where it listens, and nothing where it does not."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

import pytest

from edge_node.host import Host
from edge_node.service.systemd import Watchdog, notify
from tests.edge_node.plants import T0
from tests.edge_node.test_host import laid_out

DEADLINE_S = 20.0


@pytest.fixture(params=["file", "abstract"])
def manager(request, tmp_path, monkeypatch):
    """Whoever listens, at a file or at an abstract address."""
    abstract = f"vibro-{os.getpid()}-{request.node.name}"
    address = "\0" + abstract if request.param == "abstract" else str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(5.0)
        monkeypatch.setenv("NOTIFY_SOCKET", address.replace("\0", "@"))
        yield listening


def test_a_state_arrives(manager):
    assert notify("READY=1")
    assert manager.recv(100) == b"READY=1"


def test_without_a_manager_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify("READY=1")


@pytest.mark.slow_nojit
def test_a_host_is_ready_before_its_first_sample_and_says_when_it_stops(manager, tmp_path):
    host = Host([laid_out(tmp_path)], T0)
    first = host.nodes[0].node
    said = []
    step = first.step

    def watched(**how: bool) -> bool:
        if not said:
            said.append(manager.recv(100))
        return step(**how)

    first.step = watched
    host.run()
    assert said == [b"READY=1"]
    assert manager.recv(100) == b"STOPPING=1"


# -- the watchdog ----------------------------------------------------------------------------------


def test_the_watchdog_is_told_at_half_the_managers_patience(manager):
    watchdog = Watchdog({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())})
    for now in (10.0, 10.5, 10.99, 11.0, 11.5, 12.1):
        watchdog.turned(now)
    manager.setblocking(False)
    said = []
    with contextlib.suppress(BlockingIOError):
        while True:
            said.append(manager.recv(100))
    assert said == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}],
    ids=["no watchdog", "no number", "meant for another process"],
)
def test_without_a_watchdog_nothing_is_told(manager, environment):
    Watchdog(environment).turned(10.0)
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


@pytest.mark.slow_nojit
def test_a_node_that_hangs_is_silent_and_one_that_runs_is_not(manager, tmp_path, monkeypatch):
    """The manager restarts who hangs: nobody but the loop itself may tell it that all is well."""
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    path = laid_out(tmp_path, 'pace = "real"')
    host = Host([path], time.time_ns(), end=lambda status: None)
    node = host.nodes[0].node
    hangs, released, step = threading.Event(), threading.Event(), node.step

    def hanging(**how: bool) -> bool:
        if hangs.is_set():
            hung.set()
            assert released.wait(DEADLINE_S)
        return step(**how)

    hung = threading.Event()
    node.step = hanging
    loop = threading.Thread(target=host.run)
    loop.start()
    try:
        assert manager.recv(100) == b"READY=1"
        assert [manager.recv(100) for _ in range(5)] == [b"WATCHDOG=1"] * 5
        hangs.set()
        assert hung.wait(DEADLINE_S)
        manager.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                manager.recv(100)
        # Twenty times the interval in which a loop that goes round would have told.
        manager.settimeout(0.2)
        with pytest.raises(TimeoutError):
            manager.recv(100)
    finally:
        host.stop()
        hangs.clear()
        released.set()
        loop.join(DEADLINE_S)
    assert not loop.is_alive()
