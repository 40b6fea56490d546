"""A consumer's share of a real broker's topics: what is handed out, from where it is read."""

from __future__ import annotations

import threading

import pytest
from kafka import TopicPartition

from tests.cloud_jobs.kafka_plant import KafkaPlant
from tests.services.process import wait_until
from vibro.log import Message, TransportError
from vibro.log.kafka import feed as feeds
from vibro.log.kafka.feed import KafkaFeed
from vibro.log.kafka.settings import KafkaSection

KINDS = ("features", "events", "clips", "health")


@pytest.fixture
def plant(kafka, tmp_path):
    made = KafkaPlant(kafka.servers, tmp_path)
    yield made
    made.close()


class Reader:
    """Polls a feed, and starts what is fresh where the test's own account says."""

    def __init__(self, feed: KafkaFeed, account: dict) -> None:
        self.feed, self.account = feed, account
        self.busy_s = 0.0
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.ours: set = set()
        self.values: list[bytes] = []
        self.spans: dict = {}

    def look(self, wait_s: float = 0.2) -> None:
        polled = self.feed.poll(wait_s)
        self.ours = (self.ours - polled.gone) | polled.fresh.keys()
        self.spans |= polled.fresh
        self.feed.start({p: self.account.get(p, r.start - 1) for p, r in polled.fresh.items()})
        for m in polled.messages:
            assert m.place in self.ours
            assert m.offset > self.account.get(m.place, 0)
            self.account[m.place] = m.offset
            self.values.append(m.value)
        self.feed.kept({m.place: m.offset for m in polled.messages})

    def _run(self) -> None:
        while not self._leaving.is_set():
            self.look()
            self._leaving.wait(self.busy_s)
        self.feed.close()

    def begin(self) -> Reader:
        """Look all the time, as a process of its own would."""
        self._thread.start()
        return self

    def leave(self) -> None:
        """Leave the group."""
        self._leaving.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.feed.close()


@pytest.fixture
def reading(plant):
    account: dict = {}
    opened: list[Reader] = []

    def read(own: dict | None = None) -> Reader:
        opened.append(Reader(plant.feed(), account if own is None else own))
        return opened[-1]

    yield read
    for reader in opened:
        reader.leave()


def looked(reader: Reader, holds) -> None:
    """Look until something holds."""

    def step() -> bool:
        reader.look()
        return holds()

    wait_until("what is looked for", step)


def places(site: str, partitions: int) -> set:
    return {(f"vibro.v1.{site}.{kind}", p) for kind in KINDS for p in range(partitions)}


def send(plant, topic: str, *values: bytes) -> None:
    plant.log.send(topic, [Message(f"a/m{i % 7}", v, "p", i) for i, v in enumerate(values)])


def test_partitions_are_shared_new_sites_appear_and_who_leaves_is_replaced(plant, reading):
    first = places(plant.site("a", 2), 2)
    one = reading().begin()
    wait_until("its partitions", lambda: one.ours == first)
    other = reading()
    # A join of the group that ends while one is busy must not be forgotten.
    one.busy_s, other.busy_s = 0.6, 1.1
    other.begin()

    def shared(wanted: set) -> bool:
        mine, yours = set(one.ours), set(other.ours)
        return mine | yours == wanted and not mine & yours and len(mine) == len(yours)

    wait_until("the first site shared", lambda: shared(first))
    second = plant.site("b", 2)
    everything = first | places(second, 2)
    wait_until("everything shared", lambda: shared(everything))
    values = [b"%d" % i for i in range(100)]
    send(plant, f"vibro.v1.{second}.events", *values)
    wait_until("a hundred messages", lambda: len(one.values) + len(other.values) >= 100)
    assert sorted(one.values + other.values) == sorted(values)
    one.leave()
    wait_until("all for the other", lambda: other.ours == everything)
    send(plant, f"vibro.v1.{second}.events", b"more")
    wait_until("the newest message", lambda: other.values[-1:] == [b"more"])


def test_reading_begins_where_it_is_told_and_again_after_a_rewind(plant, reading):
    site = plant.site("a", 1)
    place = (f"vibro.v1.{site}.events", 0)
    values = [b"%d" % i for i in range(30)]
    send(plant, place[0], *values)
    reader = reading({place: 12})
    looked(reader, lambda: len(reader.values) >= 18)
    assert reader.values == values[12:]
    assert reader.spans[place] == range(1, 31)
    reader.account[place] = 25
    reader.feed.rewind()
    looked(reader, lambda: len(reader.values) >= 23)
    assert reader.values == values[12:] + values[25:]


def test_what_retention_deletes_meanwhile_is_asked_for_again(plant, reading):
    site = plant.site("a", 1)
    place = (f"vibro.v1.{site}.events", 0)
    reader = reading()
    looked(reader, lambda: place in reader.ours)
    reader.feed.rewind()
    polled = reader.feed.poll(0.2)
    assert polled.fresh[place] == range(1, 1)
    send(plant, place[0], *(b"%d" % i for i in range(20)))
    plant.admin.delete_records({TopicPartition(*place): 15})
    reader.feed.start(dict.fromkeys(polled.fresh, 0))
    looked(reader, lambda: len(reader.values) >= 5)
    assert reader.values == [b"15", b"16", b"17", b"18", b"19"]
    assert reader.spans[place] == range(16, 21)


def test_what_the_group_is_told_is_what_was_kept(plant, reading):
    site = plant.site("a", 1)
    topic = f"vibro.v1.{site}.events"
    send(plant, topic, *(b"%d" % i for i in range(9)))
    reader = reading()
    looked(reader, lambda: len(reader.values) >= 9)

    def committed() -> dict:
        told = plant.admin.list_group_offsets(plant.group)
        told = told.get(plant.group, told)
        return {tp.topic: o.offset for tp, o in told.items() if o.offset > 0}

    wait_until("the commit", lambda: committed() == {topic: 9})


def test_a_broker_that_is_not_there_is_told_in_one_sentence(tmp_path, monkeypatch):
    settings = KafkaSection(servers=("127.0.0.1:1",), security="plaintext")
    feed = KafkaFeed(settings, tmp_path, "vibro-x", "^vibro")
    for _ in range(2):
        with pytest.raises(TransportError, match=r"broker 127\.0\.0\.1:1: nothing listens there"):
            feed.poll()
    feed.close()


def test_a_broker_that_falls_silent_is_told_and_read_on_when_it_is_back(
    plant, reading, kafka, monkeypatch
):
    monkeypatch.setattr(feeds, "QUIET_S", 0.5)
    site = plant.site("a", 1)
    topic = f"vibro.v1.{site}.events"
    reader = reading()
    looked(reader, lambda: len(reader.ours) == 4)
    kafka.kill()
    try:
        with pytest.raises(TransportError, match="nothing listens there"):
            looked(reader, lambda: False)
    finally:
        kafka.start()
    plant.log.close()
    send(plant, topic, b"back")
    looked(reader, lambda: reader.values == [b"back"])
