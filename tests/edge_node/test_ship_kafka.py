"""A node and a real broker: what it ships arrives whole and in order, whatever happens."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka.admin import ACLOperation
from kafka.errors import TopicAlreadyExistsError

from edge_node.config import load
from edge_node.host import Host
from edge_node.service.facts import status
from edge_node.service.metrics import NodeMetrics
from tests.edge_node.plants import RATE, T0, bundle_of, healthy
from tests.edge_node.test_host import SECONDS, laid_out
from tests.services import certificates
from tests.services.fixtures import missing_is_told
from tests.services.kafka import KafkaServer, kafka_home
from tests.services.process import wait_until
from tests.vibro.cli.test_edge_run import Process, service
from tests.vibro.log.kafka.brokers import (
    ANYWHERE,
    admin,
    allow,
    everything,
    forbid,
    make,
    plain,
    secure,
)
from vibro.bundle import encode
from vibro.errors import VibroError
from vibro.log import Message
from vibro.log.kafka.settings import KafkaSection
from vibro.log.kafka.transport import KafkaTransport
from vibro.records import Health, topic
from vibro.wire import decode

pytestmark = pytest.mark.slow_nojit
KINDS = ("features", "events", "clips", "health", "labels", "models", "requests")
DEADLINE_S = 180.0
ALL = 2 * round(SECONDS) * RATE


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A broker that only these tests kill."""
    with missing_is_told():
        kafka_home()
    with KafkaServer(tmp_path_factory.mktemp("broker")) as server:
        make_topics(plain(server, request_timeout_s=20.0))
        yield server


@pytest.fixture
def server(own):
    yield own
    own.resume()
    own.start()
    with admin(plain(own, request_timeout_s=20.0)) as client:
        client.delete_topics([topic("harbour", kind) for kind in KINDS])
    make_topics(plain(own, request_timeout_s=20.0))


def make_topics(settings: KafkaSection, *kinds: str, **configs: object) -> None:
    """Make topics, some of which may just be being deleted."""
    left = [topic("harbour", kind) for kind in kinds or KINDS]

    def made() -> bool:
        with suppress(TopicAlreadyExistsError):
            make(settings, left[-1], **configs)
            left.pop()
        return not left

    wait_until("the topics", made, DEADLINE_S)


def over(settings: KafkaSection, home: Path, pace: str = "real", now: bool = True):
    """A node whose transport is a broker; in real time with four seconds to come, or long ago."""
    t0_ns = time.time_ns() - round((SECONDS - 4.0) * 1e9) if now else T0
    path = laid_out(home, f'pace = "{pace}"\nt0_ns = {t0_ns}')
    told = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
    path.write_text(
        f'{path.read_text()}[ship]\ntransport = "kafka"\n[kafka]\n' + "\n".join(lines) + "\n"
    )
    return path


def running(path: Path):
    """Run a node on a thread; returns the host, its node and a function for how the link stands."""
    host = Host([path], time.time_ns())
    thread = threading.Thread(target=host.run, daemon=True)
    thread.start()
    (hosted,) = host.nodes
    return SimpleNamespace(
        host=host,
        hosted=hosted,
        thread=thread,
        link=hosted.shipper.link.facts,
        text=lambda: NodeMetrics(host.facts).text().decode(),
    )


def stored(settings: KafkaSection, kind: str) -> list:
    """All records of a topic, repeats dropped as a consumer does."""
    records, last = [], {}
    for record in (decode(s.value) for s in everything(settings, topic("harbour", kind))):
        origin = record.origin
        if origin.sequence > last.get(origin.lane, -1):
            last[origin.lane] = origin.sequence
            records.append(record)
    return records


def check_everything_arrived(settings: KafkaSection, life, but: int = 0) -> None:
    """What the spool numbered is what a consumer has, each once and in order."""
    produced = life.hosted._spool.produced()
    assert sum(produced.values()) > 10
    records = {kind: stored(settings, kind) for kind in ("features", "events", "clips", "health")}
    arrived: dict[tuple[str, str], list[int]] = {}
    for kind, found in records.items():
        for record in found:
            arrived.setdefault((kind, record.origin.lane), []).append(record.origin.sequence)
    missing = {
        key: sorted(set(range(count)) - set(arrived.get(key, [])))
        for key, count in produced.items()
    }
    assert sum(map(len, missing.values())) == but, missing
    assert all(numbers == sorted(set(numbers)) for numbers in arrived.values())
    last = [r for r in records["health"] if r.content == "heartbeat"][-1]
    assert isinstance(last, Health)
    assert (last.seen, last.processed, last.lost) == (ALL, ALL, 0)


def test_a_node_ships_to_a_broker_whole_and_in_order(server, tmp_path):
    settings = plain(server)
    life = running(over(settings, tmp_path, "fast", now=False))
    life.thread.join(DEADLINE_S)
    assert not life.thread.is_alive()
    check_everything_arrived(settings, life)
    assert life.hosted.shipper.records == sum(life.hosted._spool.produced().values())
    assert life.link().state == "connected"
    assert not [t.name for t in threading.enumerate() if "shipper" in t.name]


