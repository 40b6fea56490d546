"""Who is refused by a real broker: each line of the matrix in docs/security.md, and nobody else."""

from __future__ import annotations

import secrets
import shutil
import socket
from contextlib import closing
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from cloud_jobs.setup.access import Rule
from cloud_jobs.setup.broker import Broker
from cloud_jobs.setup.topics import Topic
from tests.security.hands import FalseBroker, answered, authority, ended, fetched, forged
from tests.security.plants import done, plant_on
from tests.services.process import wait_until
from vibro.errors import VibroError
from vibro.log.kafka.client import client_options, reader_options
from vibro.log.kafka.transport import KafkaTransport
from vibro.log.port import Message, TooLargeError, TransportError

SITE = f"s{secrets.token_hex(4)}"
RECORDS = ("features", "events", "clips", "health", "labels")
NOTICES = ("models", "requests")
FAN = f"{SITE}-fan"
DENIED = (29, 0)


@pytest.fixture(scope="module")
def plant(tmp_path_factory, kafka_secure):
    """Two sites whose names begin alike, each node enrolled, everything set up."""
    root = tmp_path_factory.mktemp("plant")
    made = plant_on(root, kafka_secure, f"{SITE}/fan", f"{SITE}/pump", f"{SITE}-2/fan")
    for machine in (f"{SITE}/fan", f"{SITE}/pump", f"{SITE}-2/fan"):
        made.enrolled(machine)
    done(made.cloud("setup", "--yes"))
    return made


@pytest.fixture(scope="module")
def admin(plant):
    with closing(Broker(plant.settings(plant.home / "secrets/admin.pem"), plant.home)) as broker:
        yield broker


def transport(plant, pair):
    return closing(KafkaTransport(plant.settings(pair), plant.root, "test"))


@pytest.fixture
def fan(plant):
    with transport(plant, plant.pair(f"{SITE}/fan")) as made:
        yield made


@pytest.fixture
def cloud(plant):
    with transport(plant, plant.home / "secrets/cloud.pem") as made:
        yield made


def name(kind, site=SITE):
    return f"vibro.v1.{site}.{kind}"


def message(value=b"x", sequence=0):
    return [Message(f"{SITE}/fan", value, FAN, sequence)]


def refused(fan, topic):
    """What the node is told when it writes where it may not."""
    with pytest.raises(TransportError) as error:
        fan.send(topic, message())
    assert error.value.state == "refused"
    return str(error.value)


def others_still_work(plant):
    """Whatever was refused to one, another node's next record is stored."""
    with transport(plant, plant.pair(f"{SITE}/pump")) as pump:
        pump.send(name("events"), [Message(f"{SITE}/pump", b"ok", f"{SITE}-pump", 0)])


# -- who it is -------------------------------------------------------------------------------------


def test_a_node_writes_its_sites_records_and_reads_its_sites_notices(plant, fan, cloud):
    for kind in RECORDS:
        fan.send(name(kind), message(kind.encode()))
    for kind in NOTICES:
        cloud.send(name(kind), [Message("motor", kind.encode(), "publish", 0)])
        assert [s.value for s in fan.read(name(kind), 0, 10)][-1] == kind.encode()
    assert fan.topics("*") == sorted(name(kind) for kind in RECORDS + NOTICES)


def test_a_certificate_of_another_authority(plant, tmp_path):
    pair = forged(tmp_path / "node.pem", authority(tmp_path / "other"), FAN)
    assert not answered(plant.server.servers, plant.server.ca, pair)
    with transport(plant, pair) as node:
        assert "refuses our certificate" in refused(node, name("features"))
    others_still_work(plant)


@pytest.mark.parametrize(
    ("begins", "ends", "words"),
    [(-2.0, -1.0, "expired on"), (0.5, 1.0, "not valid before")],
    ids=["expired", "not yet valid"],
)
def test_a_certificate_out_of_its_term(plant, tmp_path, begins, ends, words):
    pair = forged(tmp_path / "node.pem", plant.server.ca, FAN, begins, ends)
    assert not answered(plant.server.servers, plant.server.ca, pair)
    with transport(plant, pair) as node:
        assert words in refused(node, name("features"))
    others_still_work(plant)


