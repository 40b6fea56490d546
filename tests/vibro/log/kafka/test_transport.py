"""The transport over a real broker: order, durability, and what is said when there is neither."""

from __future__ import annotations

import random
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vibro.log.kafka.brokers import ANYWHERE, make, messages, numbers, plain, site
from vibro.log import Message, TooLargeError, TransportError
from vibro.log.kafka.follower import Follower
from vibro.log.kafka.transport import CHUNK_BYTES, RECORD_BYTES, KafkaTransport, _chunks
from vibro.records import topic

SIZES = st.integers(0, 3 * CHUNK_BYTES)


@pytest.fixture
def transport(kafka):
    opened = KafkaTransport(plain(kafka), ANYWHERE, "tests")
    yield opened
    opened.close()


@pytest.fixture
def events(kafka):
    name = topic(site(), "events")
    make(plain(kafka), name)
    return name


@given(st.lists(st.tuples(st.sampled_from("ab"), SIZES), max_size=20))
def test_chunks_hold_one_key_and_less_than_a_batch_and_keep_the_order(drawn):
    sent = [Message(key, bytes(size), "p", i) for i, (key, size) in enumerate(drawn)]
    chunks = list(_chunks(sent))
    assert [m for chunk in chunks for m in chunk] == sent
    for chunk in chunks:
        assert len({m.key for m in chunk}) == 1
        assert len(chunk) == 1 or sum(m.size + RECORD_BYTES for m in chunk) <= CHUNK_BYTES


def test_what_was_sent_is_read_in_order_with_key_and_headers(transport, events):
    headers = (("bundle", b"\x00\xff"), ("empty", b""))
    sent = [Message("harbour/pump", b"%d" % i, "n/live", i, headers) for i in range(5)]
    transport.send(events, sent)
    read = transport.read(events, 0, 100)
    assert [(s.value, s.key, s.headers, s.offset) for s in read] == [
        (m.value, m.key, m.headers, at + 1) for at, m in enumerate(sent)
    ]
    assert {s.topic for s in read} == {events}
    assert [s.offset for s in transport.read(events, 3, 1)] == [4]
    assert transport.read(events, 5, 100) == []
    assert [s.offset for s in transport.read(events, 0, 2)] == [1, 2]
    assert [s.offset for s in transport.read(events, 2, 2)] == [3, 4]


def test_topics_by_pattern_and_those_that_are_not_there(transport, events):
    of_site = events.rpartition(".")[0]
    assert transport.topics(f"{of_site}.*") == [events]
    assert transport.topics("vibro.v9.*") == []
    assert transport.read(f"{of_site}.clips", 0, 10) == []


def test_many_and_large_messages_arrive_whole_and_in_order(transport, events):
    sent = messages(400, 20_000)
    transport.send(events, sent)
    read = []
    while more := transport.read(events, len(read), 1000):
        read += more
    assert [s.value for s in read] == [m.value for m in sent]


def test_a_topic_that_is_missing_names_the_remedy(transport, events):
    missing = events.replace("events", "clips")
    for _ in range(2):  # without a producer, and with one
        with pytest.raises(TransportError) as caught:
            transport.send(missing, messages(1))
        assert str(caught.value) == f"topic {missing} does not exist: run 'vibro cloud setup'"
        assert caught.value.state == "refused"
        transport.send(events, messages(1))


def test_a_message_that_is_too_large_is_pointed_out_and_holds_up_nothing(kafka, transport):
    name = topic(site(), "clips")
    make(plain(kafka), name, max_message_bytes=30_000)
    sent = [*messages(3), Message("a/b", _noise(40_000), "n/live", 3), *messages(2, first=4)]
    for attempt in range(2):
        with pytest.raises(
            TooLargeError, match=f"message of 40... bytes .* topic {name}"
        ) as caught:
            transport.send(name, sent)
        assert caught.value.at == 3, attempt
    transport.send(name, sent[:3] + sent[4:])
    # Repeats are what it costs; what a consumer takes of them is whole and in order.
    assert taken(transport.read(name, 0, 100)) == [0, 1, 2, 4, 5]


def test_a_message_larger_than_we_may_send_is_pointed_out_without_a_broker_asked(kafka, events):
    small = KafkaTransport(plain(kafka, message_max_mb=1.0), ANYWHERE, "tests")
    with pytest.raises(TooLargeError) as caught:
        small.send(events, [*messages(2), Message("a/b", _noise(1_100_000), "n/live", 2)])
    assert caught.value.at == 2
    small.close()


def test_a_large_clip_passes_where_the_topic_was_set_up_for_it(kafka, transport):
    name = topic(site(), "clips")
    make(plain(kafka), name, max_message_bytes=16_000_000)
    clip = Message("a/b", _noise(2_000_000), "n/live", 0)
    transport.send(name, [clip])
    assert transport.read(name, 0, 10)[0].value == clip.value


def test_a_follower_reads_from_the_start_and_then_what_comes_at_once(kafka, transport, events):
    requests = events.replace("events", "requests")
    transport.send(events, messages(3))
    follower = Follower(plain(kafka), ANYWHERE, "f", [events, requests], {})
    read = until(follower, 3)
    assert numbers(read) == [0, 1, 2]
    came: list[float] = []
    waiting = threading.Thread(target=lambda: (until(follower, 1), came.append(time.monotonic())))
    waiting.start()
    sent_at = time.monotonic()
    transport.send(events, messages(1, first=3))
    waiting.join(10)
    assert came[0] - sent_at < 2.0, "less than the question that stays open"
    follower.close()
    again = Follower(plain(kafka), ANYWHERE, "f", [events, requests], {events: 2})
    assert numbers(until(again, 2)) == [2, 3]
    again.close()


def until(follower: Follower, count: int) -> list:
    read: list = []
    deadline = time.monotonic() + 20
    while len(read) < count:
        assert time.monotonic() < deadline
        read += follower.poll(0.5)
    return read


def taken(stored: list) -> list[int]:
    """Numbers that a consumer takes: those above the last one taken."""
    last, found = -1, []
    for number in numbers(stored):
        if number > last:
            last = number
            found.append(number)
    return found


def _noise(size: int) -> bytes:
    """Bytes that do not compress, with a number in front."""
    return b"%08d" % 3 + random.Random(0).randbytes(size - 8)  # noqa: S311 (noise)
