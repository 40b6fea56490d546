"""The services themselves: they start, hang, die and come back with what they had."""

from __future__ import annotations

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

DEADLINE_MS = 60_000


@pytest.fixture
def topic(kafka, request) -> str:
    admin = KafkaAdminClient(bootstrap_servers=kafka.servers)
    admin.create_topics([NewTopic(request.node.name, 1, 1)])
    admin.close()
    return request.node.name


def produce(kafka, topic: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.servers, acks="all")
    for value in values:
        producer.send(topic, value).get(DEADLINE_MS / 1000)
    producer.close()


def consume(kafka, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=kafka.servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=DEADLINE_MS,
    )
    found = [message.value for _, message in zip(range(count), consumer, strict=False)]
    consumer.close()
    return found


def test_a_killed_broker_comes_back_with_its_messages_at_its_port(kafka, topic):
    produce(kafka, topic, b"before")
    servers = kafka.servers
    kafka.kill()
    assert not kafka.running
    kafka.start()
    assert kafka.running
    assert kafka.servers == servers
    produce(kafka, topic, b"after")
    assert consume(kafka, topic, 2) == [b"before", b"after"]


def test_a_paused_broker_answers_when_it_goes_on(kafka, topic):
    producer = KafkaProducer(bootstrap_servers=kafka.servers, acks="all")
    producer.partitions_for(topic)
    kafka.pause()
    try:
        waiting = producer.send(topic, b"held")
        assert kafka.running
        assert not waiting.is_done
    finally:
        kafka.resume()
    assert waiting.get(DEADLINE_MS / 1000).offset == 0
    producer.close()