def test_an_open_connection_outlives_its_certificate_the_next_one_does_not(plant, tmp_path):
    """What docs/security.md says: the term ends a theft at the next connection, not before."""
    pair = forged(tmp_path / "node.pem", plant.server.ca, FAN, ends=6 / 86_400)
    with transport(plant, pair) as node:
        node.send(name("events"), message(b"in time"))
        wait_until("the end of the certificate", lambda: ended(pair), 20.0)
        node.send(name("events"), message(b"afterwards"))
    assert not answered(plant.server.servers, plant.server.ca, pair)
    with transport(plant, pair) as node:
        assert "expired on" in refused(node, name("events"))


@pytest.mark.parametrize(
    "key",
    [ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 3072)],
    ids=["Ed25519", "RSA 3072"],
)
def test_every_kind_of_key_that_the_authority_takes_is_good_for_a_broker(plant, tmp_path, key):
    pair = forged(tmp_path / "node.pem", plant.server.ca, FAN, key=key)
    with transport(plant, pair) as node:
        node.send(name("features"), message(b"mine"))


def test_no_certificate(plant):
    assert answered(plant.server.servers, plant.server.ca, plant.pair(f"{SITE}/fan"))
    assert not answered(plant.server.servers, plant.server.ca, None)


def test_no_tls(plant):
    host, _, port = plant.server.servers.rpartition(":")
    with socket.create_connection((host, int(port)), 20.0) as link:
        link.sendall(b"\x00\x00\x00\x0b\x00\x12\x00\x00\x00\x00\x00\x01\x00\x01x")
        assert link.recv(100)[:1] in {b"", b"\x15"}  # closed, or an alert of TLS


def test_a_good_certificate_of_nobody_we_know(plant, tmp_path):
    pair = forged(tmp_path / "node.pem", plant.server.ca, "somebody")
    with transport(plant, pair) as node:
        assert "somebody" in refused(node, name("features"))
        assert node.topics("*") == []


def test_a_revoked_node_is_refused_at_once_on_its_open_connection(plant):
    plant.register(f"{SITE}/fan", f"{SITE}/pump", f"{SITE}-2/fan", f"{SITE}/thief")
    plant.enrolled(f"{SITE}/thief")
    done(plant.cloud("setup", "--yes"))
    with transport(plant, plant.pair(f"{SITE}/thief")) as thief:
        thief.send(name("events"), [Message(f"{SITE}/thief", b"1", f"{SITE}-thief", 1)])
        thief.read(name("models"), 0, 1)
        done(plant.cloud("revoke", f"{SITE}-thief"))
        with pytest.raises(TransportError, match="not allowed to write topic"):
            thief.send(name("events"), [Message(f"{SITE}/thief", b"2", f"{SITE}-thief", 2)])
        assert thief.topics("*") == []
    done(plant.cloud("setup", "--yes"))
    with transport(plant, plant.pair(f"{SITE}/thief")) as thief:
        assert "was removed from the plant" in refused(thief, name("events"))
    others_still_work(plant)


# -- where it may ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", RECORDS + NOTICES)
def test_another_sites_topics(plant, fan, kind):
    """Also of the site whose name begins with ours."""
    assert "not allowed to write" in refused(fan, name(kind, f"{SITE}-2"))
    assert reads(plant, plant.pair(f"{SITE}/fan"), name(kind, f"{SITE}-2")) == DENIED


@pytest.mark.parametrize("kind", NOTICES)
def test_its_own_sites_notices_cannot_be_written(plant, fan, kind):
    assert "not allowed to write" in refused(fan, name(kind))


@pytest.mark.parametrize("kind", RECORDS)
def test_its_own_sites_records_cannot_be_read(plant, kind):
    assert reads(plant, plant.pair(f"{SITE}/fan"), name(kind)) == DENIED


@pytest.mark.parametrize(
    "topic",
    [f"vibro.v1.{SITE}.x.features", f"vibro.v1.{SITE}x.features", f"vibro.v1.{SITE}.more"],
    ids=["below a longer name", "a longer site", "another kind"],
)
def test_topics_whose_names_begin_like_its_own(plant, admin, fan, topic):
    admin.make_topic(topic, Topic(1, {}))
    assert "not allowed to write" in refused(fan, topic)
    assert reads(plant, plant.pair(f"{SITE}/fan"), topic) == DENIED


