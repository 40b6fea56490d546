"""The bundle slot: nothing runs that was not proven here, and a refusal changes nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from edge_node.judging.models import BundleSlot, Notice
from tests.vibro.bundle.bundles import bundle
from vibro.bundle import encode
from vibro.errors import BadInputError
from vibro.features.table import SCHEMA_HASH


def good(version: str = "v1", **facts):
    return bundle(version=version, **{"schema_hash": SCHEMA_HASH} | facts)


@pytest.fixture
def slot(tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "store").mkdir()
    return BundleSlot(tmp_path / "node", "harbour", "pump")


def announced(tmp_path, made, content: bytes | None = None) -> Notice:
    """The bundle in the store (or other content in its place) and the notice that names it."""
    true = encode(made)
    (tmp_path / "store" / f"{made.version}.vbundle").write_bytes(
        true if content is None else content
    )
    digest = hashlib.sha256(true).hexdigest()
    return Notice("harbour", "pump", made.version, f"{made.version}.vbundle", digest)


def test_a_good_bundle_is_taken_and_kept_over_a_restart(slot, tmp_path):
    assert slot.accepted() is None
    taken = slot.offer(announced(tmp_path, good()), tmp_path / "store")
    assert taken.version == "v1"
    (tmp_path / "store" / "v1.vbundle").unlink()
    again = BundleSlot(tmp_path / "node", "harbour", "pump")
    assert again.accepted().version == "v1"
    assert slot.refused == again.refused == []
    assert [f.name for f in (tmp_path / "node").iterdir()] == ["bundle.vbundle"]


def spoilt_golden():
    made = good("v2")
    scores = {n: s + np.float32(1e-4) for n, s in made.golden_scores.items()}
    return replace(made, golden_scores=scores)


REFUSED = {
    "torn": (good("v2"), encode(good("v2"))[:-20], "its SHA-256 is not the announced one"),
    "another": (good("v2"), encode(good("v3")), "its SHA-256 is not the announced one"),
    "for another site": (good("v2", site="oslo"), None, "is for oslo/pump, this node runs"),
    "for another class": (good("v2", machine_class="fan"), None, "is for harbour/fan"),
    "of another schema": (good("v2", schema_hash="0" * 16), None, "trained on feature schema 000"),
    "golden": (spoilt_golden(), None, "golden vectors of the fast path score differently here"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_bad_bundle_is_refused_with_its_reason_and_the_old_one_stays(slot, tmp_path, why):
    slot.offer(announced(tmp_path, good()), tmp_path / "store")
    made, content, said = REFUSED[why]
    assert slot.offer(announced(tmp_path, made, content), tmp_path / "store") is None
    (reason,) = slot.refused
    assert reason.startswith("v2: ")
    assert said in reason
    assert slot.accepted().version == "v1"


def test_a_bundle_that_is_not_there_is_refused(slot, tmp_path):
    notice = Notice("harbour", "pump", "v9", "gone.vbundle", "0" * 64)
    assert slot.offer(notice, tmp_path / "store") is None
    assert slot.refused[0].startswith("v9: ")


def test_a_notice_reaches_only_into_the_store(slot, tmp_path):
    """The digest comes with the notice, so the path must not name just any file of the node."""
    content = encode(good())
    (tmp_path / "elsewhere.vbundle").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    for file in ("../elsewhere.vbundle", str(tmp_path / "elsewhere.vbundle")):
        notice = Notice("harbour", "pump", "v1", file, digest)
        assert slot.offer(notice, tmp_path / "store") is None
        assert "outside" in slot.refused[-1]


@pytest.mark.parametrize("cut", [0, 1, 40, 500])
def test_a_kept_bundle_that_was_torn_is_not_run(slot, tmp_path, cut):
    slot.offer(announced(tmp_path, good()), tmp_path / "store")
    kept = tmp_path / "node" / "bundle.vbundle"
    kept.write_bytes(kept.read_bytes()[:cut])
    assert slot.accepted() is None
    assert slot.refused[0].startswith("bundle.vbundle: bundle: ")


def test_a_notice_and_its_malformed_kin():
    body = {"version": "v1", "file": "a/b.vbundle", "sha256": "00", "bytes": 7}
    notice = Notice.parse("harbour", "pump", json.dumps(body).encode())
    assert notice == Notice("harbour", "pump", "v1", "a/b.vbundle", "00")
    for value in (b"", b"{", b"[]", b"7", b"\xff", json.dumps({"version": "v1"}).encode()):
        with pytest.raises(BadInputError, match="model notice of harbour/pump"):
            Notice.parse("harbour", "pump", value)
