"""Brokers that die, hang and are cut off: nothing is lost, and what is taken is in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.services.fixtures import missing_is_told
from tests.services.kafka import kafka_home
from tests.services.process import wait_until
from tests.vibro.log.kafka.brokers import ANYWHERE, make, messages, numbers, plain, site
from tests.vibro.log.kafka.cables import broker_at_a_cable
from tests.vibro.log.kafka.test_transport import taken
from vibro.log import TransportError
from vibro.log.kafka.transport import KafkaTransport
from vibro.records import topic

PATIENCE_S = 2.0
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A broker that only these tests kill, and the cable to it."""
    with missing_is_told():
        kafka_home()
    with broker_at_a_cable(tmp_path_factory.mktemp("cable")) as both:
        yield both


@pytest.fixture
def server(line):
    yield line[0]
    line[0].resume()
    line[0].start()


@pytest.fixture
def cable(line):
    yield line[1]
    line[1].release()
    line[1].mend()


@pytest.fixture
def transport(server, cable):
    opened = KafkaTransport(plain(cable.address, request_timeout_s=PATIENCE_S), ANYWHERE, "tests")
    yield opened
    opened.close()


@pytest.fixture
def events(server):
    name = topic(site(), "events")
    make(plain(server, request_timeout_s=10.0), name)
    return name


class Sender(threading.Thread):
    """Sends batches as a shipper does: the same again until it is acknowledged."""

    def __init__(self, transport: KafkaTransport, name: str, batches: Iterator[list]) -> None:
        super().__init__(daemon=True)
        self._transport, self._topic, self._batches = transport, name, batches
        self.acknowledged = 0
        self.errors: list[TransportError] = []
        self.start()

    def run(self) -> None:
        for batch in self._batches:
            while True:
                try:
                    self._transport.send(self._topic, batch)
                except TransportError as error:
                    self.errors.append(error)
                    time.sleep(0.1)
                else:
                    break
            self.acknowledged += len(batch)


def batches(count: int, size: int = 20) -> Iterator[list]:
    return (messages(size, 300, first=size * i) for i in range(count))


def stored(server, name: str) -> list:
    """All that a topic holds, read beside the cable."""
    reader = KafkaTransport(plain(server, request_timeout_s=10.0), ANYWHERE, "reader")
    found: list = []
    try:
        while more := reader.read(name, found[-1].offset if found else 0, 1000):
            found += more
    finally:
        reader.close()
    return found


def test_a_batch_that_comes_late_is_only_a_repeat(server, cable, transport, events):
    """It lay on the way while its sender gave it up, sent it again, and went on."""
    transport.send(events, messages(10))
    cable.hold()
    began = time.monotonic()
    with pytest.raises(TransportError, match="did not acknowledge") as caught:
        transport.send(events, messages(10, first=10))
    assert time.monotonic() - began < PATIENCE_S + 3.0
    assert caught.value.state == "slow"
    for first, count in ((10, 4), (14, 6), (20, 10)):  # smaller batches, as a shipper makes them
        transport.send(events, messages(count, first=first))
    assert numbers(stored(server, events)) == list(range(30))
    cable.release()
    wait_until("the late batch", lambda: len(stored(server, events)) == 40, DEADLINE_S)
    assert numbers(stored(server, events))[30:] == list(range(10, 20))
    assert taken(stored(server, events)) == list(range(30))


def test_a_batch_that_comes_late_but_first_makes_repeats_of_the_new_ones(
    server, cable, transport, events
):
    transport.send(events, messages(10))
    cable.hold()
    with pytest.raises(TransportError):
        transport.send(events, messages(10, first=10))
    cable.release()
    wait_until("the late batch", lambda: len(stored(server, events)) == 20, DEADLINE_S)
    transport.send(events, messages(20, first=10))
    assert taken(stored(server, events)) == list(range(30))


def test_kill_9_in_the_middle(server, cable, transport, events):
    sender = Sender(transport, events, batches(120))
    wait_until("half of it", lambda: sender.acknowledged >= 600, DEADLINE_S)
    server.kill()
    wait_until("a word of it", lambda: bool(sender.errors), DEADLINE_S)
    error = sender.errors[0]
    assert error.state in {"away", "refused"}
    assert "bootstrap" not in str(error)
    server.start()
    sender.join(DEADLINE_S)
    assert sender.acknowledged == 2400
    assert taken(stored(server, events)) == list(range(2400))


def test_a_broker_that_hangs_for_longer_than_patience(server, cable, transport, events):
    sender = Sender(transport, events, batches(120))
    wait_until("half of it", lambda: sender.acknowledged >= 600, DEADLINE_S)
    server.pause()
    wait_until("two words of it", lambda: len(sender.errors) >= 2, DEADLINE_S)
    before = sender.acknowledged
    server.resume()
    assert {e.state for e in sender.errors} == {"away"}
    assert "takes connections and answers nothing" in str(sender.errors[-1])
    sender.join(DEADLINE_S)
    assert before < sender.acknowledged == 2400
    assert taken(stored(server, events)) == list(range(2400))


def test_a_link_that_is_cut_again_and_again(server, cable, transport, events):
    sender = Sender(transport, events, batches(120))
    for cut in range(1, 4):
        wait_until("more", lambda cut=cut: sender.acknowledged >= 500 * cut, DEADLINE_S)
        cable.cut()
        wait_until("a word", lambda cut=cut: len(sender.errors) >= cut, DEADLINE_S)
        cable.mend()
    sender.join(DEADLINE_S)
    assert sender.acknowledged == 2400
    assert taken(stored(server, events)) == list(range(2400))
    assert all("bootstrap" not in str(e) for e in sender.errors)


def test_an_ended_producer_leaves_no_thread_that_tries_on(server, cable, transport, events):
    transport.send(events, messages(1))
    cable.cut()
    with pytest.raises(TransportError):
        transport.send(events, messages(1, first=1))
    wait_until("no thread", lambda: not _producers(), 10.0)
    cable.mend()
    assert numbers(stored(server, events)) == [0]


def _producers() -> list[str]:
    return [t.name for t in threading.enumerate() if "network-thread" in t.name]
