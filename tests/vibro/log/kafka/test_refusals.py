"""What a broker with TLS and access rights refuses, and what the user is told of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from kafka.admin import ACLOperation

from tests.services import certificates
from tests.services.certificates import Authority
from tests.services.process import wait_until
from tests.vibro.log.kafka.brokers import (
    ANYWHERE,
    allow,
    forbid,
    make,
    messages,
    numbers,
    plain,
    secure,
    site,
)
from vibro.log import TransportError
from vibro.log.kafka.follower import Follower
from vibro.log.kafka.transport import KafkaTransport
from vibro.records import topic

WRITE = (ACLOperation.WRITE, ACLOperation.DESCRIBE)
READ = (ACLOperation.READ, ACLOperation.DESCRIBE)
PATIENCE_S = 20.0
"""Until a change of rights has reached the broker's own memory."""


@pytest.fixture
def events(kafka_secure):
    name = topic(site(), "events")
    make(secure(kafka_secure, "admin"), name)
    return name


def said(settings, name: str) -> TransportError:
    """What sending one message fails with."""
    transport = KafkaTransport(settings, ANYWHERE, "tests")
    with pytest.raises(TransportError) as caught:
        transport.send(name, messages(1))
    transport.close()
    assert "bootstrap" not in str(caught.value)
    return caught.value


def test_a_node_with_its_rights_writes_and_reads(kafka_secure, events):
    admin = secure(kafka_secure, "admin")
    allow(admin, "node-a", events, *WRITE, ACLOperation.READ)
    transport = KafkaTransport(secure(kafka_secure, "node-a"), ANYWHERE, "tests")
    wait_until("the rights", lambda: _sends(transport, events), PATIENCE_S)
    assert numbers(transport.read(events, 0, 10))[:1] == [0]
    transport.close()


def _sends(transport: KafkaTransport, name: str, first: int = 0) -> bool:
    try:
        transport.send(name, messages(1, first=first))
    except TransportError:
        return False
    return True


def test_rights_that_are_taken_and_given_back(kafka_secure, events):
    """The producer that was refused is of no use any more; the next one carries on."""
    admin, settings = secure(kafka_secure, "admin"), secure(kafka_secure, "node-b")
    before = said(settings, events)
    assert before.state == "refused"
    assert str(before).startswith(f"not allowed to write topic {events} as 'node-b': run 'vibro cl")
    allow(admin, "node-b", events, *WRITE)
    transport = KafkaTransport(settings, ANYWHERE, "tests")
    wait_until("the rights", lambda: _sends(transport, events), PATIENCE_S)
    forbid(admin, "node-b", events)
    wait_until("the refusal", lambda: not _sends(transport, events), PATIENCE_S)
    with pytest.raises(TransportError, match=r"not allowed to write topic .* as 'node-b'"):
        transport.send(events, messages(1))
    allow(admin, "node-b", events, *WRITE)
    wait_until("the rights again", lambda: _sends(transport, events, 77), PATIENCE_S)
    transport.close()


def test_reading_without_rights(kafka_secure, events):
    transport = KafkaTransport(secure(kafka_secure, "node-c"), ANYWHERE, "tests")
    with pytest.raises(TransportError, match=f"not allowed to read topic {events} as 'node-c'"):
        transport.read(events, 0, 10)
    assert transport.topics("vibro.*") == []
    transport.close()
    with pytest.raises(TransportError, match=f"not allowed to read topic {events} as 'node-c'"):
        Follower(secure(kafka_secure, "node-c"), ANYWHERE, "tests", [events], {})


def test_the_wrong_authority(kafka_secure, events, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    wrong = replace(secure(kafka_secure, "admin"), ca_file=str(stranger.certificate))
    error = said(wrong, events)
    assert error.state == "refused"
    assert f"kafka.ca_file = '{stranger.certificate}' must hold the authority" in str(error)


def test_a_certificate_of_another_authority(kafka_secure, events, tmp_path):
    cert, key = Authority(tmp_path / "stranger").credentials("admin")
    mine = replace(secure(kafka_secure, "admin"), cert_file=str(cert), key_file=str(key))
    error = said(mine, events)
    assert error.state == "refused"
    assert "refuses our certificate" in str(error)
    assert "it was signed by an authority that the broker does not trust" in str(error)


def test_a_certificate_that_has_expired(kafka_secure, events, monkeypatch):
    monkeypatch.setattr(certificates, "VALID", dt.timedelta(minutes=-5))
    error = said(secure(kafka_secure, "node-expired"), events)
    assert error.state == "refused"
    assert "it has expired on " in str(error)
    assert "renew it ('vibro edge enroll', 'vibro cloud sign')" in str(error)


def test_plaintext_to_a_tls_port_and_the_reverse(kafka_secure, kafka, events):
    error = said(plain(kafka_secure), events)
    assert "speaks TLS, and kafka.security = 'plaintext'" in str(error)
    error = said(secure(kafka_secure, "admin", servers=(kafka.servers,)), events)
    assert "does not speak TLS; kafka.servers must name the broker's TLS port" in str(error)
