"""`vibro datasets`: what is known, what is here, whether it is intact, and getting it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from datasets import downloads
from datasets.catalogue import CATALOGUE
from datasets.downloads import DOWNLOADS, Download
from tests.datasets.manifests import add, noise, write
from tests.vibro.cli.commands import refused, vibro
from vibro.files import read_manifest


@pytest.fixture
def folder(tmp_path):
    entries = [add(tmp_path, f"cwru/{n}.npy", noise(500, seed=n)) for n in (97, 98)]
    write(tmp_path, entries)
    return tmp_path


def test_list_knows_every_set_with_its_terms(folder):
    rows = vibro("datasets", "list", "--data", folder, "--json").json
    assert [r["name"] for r in rows] == [s.name for s in CATALOGUE]
    assert {r["name"]: r["recordings_here"] for r in rows}["cwru"] == 2
    assert all(r["citation"] and r["publisher"] and r["traps"] for r in rows)
    human = vibro("datasets", "list", "--data", folder)
    assert "cwru: CWRU bearing data; 2 recordings here" in human.out


def test_list_needs_no_data(monkeypatch):
    monkeypatch.delenv("VIBRO_DATA", raising=False)
    rows = vibro("datasets", "list", "--json").json
    assert not any(r["recordings_here"] for r in rows)


def test_verify_names_what_is_missing_or_changed(folder):
    assert vibro("datasets", "verify", "--data", folder).status == 0
    (folder / "cwru" / "97.npy").unlink()
    other = folder / "cwru" / "98.npy"
    other.write_bytes(other.read_bytes()[:-1] + b"!")
    done = vibro("datasets", "verify", "--data", folder, "--json")
    assert done.status == 1
    assert (done.json["missing"], done.json["changed"]) == (["cwru/97.npy"], ["cwru/98.npy"])
    assert (done.json["entries"], done.json["ok"]) == (2, 0)
    human = vibro("datasets", "verify", "--data", folder)
    assert "missing: " in human.out
    assert "changed: " in human.out


def test_verify_without_a_manifest_or_folder_is_one_line(tmp_path, monkeypatch):
    monkeypatch.delenv("VIBRO_DATA", raising=False)
    refused(vibro("datasets", "verify"), "--data", "VIBRO_DATA")
    refused(vibro("datasets", "verify", "--data", tmp_path), "manifest.json")
    monkeypatch.setenv("VIBRO_DATA", str(tmp_path))
    refused(vibro("datasets", "verify"), str(tmp_path))


def test_real_recordings_are_intact(data_dir):
    done = vibro("datasets", "verify", "--data", data_dir, "--json")
    assert (done.status, done.json["missing"], done.json["changed"]) == (0, [], [])


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    """A publisher on this disk: one recording and one archive."""
    there = tmp_path / "publisher"
    there.mkdir()
    np.save(there / "97.npy", noise(500))
    with zipfile.ZipFile(there / "all.zip", "w") as archive:
        archive.write(there / "97.npy", "runs/1.npy")
    good = hashlib.sha256((there / "97.npy").read_bytes()).hexdigest()
    facts = {"set": "cwru", "label": "normal", "fault": "normal", "sample_rate_hz": 48000}
    items = (
        Download((there / "97.npy").as_uri(), "cwru/97.npy", good, facts),
        Download((there / "all.zip").as_uri(), "cwru/all.zip"),
    )
    monkeypatch.setitem(DOWNLOADS, "cwru", items)
    return there


def test_fetch_verifies_unpacks_and_writes_the_manifest(tmp_path, publisher):
    here = tmp_path / "here"
    done = vibro("datasets", "fetch", "cwru", "--data", here, "--json")
    assert done.status == 0, done.err
    assert [(f["checked"], f["unpacked"]) for f in done.json] == [(True, 0), (False, 1)]
    (entry,) = read_manifest(here)
    assert (entry.file, entry.rate_hz, entry.is_intact()) == ("cwru/97.npy", 48000.0, True)
    assert (here / "cwru" / "runs" / "1.npy").exists()
    (publisher / "97.npy").unlink()  # what is here is not fetched again
    assert vibro("datasets", "fetch", "cwru", "--data", here).status == 0
    assert len(json.loads((here / "manifest.json").read_text())["entries"]) == 1


def test_members_of_an_archive_enter_the_manifest(tmp_path, publisher, monkeypatch):
    facts = {"set": "mfpt", "label": "normal", "fault": "none", "sample_rate_hz": 97656}
    item = replace(DOWNLOADS["cwru"][1], members={r"/\d\.npy": facts})
    monkeypatch.setitem(DOWNLOADS, "cwru", (item,))
    here = tmp_path / "here"
    assert vibro("datasets", "fetch", "cwru", "--data", here).status == 0
    (entry,) = read_manifest(here)
    assert (entry.file, entry.set, entry.is_intact()) == ("cwru/runs/1.npy", "mfpt", True)
    (here / "manifest.json").write_text("[]")
    refused(vibro("datasets", "fetch", "cwru", "--data", here, "--json"), "manifest.json", "mend")


def test_fetch_keeps_nothing_that_differs(tmp_path, publisher, monkeypatch):
    here = tmp_path / "here"
    wrong = replace(DOWNLOADS["cwru"][0], sha256="0" * 64)
    monkeypatch.setitem(DOWNLOADS, "cwru", (wrong,))
    done = vibro("datasets", "fetch", "cwru", "--data", here, "--json")
    assert (done.status, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert "SHA-256" in done.err
    assert not [p for p in here.rglob("*") if p.is_file()]


def test_offline_is_one_line_that_names_the_page(tmp_path, publisher):
    (publisher / "97.npy").unlink()
    done = vibro("datasets", "fetch", "cwru", "--data", tmp_path / "here", "--json")
    assert (done.status, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert "Bearing Data Center" in done.err
    assert "by hand" in done.err


def test_a_torn_archive_is_not_kept(tmp_path, publisher, monkeypatch):
    archive = publisher / "all.zip"
    archive.write_bytes(archive.read_bytes()[:60])
    monkeypatch.setitem(DOWNLOADS, "cwru", DOWNLOADS["cwru"][1:])
    done = vibro("datasets", "fetch", "cwru", "--data", tmp_path / "here")
    assert done.status == 1
    assert "not a whole zip" in done.err
    assert not (tmp_path / "here" / "cwru" / "all.zip").exists()


def test_unknown_sets_and_sets_by_hand(tmp_path):
    refused(vibro("datasets", "fetch", "nope", "--data", tmp_path), "nope", "cwru")
    refused(vibro("datasets", "fetch", "skab", "--data", tmp_path), "by hand")


def test_addresses_are_the_publishers_own():
    for name, items in DOWNLOADS.items():
        assert name in {s.name for s in CATALOGUE}
        for item in items:
            assert item.address.startswith("https://")
            assert item.file.startswith(f"{name}/")
            assert len(item.sha256) in (0, 64)
    assert downloads.TIMEOUT_S <= 60