def test_dead_letters_are_the_clouds(plant, fan, cloud):
    assert "not allowed to write" in refused(fan, "vibro.v1.dead")
    cloud.send("vibro.v1.dead", message())
    assert reads(plant, plant.pair(f"{SITE}/fan"), "vibro.v1.dead") == DENIED
    error, size = reads(plant, plant.home / "secrets/cloud.pem", "vibro.v1.dead")
    assert error == 0
    assert size > 0


def test_the_cloud_cannot_write_what_nodes_write(plant, cloud):
    assert "not allowed to write" in refused(cloud, name("events"))


def reads(plant, pair, topic):
    """Error and bytes when somebody fetches a topic, without asking who leads it."""
    return fetched(plant.server.servers, plant.server.ca, pair, topic)


def test_a_node_may_join_no_group_and_administer_nothing(plant, admin):
    pair = plant.pair(f"{SITE}/fan")
    options = reader_options(plant.settings(pair), plant.root, "thief")
    member = KafkaConsumer(name("models"), **options, group_id="vibro-cloud")
    with closing(member), pytest.raises(GroupAuthorizationFailedError):
        _polled(member)
    with closing(Broker(plant.settings(pair), plant.root)) as node:
        rule = Rule(FAN, "WRITE", "TOPIC", "vibro.v1.", prefix=True)
        for act in (
            lambda: node.make_topic(f"vibro.v1.{SITE}.mine", Topic(1, {})),
            lambda: node.set_topic(name("features"), {"retention.ms": "1000"}),
            lambda: node.allow([rule]),
            lambda: node.forget([Rule(FAN, "READ", "TOPIC", name("models"))]),
            node.rules,
        ):
            with pytest.raises(VibroError, match="the broker does not let"):
                act()
        with pytest.raises((ClusterAuthorizationFailedError, TopicAuthorizationFailedError)):
            node._admin.delete_topics([name("features")])
    assert rule not in (admin.rules(FAN) or set())
    assert name("features") in admin.all_topics()


def _polled(consumer):
    for _ in range(20):
        consumer.poll(timeout_ms=1000)


# -- what it says ----------------------------------------------------------------------------------


def test_an_oversized_message_is_refused_here_and_by_the_broker(plant, fan):
    size = plant.settings("x").message_max_bytes
    with pytest.raises(TooLargeError) as error:
        fan.send(name("features"), message(secrets.token_bytes(size + 1)))
    assert error.value.at == 0
    # Who lifts his own bound meets the broker's.
    settings = plant.settings(plant.pair(f"{SITE}/fan"))
    options = client_options(settings, plant.root, "thief") | {
        "max_request_size": 4 * size, "retries": 0,
    }  # fmt: skip
    with closing(KafkaProducer(**options)) as producer, pytest.raises(MessageSizeTooLargeError):
        producer.send(name("features"), secrets.token_bytes(2 * size)).get(timeout=60)
    fan.send(name("features"), message(b"next"))
    others_still_work(plant)


# -- who the broker is -----------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["another authority's", "another host's", "a node's"])
def test_a_false_broker_is_told_nothing(plant, tmp_path, who):
    other = authority(tmp_path / "other") if who == "another authority's" else plant.server.ca
    pair = tmp_path / "broker.pem"
    if who == "a node's":
        shutil.copy(plant.pair(f"{SITE}/pump"), pair)
    else:
        host = "127.0.0.1" if who == "another authority's" else "elsewhere.example.org"
        forged(pair, other, "broker", server=host)
    with closing(FalseBroker(pair)) as broker:
        settings = replace(plant.settings(plant.pair(f"{SITE}/fan")), servers=(broker.servers,))
        node = KafkaTransport(settings, plant.root, "test")
        with closing(node), pytest.raises(TransportError, match="its certificate is") as error:
            node.send(name("features"), message())
        assert error.value.state == "refused"
        assert not broker.heard
