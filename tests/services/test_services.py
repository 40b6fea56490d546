"""The services themselves: they start, hang, die and come back with what they had."""

from __future__ import annotations

import socket
import ssl
import subprocess

import pytest
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    NewTopic,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import TopicAuthorizationFailedError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tests.services.chromium import FLAGS

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


def as_principal(kafka_secure, name: str) -> dict[str, object]:
    certificate, key = kafka_secure.credentials(name)
    return {
        "bootstrap_servers": kafka_secure.servers,
        "security_protocol": "SSL",
        "ssl_cafile": str(kafka_secure.ca / "ca.pem"),
        "ssl_certfile": str(certificate),
        "ssl_keyfile": str(key),
    }


def test_the_secure_broker_lets_a_principal_do_what_its_acls_say_also_after_a_kill(kafka_secure):
    admin = KafkaAdminClient(**as_principal(kafka_secure, kafka_secure.superuser))
    admin.create_topics([NewTopic("allowed", 1, 1), NewTopic("forbidden", 1, 1)])
    allowed = ResourcePattern(ResourceType.TOPIC, "allowed")
    admin.create_acls(
        [ACL("User:node-1", "*", ACLOperation.WRITE, ACLPermissionType.ALLOW, allowed)]
    )
    admin.close()
    kafka_secure.kill()
    kafka_secure.start()
    producer = KafkaProducer(
        **as_principal(kafka_secure, "node-1"), acks="all", enable_idempotence=False
    )
    assert producer.send("allowed", b"mine").get(DEADLINE_MS / 1000).offset == 0
    with pytest.raises(TopicAuthorizationFailedError):
        producer.send("forbidden", b"not mine").get(DEADLINE_MS / 1000)
    producer.close()


def test_the_secure_broker_talks_to_nobody_without_a_certificate(kafka_secure):
    context = ssl.create_default_context(cafile=str(kafka_secure.ca / "ca.pem"))
    host, _, port = kafka_secure.servers.partition(":")
    with (
        socket.create_connection((host, int(port)), DEADLINE_MS / 1000) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
        pytest.raises(ssl.SSLError, match=r"(?i)certificate"),
    ):
        wrapped.recv(1)


def test_a_killed_postgres_comes_back_with_its_databases_and_takes_new_ones(postgres):
    engine = create_engine(postgres.new_database())
    with engine.begin() as connection:
        connection.execute(text("create table kept as select 7 as value"))
    open_still = engine.connect()
    open_still.execute(text("select 1"))
    postgres.kill()
    with pytest.raises(OperationalError):
        open_still.execute(text("select 1"))
    postgres.start()
    engine.dispose()
    with engine.connect() as connection:
        assert connection.scalar(text("select value from kept")) == 7
        # Not the order of bytes: a program that relies on that is to be found out.
        assert connection.scalar(text("select 'a' < 'B'"))
    engine.dispose()
    other = postgres.new_database()
    assert other != str(engine.url)
    postgres.drop_database(other)


def test_the_browser_runs_a_page_without_a_screen(chromium, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<body><script>document.body.append(6 * 7)</script></body>")
    shown = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_MS / 1000,
    )
    assert "42</body>" in shown.stdout


def test_influx_keeps_its_points_when_killed_and_answers_again_when_it_goes_on(influx):
    point = Point("status").tag("machine", "pump-1").field("rms_mm_s", 2.5).time(1_000_000_000)
    with InfluxDBClient(influx.url, influx.token, org=influx.org) as client:
        client.buckets_api().create_bucket(bucket_name="services")
        client.write_api(SYNCHRONOUS).write("services", record=point)
        influx.kill()
        influx.start()
        (table,) = client.query_api().query('from(bucket: "services") |> range(start: 0)')
        assert [record.get_value() for record in table.records] == [2.5]
        influx.pause()
        assert influx.running
        influx.resume()
        assert client.ping()
