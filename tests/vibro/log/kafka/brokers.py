"""Settings, topics and rights of the tests' brokers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    NewTopic,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from tests.services.kafka import KafkaServer
from tests.services.kafka_secure import SecureKafkaServer
from tests.services.process import wait_until
from vibro.log import Message, Stored
from vibro.log.kafka.client import client_options, load, opened, reader_options, stored
from vibro.log.kafka.settings import KafkaSection

PATIENCE_S = 4.0
"""Of clients in tests; a busy machine may take a second for an answer."""
ANYWHERE = Path("/")


def plain(server: KafkaServer | str, **options: Any) -> KafkaSection:
    """Settings without TLS."""
    servers = server if isinstance(server, str) else server.servers
    wanted = {"servers": (servers,), "security": "plaintext", "request_timeout_s": PATIENCE_S}
    return KafkaSection(**{**wanted, **options})


def secure(server: SecureKafkaServer, name: str, **options: Any) -> KafkaSection:
    """Settings with the certificate of a principal."""
    cert, key = server.credentials(name)
    wanted = {
        "servers": (server.servers,),
        "ca_file": str(server.ca / "ca.pem"),
        "cert_file": str(cert),
        "key_file": str(key),
        "request_timeout_s": PATIENCE_S,
    }
    return KafkaSection(**{**wanted, **options})


@contextmanager
def admin(settings: KafkaSection) -> Iterator[KafkaAdminClient]:
    """A client that may make topics and rights."""
    load()
    options = client_options(settings, ANYWHERE, "tests")
    options = {k: v for k, v in options.items() if k in KafkaAdminClient.DEFAULT_CONFIG}
    client = KafkaAdminClient(**options)
    try:
        yield client
    finally:
        client.close()


def site() -> str:
    """A site of its own for each test: brokers are shared."""
    return f"s{uuid.uuid4().hex[:10]}"


def make(settings: KafkaSection, *topics: str, partitions: int = 1, **configs: object) -> None:
    """Make topics."""
    told = {name.replace("_", "."): str(value) for name, value in configs.items()}
    with admin(settings) as client:
        client.create_topics([NewTopic(t, partitions, 1, topic_configs=told) for t in topics])


def allow(settings: KafkaSection, principal: str, topic: str, *operations: ACLOperation) -> None:
    """Let a principal do something with one topic."""
    pattern = ResourcePattern(ResourceType.TOPIC, topic)
    with admin(settings) as client:
        client.create_acls(
            [
                ACL(f"User:{principal}", "*", operation, ACLPermissionType.ALLOW, pattern)
                for operation in operations
            ]
        )


def forbid(settings: KafkaSection, principal: str, topic: str) -> None:
    """Take all that a principal may do with one topic."""
    pattern = ResourcePatternFilter(ResourceType.TOPIC, topic, ACLResourcePatternType.ANY)
    asked = ACLFilter(f"User:{principal}", "*", ACLOperation.ANY, ACLPermissionType.ANY, pattern)
    with admin(settings) as client:
        client.delete_acls([asked])


def everything(settings: KafkaSection, topic: str) -> list[Stored]:
    """All that a topic of one partition holds now: nobody waits for what might still come."""
    reader = opened("KafkaConsumer", reader_options(settings, ANYWHERE, "tests"), "cloud")
    place, found = TopicPartition(topic, 0), []
    try:
        reader.assign([place])
        end = reader.end_offsets([place])[place]

        def read() -> bool:
            polled = reader.poll(timeout_ms=1000) if reader.position(place) < end else {}
            found.extend(stored(record) for records in polled.values() for record in records)
            return reader.position(place) >= end

        wait_until(f"the end of {topic}", read)
    finally:
        reader.close(autocommit=False)
    return found


def messages(count: int, size: int = 100, first: int = 0, key: str = "a/b") -> list[Message]:
    """Numbered messages: the number is the value's beginning."""
    return [
        Message(key, b"%08d" % number + bytes(size - 8), "n/live", number)
        for number in range(first, first + count)
    ]


def numbers(stored: list[Any]) -> list[int]:
    """Numbers of messages that were stored."""
    return [int(s.value[:8]) for s in stored]
