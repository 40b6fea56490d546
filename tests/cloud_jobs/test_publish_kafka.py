"""Bundles over a real broker: they come with their notice, and nothing is said twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from cloud_jobs.publish import BUNDLE, announce, announce_newest, publish
from cloud_jobs.store import Store
from tests.edge_node.plants import bundle_of, healthy
from tests.vibro.log.kafka.brokers import ANYWHERE, make, plain, site
from vibro.errors import VibroError
from vibro.log import Message
from vibro.log.kafka.transport import KafkaTransport
from vibro.records import topic


@pytest.fixture
def log(kafka):
    opened = KafkaTransport(plain(kafka, request_timeout_s=10.0), ANYWHERE, "cloud")
    yield opened
    opened.close()


@pytest.fixture
def cloud(tmp_path):
    store = Store(tmp_path)
    yield tmp_path, store
    store.close()


def bundle(name: str, version: str, created_ns: int):
    return replace(bundle_of(healthy(40.0, 5), version), site=name, created_ns=created_ns)


def test_a_notice_brings_its_bundle_and_a_repeat_is_a_no_op(kafka, log, cloud):
    home, store = cloud
    name = site()
    models = topic(name, "models")
    make(plain(kafka, request_timeout_s=10.0), models, cleanup_policy="compact")
    rows = [publish(bundle(name, f"v{i}", i), home, store, log) for i in (1, 2)]
    announce_newest(rows, log, home)
    announce(rows[1], log, home)
    sent = log.read(models, 0, 100)
    assert [json.loads(s.value)["version"] for s in sent] == ["v1", "v2"]
    for stored in sent:
        content = dict(stored.headers)[BUNDLE]
        assert len(content) < 250_000
        assert hashlib.sha256(content).hexdigest() == json.loads(stored.value)["sha256"]
    log.send(models, [Message("motor", b"what a day", "somebody", 0)])
    announce_newest(rows, log, home)
    assert [s.value for s in log.read(models, 3, 100)] == [sent[1].value]


def test_a_bundle_that_is_gone_is_not_announced(kafka, log, cloud):
    home, store = cloud
    name = site()
    make(plain(kafka, request_timeout_s=10.0), topic(name, "models"))
    row = publish(bundle(name, "v1", 1), home, store, log)
    (home / "bundles" / row.file).unlink()
    with pytest.raises(VibroError, match=r"v1\.vbundle: cannot be read"):
        announce(replace_version(row), log, home)


def replace_version(row):
    row.version = "v2"
    return row
