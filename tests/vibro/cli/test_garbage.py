"""Garbage in: one clear line, status 2, no traceback and nothing left behind."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from scipy.io import savemat

from tests.vibro.cli.commands import refused, vibro
from vibro.files import Recording, write_recording


def truncated_mat(folder):
    path = folder / "torn.mat"
    savemat(path, {"X130_DE_time": np.random.default_rng(0).normal(size=4000)})
    path.write_bytes(path.read_bytes()[:9000])
    return path


def nans(folder):
    path = folder / "nans.csv"
    table = np.random.default_rng(0).normal(size=(400, 2))
    table[7, 1] = np.nan
    np.savetxt(path, table, delimiter=",")
    return path


def empty_csv(folder):
    path = folder / "empty.csv"
    path.write_text("")
    return path


def header_only(folder):
    path = folder / "header.csv"
    path.write_text("time,de-h\n")
    return path


def wrong_delimiter(folder):
    path = folder / "semicolons.csv"
    path.write_text("\n".join(f"{i};0.5;{i}" for i in range(300)))
    return path


def decimal_commas(folder):
    path = folder / "commas.csv"
    path.write_text("\n".join(f"{i};0,5;{i}" for i in range(300)))
    return path


def text_as_wav(folder):
    path = folder / "letter.wav"
    path.write_text("Dear analyst,\n" * 100)
    return path


def torn_wav(folder):
    path = folder / "torn.wav"
    x = np.zeros((1, 500), np.float32)
    write_recording(path, Recording(x, ("a",), 1000.0, 0.0, True, ""))
    path.write_bytes(path.read_bytes()[:40])
    return path


def random_npy(folder):
    path = folder / "random.npy"
    path.write_bytes(np.random.default_rng(3).bytes(5000))
    return path


def pickled_npy(folder):
    path = folder / "pickled.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return path


def random_parquet(folder):
    path = folder / "random.parquet"
    path.write_bytes(np.random.default_rng(4).bytes(5000))
    return path


def random_tdms(folder):
    path = folder / "random.tdms"
    path.write_bytes(np.random.default_rng(5).bytes(5000))
    return path


def random_uff(folder):
    path = folder / "random.uff"
    path.write_bytes(np.random.default_rng(6).bytes(5000))
    return path


def binary_as_csv(folder):
    path = folder / "binary.csv"
    path.write_bytes(np.random.default_rng(7).bytes(5000))
    return path


def unknown_ending(folder):
    path = folder / "notes.docx"
    path.write_text("0.1\n" * 100)
    return path


def missing(folder):
    return folder / "not-there.wav"


def folder_as_file(folder):
    path = folder / "folder.csv"
    path.mkdir()
    return path


GARBAGE = [
    truncated_mat, nans, empty_csv, header_only, wrong_delimiter, decimal_commas, text_as_wav,
    torn_wav, random_npy, pickled_npy, random_parquet, random_tdms, random_uff, binary_as_csv,
    unknown_ending, missing, folder_as_file,
]  # fmt: skip


def _there(verb):
    return importlib.util.find_spec(f"vibro.cli.{verb}") is not None


VERBS = [
    pytest.param(
        verb, marks=pytest.mark.skipif(not _there(verb), reason=f"there is no `vibro {verb}` yet")
    )
    for verb in ("convert", "analyze")
]


@pytest.mark.parametrize("make", GARBAGE, ids=lambda make: make.__name__)
@pytest.mark.parametrize("verb", VERBS)
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
    assert sorted(tmp_path.iterdir()) == before


def test_a_rate_that_nobody_told_names_the_option(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(500, np.float32))
    refused(vibro("convert", tmp_path / "x.npy", tmp_path / "out.wav"), "x.npy", "--rate")
    assert not (tmp_path / "out.wav").exists()
