"""`vibro convert`: what is written is what was read, and nothing is lost on the way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.vibro.cli.commands import refused, vibro
from vibro.cli.main import VERBS
from vibro.files import Recording, read_recording, write_recording

RATE = 12_000.0


@pytest.fixture
def source(tmp_path):
    x = np.random.default_rng(1).normal(0, 3, (2, 500)).astype(np.float32)
    path = tmp_path / "in.npy"
    write_recording(path, Recording(x, ("de-h", "de-v"), RATE, 1480.0, True, "made"))
    return path, x


@pytest.mark.parametrize("ending", ["wav", "csv", "npy", "tdms"])
def test_every_writable_format_reads_back_as_the_edge_reads_it(tmp_path, source, ending):
    path, x = source
    out = tmp_path / f"out.{ending}"
    done = vibro("convert", path, out, "--json")
    assert done.status == 0, done.err
    assert (done.json["file"], done.json["channels"]) == (str(out), ["de-h", "de-v"])
    assert (done.json["samples"], done.json["rate_hz"]) == (500, RATE)
    back = read_recording(out)  # the edge gives neither units nor rate
    assert (back.samples == x).all()
    assert (back.names, back.rate_hz, back.units_known) == (("de-h", "de-v"), RATE, True)
    if ending in ("wav", "npy"):
        assert back.rpm == 1480.0


def test_one_channel_with_its_rate_and_units(tmp_path):
    table = np.random.default_rng(2).normal(size=(300, 3))
    np.savetxt(tmp_path / "in.csv", table, delimiter=";")
    out = tmp_path / "out.wav"
    done = vibro(
        "convert", tmp_path / "in.csv", out, "--rate", 2000, "--rpm", 990,
        "--channel", 2, "--units", "mm/s2",
    )  # fmt: skip
    assert (done.status, done.err) == (0, "")
    assert "ch2" in done.out
    assert "2000 Hz" in done.out
    back = read_recording(out)
    assert back.samples[0] == pytest.approx(1e-3 * table[:, 1], rel=1e-6)
    assert (back.rate_hz, back.rpm) == (2000.0, 990.0)


def test_units_that_were_assumed_are_said(tmp_path):
    np.save(tmp_path / "in.npy", np.ones(100, np.float32))
    done = vibro("convert", tmp_path / "in.npy", tmp_path / "out.wav", "--rate", 1000)
    assert done.status == 0
    assert "g were taken" in done.err
    done = vibro("convert", tmp_path / "in.npy", tmp_path / "b.wav", "--rate", 1000, "--json")
    assert done.json["units_assumed"] is True
    assert done.json["rpm"] is None


def test_nothing_is_overwritten_unless_asked(tmp_path, source):
    path, x = source
    out = tmp_path / "out.wav"
    out.write_text("precious")
    refused(vibro("convert", path, out), str(out), "--force")
    assert out.read_text() == "precious"
    assert vibro("convert", path, out, "--force").status == 0
    assert (read_recording(out).samples == x).all()
    beside = tmp_path / "b.json"
    beside.write_text("precious")
    refused(vibro("convert", path, tmp_path / "b.npy"), str(beside))
    assert beside.read_text() == "precious"
    assert not (tmp_path / "b.npy").exists()
    refused(vibro("convert", path, path, "--force"), "IN itself")


def test_what_cannot_be_written_is_one_line(tmp_path, source):
    path, _ = source
    refused(vibro("convert", path, tmp_path / "out.mat"), ".mat", ".wav, .csv, .npy, .tdms")
    refused(vibro("convert", path, tmp_path / "no" / "out.wav"), "no such folder")
    refused(vibro("convert", path, tmp_path / "out.wav", "--rate", "2000.5"), "2000.5", "npy")
    refused(vibro("convert", path, tmp_path / "out.wav", "--channel", "x"), "de-h, de-v")
    refused(vibro("convert", path, tmp_path / "out.wav", "--rate", "0"), "--rate")
    folder = tmp_path / "folder.wav"
    folder.mkdir()
    refused(vibro("convert", path, folder, "--force"), "is a folder")
    assert {p.name for p in tmp_path.iterdir()} == {"in.npy", "in.json", "folder.wav"}


def test_a_wav_of_others_keeps_its_own_comment_to_itself(tmp_path, source):
    path, _ = source
    out = tmp_path / "out.wav"
    assert vibro("convert", path, out).status == 0
    data = out.read_bytes()
    at = data.index(b"ICMT") + 8
    out.write_bytes(data[:at] + b"!" + data[at + 1 :])
    back = read_recording(out)
    assert (back.names, back.units_known, math.isnan(back.rpm)) == (("ch1", "ch2"), False, True)


@pytest.mark.parametrize("verb", ["convert", "assets", "datasets", "evaluate"])
def test_help_says_what_the_list_of_verbs_says(verb):
    done = vibro(verb, "--help")
    assert done.status == 0
    assert VERBS[verb][1] in done.out
    assert max(map(len, done.out.splitlines())) <= 80
