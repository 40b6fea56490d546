"""Garbage in: one clear line, status 2, no traceback and nothing left behind."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.vibro.cli.commands import refused, vibro
from tests.vibro.cli.garbage import (
    GARBAGE,
    mat_that_claims,
    overflowing_npy,
    terabyte_npy,
    wrong_delimiter,
)
from vibro.files import FORMATS


@pytest.mark.parametrize("make", GARBAGE, ids=lambda make: make.__name__)
@pytest.mark.parametrize("verb", ["convert", "analyze"])
def test_garbage_is_one_clear_line_and_leaves_nothing(tmp_path, verb, make):
    path = make(tmp_path)
    # `analyze` finds the delimiter by itself, and rightly so.
    if make is wrong_delimiter and verb == "analyze":
        pytest.skip("analyze takes no delimiter")
    delimiter = ["--delimiter", ","] if make is wrong_delimiter else []
    before = sorted(tmp_path.iterdir())
    if verb == "convert":
        done = vibro("convert", path, tmp_path / "out.npy", "--rate", 1000, *delimiter)
    else:
        done = vibro("analyze", path, "--rate", 1000, "--rpm", 1500, "--json")
    refused(done, path.name)
    assert done.err.rstrip("\n").isprintable()
    assert sorted(tmp_path.iterdir()) == before


def test_a_rate_that_nobody_told_names_the_option(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(500, np.float32))
    refused(vibro("convert", tmp_path / "x.npy", tmp_path / "out.wav"), "x.npy", "--rate")
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("ending", [*FORMATS, ""])
def test_a_file_without_a_byte_is_empty_whatever_its_ending(tmp_path, ending):
    path = tmp_path / f"zero{ending}"
    path.touch()
    refused(vibro("analyze", path, "--rate", 1000, "--rpm", 900), f"{path}: is empty")


@pytest.mark.parametrize("make", [terabyte_npy, overflowing_npy, mat_that_claims])
def test_a_claimed_size_takes_no_memory(tmp_path, make):
    path = make(tmp_path)
    tracemalloc.start()
    try:
        refused(vibro("analyze", path, "--rate", 1000, "--rpm", 900), path.name)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50e6


def test_a_file_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    path = tmp_path / "secret.wav"
    path.write_bytes(b"RIFF" * 100)

    def denied(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", denied)
    done = vibro("analyze", path, "--rate", 1000, "--rpm", 900)
    refused(done, "secret.wav: cannot be read (Permission denied)")


@pytest.mark.parametrize(
    ("sidecar", "told"),
    [
        ("{", "is not JSON such as"),
        ("[" * 100_000, "is not JSON such as"),
        ('{"names": "de"}', "names is not a list"),
        ('{"rate_hz": [1]}', "is not JSON such as"),
        (None, "cannot be read"),
    ],
)
def test_a_sidecar_that_is_none_is_named_itself(tmp_path, sidecar, told):
    np.save(tmp_path / "x.npy", np.ones(500, np.float32))
    beside = tmp_path / "x.json"
    if sidecar is None:
        beside.mkdir()
    else:
        beside.write_text(sidecar)
    refused(vibro("analyze", tmp_path / "x.npy", "--rate", 1000, "--rpm", 900), "x.json", told)


@pytest.mark.parametrize("rpm", ["-5", "1e999"])
def test_a_speed_that_no_shaft_has_names_the_option(tmp_path, rpm):
    np.save(tmp_path / "x.npy", np.ones(500, np.float32))
    (tmp_path / "x.json").write_text(f'{{"rate_hz": 1000, "rpm": {rpm}}}')
    refused(vibro("analyze", tmp_path / "x.npy"), "x.npy", "rpm", "--rpm")
    assert vibro("analyze", tmp_path / "x.npy", "--rpm", "900").status == 0