def test_a_broker_that_is_killed_and_comes_back(server, tmp_path, caplog):
    settings = plain(server, request_timeout_s=2.0)
    life = running(over(settings, tmp_path))
    wait_until("the first record", lambda: life.hosted.shipper.records > 0, DEADLINE_S)
    server.kill()
    wait_until("its name", lambda: life.link().state == "away", DEADLINE_S)
    assert "nothing listens there (connection refused)" in life.link().error
    assert 'vibro_edge_link{machine="harbour/motor-1",node="n1",vibro_edge_link="away"} 1.0' in (
        life.text()
    )
    server.start()
    life.thread.join(DEADLINE_S)
    assert not life.thread.is_alive()
    check_everything_arrived(settings, life)
    downs = [r.getMessage() for r in caplog.records if "the link is down" in r.getMessage()]
    assert 1 <= len(downs) == len(set(downs)) <= 2, "once a change, not once an attempt"


def test_a_broker_that_hangs_for_longer_than_patience(server, tmp_path):
    """Acquisition, decisions and commits go on; the state says what is wrong."""
    path = over(plain(server, request_timeout_s=2.0), tmp_path)
    life = running(path)
    wait_until("the first record", lambda: life.hosted.shipper.records > 0, DEADLINE_S)
    server.pause()
    wait_until("its name", lambda: life.link().state in {"away", "slow"}, DEADLINE_S)
    assert "bootstrap" not in life.link().error
    wait_until("everything committed", lambda: _processed(path) == ALL, DEADLINE_S)
    assert life.host.facts()["ill"] == []
    server.resume()
    life.thread.join(DEADLINE_S)
    assert not life.thread.is_alive()
    check_everything_arrived(plain(server), life)


def _processed(path: Path) -> int:
    try:
        return int(status(load(path))["samples"]["processed"])
    except VibroError:
        return 0


def test_a_process_told_to_stop_does_not_wait_for_a_broker_that_hangs(server, tmp_path):
    """It ends in order, in time, and without a word of kafka-python's."""
    settings = plain(server, request_timeout_s=20.0)
    with suppress(TopicAlreadyExistsError):
        make(settings, *(topic("austin", kind) for kind in KINDS))
    options = "".join(
        f"{name} = {json.dumps(getattr(settings, name))}\n" for name in ("servers", "security")
    )
    path = service(tmp_path, more=f'[ship]\ntransport = "kafka"\n[kafka]\n{options}')
    path.write_text(path.read_text().replace("heartbeat_s = 10", "heartbeat_s = 1\ncommit_s = 1"))
    process = Process(path, tmp_path)
    try:
        process.told(b"READY=1")
        before = _end_of(settings, "austin")
        wait_until("something there", lambda: _end_of(settings, "austin") > before, DEADLINE_S)
        server.pause()
        process.line("the link is slow")
        process.child.send_signal(signal.SIGTERM)
        process.line("ended in order")
        assert process.child.wait(DEADLINE_S) == 0
        assert process.child.stderr.read() == ""
    finally:
        process.end()


def _end_of(settings: KafkaSection, site: str) -> int:
    return sum(len(everything(settings, topic(site, kind))) for kind in ("features", "health"))


def test_a_clip_too_large_for_its_topic_is_told_of_and_holds_up_nothing(server, tmp_path):
    settings = plain(server, request_timeout_s=10.0)
    with admin(settings) as client:
        client.delete_topics([topic("harbour", "clips")])
    make_topics(settings, "clips", max_message_bytes=2000)
    life = running(over(settings, tmp_path))
    life.thread.join(DEADLINE_S)
    assert not life.thread.is_alive()
    check_everything_arrived(settings, life, but=1)
    gaps = [r.detail for r in stored(settings, "health") if r.content == "gap"]
    (loss,) = [loss for gap in gaps for loss in gap["losses"]]
    assert (loss["kind"], loss["step"], loss["reason"]) == (
        "clips", "given up", "too large for a message",
    )  # fmt: skip
    assert stored(settings, "clips") == []


def test_a_topic_that_is_missing_is_named_until_it_is_made(server, tmp_path):
    settings = plain(server, request_timeout_s=5.0)
    with admin(settings) as client:
        client.delete_topics([topic("harbour", "features")])
    life = running(over(settings, tmp_path))
    wait_until("its name", lambda: life.link().state == "refused", DEADLINE_S)
    assert life.link().error == (
        "topic vibro.v1.harbour.features does not exist: run 'vibro cloud setup'"
    )
    make_topics(settings, "features")
    life.thread.join(DEADLINE_S)
    assert not life.thread.is_alive()
    check_everything_arrived(settings, life)


# -- in --------------------------------------------------------------------------------------------


