"""Publishing: the file first, then its row, last the notice; and what the edge makes of it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_jobs.publish import publish
from cloud_jobs.store import Store
from edge_node.judging.models import BundleSlot, Notice
from tests.vibro.bundle.bundles import bundle
from vibro.bundle import Bundle, decode, encode
from vibro.errors import BadInputError
from vibro.features.table import SCHEMA_HASH
from vibro.log import EmbeddedLog

TOPIC = "vibro.v1.harbour.models"
DAY_NS = 86_400 * 10**9


class Cloud:
    """A home that publishes, and a node beside it."""

    def __init__(self, folder) -> None:
        self.home, self.store = folder / "home", Store(folder / "home")
        self.log = EmbeddedLog(self.home / "log")
        (folder / "node").mkdir()
        self.slot = BundleSlot(folder / "node", "harbour", "pump")

    def publish(self, made: Bundle):
        return publish(made, self.home, self.store, self.log)

    def notices(self) -> dict[str, dict]:
        return {m.key: json.loads(m.value) for m in self.log.read(TOPIC, 0, 100)}

    def offered(self) -> Bundle | None:
        """What the node makes of the newest notice."""
        (message,) = [m for m in self.log.read(TOPIC, 0, 100) if m.key == "pump"]
        notice = Notice.parse("harbour", "pump", message.value)
        return self.slot.offer(notice, self.home / "bundles")


@pytest.fixture
def cloud(tmp_path):
    return Cloud(tmp_path)


def made(version: str = "v1", day: int = 0, **facts) -> Bundle:
    created = 1_700_000_000 * 10**9 + day * DAY_NS
    return bundle(version=version, created_ns=created, schema_hash=SCHEMA_HASH, **facts)


def test_file_row_and_notice_say_the_same(cloud):
    row = cloud.publish(made())
    content = (cloud.home / "bundles" / "harbour" / "pump" / "v1.vbundle").read_bytes()
    assert content == encode(made())
    digest = hashlib.sha256(content).hexdigest()
    assert (row.sha256, row.bytes, row.file) == (digest, len(content), "harbour/pump/v1.vbundle")
    (kept,) = cloud.store.models()
    assert (kept.sha256, kept.metrics, kept.created_ns) == (digest, row.metrics, row.created_ns)
    assert cloud.store.champion_bytes("harbour", "pump") == content
    notice = {"version": "v1", "file": row.file, "sha256": digest, "bytes": len(content)}
    assert cloud.notices() == {"pump": notice}
    assert cloud.offered().version == "v1"


def test_what_the_gate_measured_stands_beside_the_bundles_own_figures(cloud):
    judged = replace(made(), meta={"gate": {"fast_share_p01": 0.012}})
    assert cloud.publish(judged).metrics == made().metrics | {"fast_share_p01": 0.012}
    assert cloud.publish(made("v2")).metrics == made().metrics


def test_publishing_twice_is_a_no_op(cloud):
    cloud.publish(made())
    end = cloud.log.end_offset(TOPIC)
    cloud.publish(made())
    assert cloud.log.end_offset(TOPIC) == end
    assert len(cloud.store.models()) == 1


def test_of_each_class_the_newest_notice_is_kept(cloud):
    cloud.publish(made("v1", 0))
    cloud.publish(made("w1", 0, machine_class="fan"))
    cloud.publish(made("v2", 1))
    assert {k: n["version"] for k, n in cloud.notices().items()} == {"pump": "v2", "fan": "w1"}
    cloud.publish(made("v1", 0))
    assert cloud.notices()["pump"]["version"] == "v2"
    assert cloud.store.champion("harbour", "pump").version == "v2"
    files = sorted(f.name for f in (cloud.home / "bundles" / "harbour" / "pump").iterdir())
    assert files == ["v1.vbundle", "v2.vbundle"]


def test_a_draft_that_a_killed_process_left_is_in_nobodys_way(cloud):
    draft = cloud.home / "bundles" / "harbour" / "pump" / "v1.new"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"half a bundle" * 10_000)
    cloud.publish(made())
    assert cloud.offered().version == "v1"
    assert not draft.exists()


def test_a_full_disk_announces_nothing_and_leaves_the_old_bundle(cloud, monkeypatch):
    cloud.publish(made("v1"))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            cloud.publish(made("v2", 1))
    assert cloud.notices()["pump"]["version"] == "v1"
    assert [m.version for m in cloud.store.models()] == ["v1"]
    assert cloud.offered().version == "v1"
    cloud.publish(made("v2", 1))
    assert cloud.offered().version == "v2"


CONTENT = encode(made())


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_bundle_with_one_altered_byte_is_refused_wherever_it_is(place, bits):
    altered = bytearray(CONTENT)
    altered[place] ^= bits
    with pytest.raises(BadInputError):
        decode(bytes(altered))


@pytest.mark.parametrize("place", [0, 8, 40, len(CONTENT) // 2, len(CONTENT) - 1])
def test_the_edge_refuses_one_flipped_bit_on_the_way_and_keeps_what_it_has(cloud, place):
    cloud.publish(made("v1"))
    assert cloud.offered().version == "v1"
    row = cloud.publish(made("v2", 1))
    file = cloud.home / "bundles" / row.file
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    assert cloud.offered() is None
    (reason,) = cloud.slot.refused
    assert reason == f"v2: bundle {row.file}: its SHA-256 is not the announced one"
    assert cloud.slot.accepted().version == "v1"
