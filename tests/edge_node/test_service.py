"""Telling the service manager: a datagram where it listens, and nothing where it does not."""

from __future__ import annotations

import os
import socket

import pytest

from edge_node.host import Host
from edge_node.service import notify
from tests.edge_node.plants import T0
from tests.edge_node.test_host import laid_out


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