def notice(version: str, spoilt: bool = False) -> Message:
    """A notice that brings its bundle along."""
    content = encode(bundle_of(healthy(40.0, 5), version))
    body = {
        "version": version, "file": "nowhere", "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
    carried = content[:-1] + b"!" if spoilt else content
    return Message("motor", json.dumps(body).encode(), "t", 0, (("bundle", carried),))


def test_a_bundle_comes_with_its_notice_and_only_the_newest_counts(server, tmp_path):
    """Also at a start, when a broker has not yet forgotten the ones before."""
    settings = plain(server)
    cloud = KafkaTransport(settings, ANYWHERE, "cloud")
    models, used = topic("harbour", "models"), []
    cloud.send(models, [notice("v1"), notice("v2")])
    path = over(settings, tmp_path, "real", now=False)
    host = Host([path], T0)
    (hosted,) = host.nodes

    def runs(version: str) -> bool:
        hosted.poll_models()
        if hosted.node.bundle_version not in {"", *used[-1:]}:
            used.append(hosted.node.bundle_version)
        return hosted.node.bundle_version == version

    wait_until("the newest", lambda: runs("v2"), DEADLINE_S)
    cloud.send(models, [notice("v4", spoilt=True)])
    wait_until("a refusal", lambda: runs("v4") or bool(hosted.refused), DEADLINE_S)
    assert hosted.refused == ["v4: bundle nowhere: its SHA-256 is not the announced one"]
    cloud.send(models, [notice("v3")])
    wait_until("the next", lambda: runs("v3"), DEADLINE_S)
    assert used == ["v2", "v3"]
    cloud.send(topic("harbour", "requests"), [Message("harbour/motor-1", b"{}", "p", 0)])
    wait_until("a request", lambda: bool(hosted.uplink.received("requests")), DEADLINE_S)
    cloud.close()
    host.release()


def test_a_dead_broker_does_not_delay_who_looks_for_models(server, tmp_path):
    server.pause()
    host = Host([over(plain(server, request_timeout_s=2.0), tmp_path)], time.time_ns())
    (hosted,) = host.nodes
    began = time.monotonic()
    for _ in range(200):
        hosted.poll_models()
        hosted.poll_requests(time.time_ns())
    assert (time.monotonic() - began) / 400 < 0.005
    wait_until("a word", lambda: bool(hosted.uplink.deaf), DEADLINE_S)
    assert "takes connections and answers nothing" in hosted.uplink.deaf
    host.release()


# -- certificates and rights -----------------------------------------------------------------------


@pytest.fixture
def guarded(kafka_secure):
    """A broker with TLS and rights on which the node of this test may do what it must."""
    chief = secure(kafka_secure, "admin", request_timeout_s=20.0)
    with suppress(TopicAlreadyExistsError):
        make(chief, *(topic("harbour", kind) for kind in KINDS))
    name = f"n{time.time_ns()}"
    _permit(chief, name)
    return SimpleNamespace(chief=chief, name=name, server=kafka_secure)


def _permit(chief: KafkaSection, name: str) -> None:
    for kind in KINDS:
        allow(chief, name, topic("harbour", kind), ACLOperation.WRITE, ACLOperation.DESCRIBE,
              ACLOperation.READ)  # fmt: skip


def test_an_expired_certificate_is_said_and_renewed_without_a_restart(
    guarded, tmp_path, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(certificates, "VALID", dt.timedelta(minutes=-5))
        cert, key = guarded.server.credentials(f"{guarded.name}-old")
    mine, mine_key = tmp_path / "node.crt", tmp_path / "node.key"
    shutil.copy(cert, mine)
    shutil.copy(key, mine_key)
    settings = secure(guarded.server, guarded.name, cert_file=str(mine), key_file=str(mine_key))
    life = running(over(settings, tmp_path))
    wait_until("its name", lambda: life.link().state == "refused", DEADLINE_S)
    assert "refuses our certificate" in life.link().error
    assert "it has expired on" in life.link().error
    cert, key = guarded.server.credentials(guarded.name)
    shutil.copy(key, mine_key)
    shutil.copy(cert, mine)
    life.host.reload(load)
    life.thread.join(DEADLINE_S)
    assert not life.thread.is_alive()
    assert life.link().state == "connected"
    assert life.hosted.shipper.records == sum(life.hosted._spool.produced().values())


def test_rights_that_are_taken_and_given_back(guarded, tmp_path):
    life = running(over(secure(guarded.server, guarded.name), tmp_path))
    wait_until("the first record", lambda: life.hosted.shipper.records > 0, DEADLINE_S)
    for kind in KINDS:
        forbid(guarded.chief, guarded.name, topic("harbour", kind))
    wait_until("its name", lambda: life.link().state == "refused", DEADLINE_S)
    assert f"as '{guarded.name}': run 'vibro cloud setup'" in life.link().error
    _permit(guarded.chief, guarded.name)
    life.thread.join(DEADLINE_S)
    assert not life.thread.is_alive()
    assert life.hosted.shipper.records == sum(life.hosted._spool.produced().values())
