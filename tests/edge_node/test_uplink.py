"""Shipping on a thread of its own: a transport that hangs delays nothing but what it ships."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from edge_node.config import NodeConfig, NodeSection, ShipSection, SourceSection, load
from edge_node.host import Host
from edge_node.service.facts import status
from edge_node.spool import EnduringSpool
from edge_node.uplink import uplink as uplink_module
from edge_node.uplink.uplink import Uplink
from tests.edge_node.plants import RATE
from tests.edge_node.spools import NO_BOUND, put, waiting
from tests.edge_node.test_host import laid_out
from tests.services.process import wait_until
from vibro.errors import VibroError
from vibro.log import EmbeddedLog, Message, TransportError
from vibro.records import topic

DEADLINE_S = 60.0


class Hanging:
    """A transport at our own port that hangs until it is let go, and then keeps what it got."""

    def __init__(self) -> None:
        self.stored: list[Message] = []
        self.asked, self.freed = threading.Event(), threading.Event()
        self.closed = 0
        self.error: Exception | None = None

    def send(self, topic: str, messages: Sequence[Message]) -> None:
        del topic
        self.asked.set()
        self.freed.wait(DEADLINE_S)
        if self.error is not None:
            raise self.error
        self.stored += messages

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def transports(monkeypatch):
    """Every transport that an uplink makes, in order."""
    made: list[Hanging] = []
    monkeypatch.setattr(uplink_module, "_transport", lambda _: made.append(Hanging()) or made[-1])
    yield made
    for each in made:
        each.freed.set()


@pytest.fixture
def spool(tmp_path):
    opened = EnduringSpool(tmp_path / "node" / "spool.db", NO_BOUND, NO_BOUND)
    yield opened
    opened.close()


@pytest.fixture
def config(tmp_path):
    (tmp_path / "node").mkdir(exist_ok=True)
    return NodeConfig(
        tmp_path / "node",
        NodeSection("n1", "harbour", "motor-1"),
        SourceSection(),
        None,
        None,
        ShipSection(log=str(tmp_path / "log")),
        "",
    )


@pytest.fixture
def uplink(spool, config, transports):
    made = Uplink(spool, config, real=True)
    yield made
    for each in transports:
        each.freed.set()
    made.close()


def test_telling_never_waits_and_the_spool_stays_free(uplink, spool, transports):
    put(spool, ("events", "live", b"one", 0))
    uplink.tell()
    assert transports[0].asked.wait(DEADLINE_S)
    began = time.monotonic()
    for i in range(20):
        put(spool, ("events", "live", b"more", i), checkpoint=b"%d" % i)
        uplink.tell()
        uplink.turn()
    assert time.monotonic() - began < 10.0
    assert len(waiting(spool)) == 21
    transports[0].freed.set()
    wait_until("all of it", lambda: not waiting(spool), DEADLINE_S)
    assert len(transports[0].stored) == 21


def test_finishing_waits_for_what_can_be_shipped_soon_only(uplink, spool, transports):
    put(spool, ("events", "live", b"one", 0))
    began = time.monotonic()
    uplink.finish(0.3)
    assert 0.2 < time.monotonic() - began < 5.0
    transports[0].freed.set()
    put(spool, ("events", "live", b"two", 0))
    uplink.finish(DEADLINE_S)
    assert waiting(spool) == []


def test_finishing_does_not_wait_for_a_link_that_is_down(uplink, spool, transports):
    transports[0].error = TransportError("gone", "away")
    transports[0].freed.set()
    put(spool, ("events", "live", b"one", 0))
    began = time.monotonic()
    uplink.finish(DEADLINE_S)
    assert time.monotonic() - began < DEADLINE_S / 2
    assert uplink.shipper.link.facts().state == "away"


def test_another_way_is_taken_after_the_batch_that_is_under_way(uplink, spool, transports, config):
    """Both never ship at once: the order would be lost."""
    put(spool, ("events", "live", b"one", 0))
    uplink.tell()
    assert transports[0].asked.wait(DEADLINE_S)
    put(spool, ("events", "live", b"two", 0))
    uplink.use(replace(config, ship=replace(config.ship, budget_mb_day=1.0)))
    assert len(transports) == 1
    transports[0].freed.set()
    wait_until("the other", lambda: len(transports) == 2, DEADLINE_S)
    transports[1].freed.set()
    wait_until("all of it", lambda: not waiting(spool), DEADLINE_S)
    assert transports[0].closed == 1
    values = [m.value for each in transports for m in each.stored]
    assert values == [b"one", b"two"]
    assert uplink.shipper.records == 2


def test_a_failure_of_the_thread_is_raised_where_the_node_is_driven(uplink, spool, transports):
    transports[0].error = RuntimeError("a mistake of ours")
    transports[0].freed.set()
    put(spool, ("events", "live", b"one", 0))
    uplink.tell()
    wait_until("its end", lambda: uplink._failed is not None, DEADLINE_S)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        uplink.turn()


def test_what_comes_over_the_log_is_heard_once(uplink, config):
    log = EmbeddedLog(config.path(config.ship.log))
    name = topic("harbour", "requests")
    assert uplink.received("requests") == []
    log.send(name, [Message("a", b"%d" % i, "p", i) for i in range(3)])
    assert [m.value for m in uplink.received("requests")] == [b"0", b"1", b"2"]
    log.send(name, [Message("a", b"3", "p", 3)])
    assert [m.value for m in uplink.received("requests")] == [b"3"]
    assert uplink.deaf == ""
    log.close()


@pytest.mark.slow_nojit
def test_a_transport_that_hangs_holds_up_no_sample_and_no_commit(tmp_path, transports):
    """Everything is processed and on the disk while the link hangs from the first batch on."""
    path = laid_out(tmp_path, f'pace = "real"\nt0_ns = {time.time_ns() - 30 * 10**9}')
    host = Host([path], time.time_ns())
    (hosted,) = host.nodes
    thread = threading.Thread(target=host.run)
    thread.start()
    assert transports[0].asked.wait(DEADLINE_S)

    def seen() -> int:
        try:
            return status(load(path))["samples"]["processed"]
        except VibroError:
            return 0

    wait_until("all of it", lambda: seen() == 2 * 12 * RATE, DEADLINE_S)
    assert host.facts()["ill"] == []
    wait_until("its name", lambda: hosted.shipper.link.facts().state == "slow", DEADLINE_S)
    (facts,) = host.facts()["nodes"]
    assert facts["link"]["state"] == "slow"
    assert transports[0].stored == []
    transports[0].freed.set()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert len(transports[0].stored) == sum(hosted._spool.produced().values())
