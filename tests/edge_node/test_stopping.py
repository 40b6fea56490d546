"""A process that is told to stop ends in order or is cut short, within five seconds."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from edge_node import host as host_module
from edge_node.config import load
from edge_node.host import CUT_SHORT, STOP_S, Host
from edge_node.outbox import Outbox
from edge_node.service.facts import status
from edge_node.service.lock import holder
from tests.edge_node.plants import RATE, T0
from tests.edge_node.test_host import laid_out
from vibro.errors import VibroError
from vibro.log import EmbeddedLog

pytestmark = pytest.mark.slow_nojit
DEADLINE_S = 20.0
REFLEX = "[reflex]\npeak_m_s2 = [0.01]\nhold_s = 1.0\n"


def running(host: Host, blocks: int = 1) -> threading.Thread:
    """Run a host on a thread, once it has processed so many blocks."""
    stepped, step = threading.Event(), host.nodes[0].step
    left = [blocks]

    def watched() -> bool:
        busy = step()
        left[0] -= busy
        if left[0] <= 0:
            stepped.set()
        return busy

    host.nodes[0].step = watched
    thread = threading.Thread(target=host.run)
    thread.start()
    assert stepped.wait(DEADLINE_S)
    return thread


def real(tmp_path, more: str = ""):
    """A node in real time whose recording began eight seconds ago, and goes on."""
    path = laid_out(tmp_path, f'pace = "real"\nt0_ns = {time.time_ns() - 8 * 10**9}')
    path.write_text(path.read_text() + more)
    return path


def test_the_time_to_end_leaves_room_before_five_seconds():
    assert 3.0 <= STOP_S <= 4.8


def test_with_the_link_down_it_ends_in_order_and_everything_is_on_disk(tmp_path, monkeypatch):
    def down(self, *_: object) -> None:
        raise VibroError("no route to host")

    monkeypatch.setattr(EmbeddedLog, "send", down)
    path = real(tmp_path)
    ends: list[int] = []
    host = Host([path], T0, end=ends.append)
    loop = running(host, 12)
    began = time.monotonic()
    host.stop()
    loop.join(DEADLINE_S)
    assert time.monotonic() - began < STOP_S
    assert ends == []
    facts = status(load(path))
    assert facts["samples"]["seen"] >= 12 * RATE
    assert facts["waiting"]
    assert holder(path.parent) is None


def test_an_action_that_hangs_delays_the_end_by_no_more_than_its_second(tmp_path):
    acting, released, ends = threading.Event(), threading.Event(), []

    def hangs(trip: object) -> None:
        acting.set()
        released.wait(DEADLINE_S)

    host = Host([real(tmp_path, REFLEX)], T0, action=hangs, end=ends.append)
    loop = running(host)
    assert acting.wait(DEADLINE_S)
    began = time.monotonic()
    host.stop()
    loop.join(DEADLINE_S)
    assert time.monotonic() - began < STOP_S
    released.set()
    assert ends == []


def test_a_disk_that_hangs_is_not_waited_for(tmp_path, monkeypatch, caplog):
    """A commit that does not come back would keep the process for ever."""
    hung, released, cut = threading.Event(), threading.Event(), threading.Event()
    monkeypatch.setattr(host_module, "STOP_S", 0.1)
    ends: list[int] = []
    write = Outbox.write

    def hanging(self, batch) -> None:
        hung.set()
        assert released.wait(DEADLINE_S)
        write(self, batch)

    def end(code: int) -> None:
        ends.append(code)
        cut.set()

    monkeypatch.setattr(Outbox, "write", hanging)
    host = Host([real(tmp_path)], T0, end=end)
    with caplog.at_level(logging.ERROR):
        loop = running(host)
        host.stop()
        assert hung.wait(DEADLINE_S)
        assert cut.wait(DEADLINE_S)
    released.set()
    loop.join(DEADLINE_S)
    assert ends == [CUT_SHORT]
    (line,) = [r.getMessage() for r in caplog.records if r.name == "vibro.host"]
    assert "something hangs" in line
    assert "last commit" in line


def test_a_node_that_cannot_commit_does_not_keep_the_others_from_it(tmp_path, monkeypatch):
    first, second = laid_out(tmp_path / "a"), laid_out(tmp_path / "b")
    host = Host([first, second], T0)
    for hosted in host.nodes:
        for _ in range(9):
            hosted.step()
    host.stopping = True

    def broken(**how: bool) -> None:
        raise VibroError("somebody else writes into its spool")

    host.nodes[0].node.commit = broken
    with pytest.raises(VibroError, match="somebody else"):
        host.run()
    assert status(load(second))["samples"]["seen"] == 9 * RATE


def test_before_the_loop_there_is_nothing_to_put_in_order(tmp_path):
    ends: list[int] = []
    host = Host([laid_out(tmp_path)], T0, end=ends.append)
    host.stop()
    assert ends == [0]


def test_two_processes_on_one_spool_are_impossible(tmp_path):
    path = laid_out(tmp_path)
    first = Host([path], T0)
    with pytest.raises(VibroError, match="runs the node of this folder"):
        Host([path], T0)
    first.stopping = True
    first.run()
    again = Host([path], T0)
    again.stopping = True
    again.run()


def test_a_host_that_cannot_open_a_node_lets_go_of_all(tmp_path):
    good, bad = laid_out(tmp_path / "a"), laid_out(tmp_path / "b")
    (tmp_path / "b" / "assets.csv").unlink()
    with pytest.raises(VibroError, match="there is no such file"):
        Host([good, bad], T0)
    assert holder(good.parent) is holder(bad.parent) is None
