"""What a file claims of itself is checked: names, clocks, speeds and lengths."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from vibro.errors import BadInputError
from vibro.files import Recording, read_recording, write_recording

RATE = 1000.0
X = np.random.default_rng(0).standard_normal((3, 300)).astype(np.float32)


def npy(folder, **facts):
    path = folder / "a.npy"
    np.save(path, X[: len(facts.get("names", "ab"))])
    path.with_suffix(".json").write_text(json.dumps({"rate_hz": RATE} | facts))
    return path


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        (["x", "x"], ("x", "x-2")),
        (["x", "x", "x"], ("x", "x-2", "x-3")),
        (["x-2", "x", "x"], ("x-2", "x", "x-3")),
        (["x-3", "x", "x"], ("x-3", "x", "x-4")),
        (["", " "], ("ch1", "ch2")),
        (["a\nb", "\x1b[31mred"], ("a b", "[31mred")),
        (["DE", "de"], ("DE", "de")),
    ],
)
def test_names_print_on_one_line_and_differ(tmp_path, said, ours):
    names = read_recording(npy(tmp_path, names=said)).names
    assert len(set(names)) == len(said)
    assert names == ours


def test_many_columns_of_one_name_take_no_time(tmp_path):
    path = tmp_path / "wide.csv"
    row = ",".join(["1"] * 20_000)
    path.write_text(",".join(["x"] * 20_000) + "\n" + "\n".join([row] * 64))
    names = read_recording(path, rate_hz=RATE).names
    assert (names[0], names[-1], len(set(names))) == ("x", "x-20000", 20_000)


@pytest.mark.parametrize("rpm", [-5, float("inf"), -float("inf")])
def test_a_speed_that_no_shaft_has_is_refused_unless_another_is_given(tmp_path, rpm):
    path = npy(tmp_path, names=["a"], rpm=rpm)
    with pytest.raises(BadInputError, match=r"a\.npy: says a speed of -?(5|inf) rpm.*--rpm"):
        read_recording(path)
    assert read_recording(path, rpm=900.0).rpm == 900.0


@pytest.mark.parametrize("digits", [2, 3, 6])
def test_a_clock_with_too_few_digits_is_no_channel(tmp_path, digits):
    path = tmp_path / "a.csv"
    rows = [f"{i / 5000:.{digits}f},{v:.6g}" for i, v in enumerate(X[0])]
    path.write_text("time,de\n" + "\n".join(rows))
    found = read_recording(path, otherwise_rate_hz=5000.0)
    assert (found.names, found.rate_hz) == (("de",), 5000.0)
    if digits < 6:
        with pytest.raises(BadInputError, match="does not say its sampling rate"):
            read_recording(path)


def wav(folder):
    path = folder / "a.wav"
    write_recording(path, Recording(X[:1], ("a",), RATE, float("nan"), True, ""))
    return path


def claim(path, size):
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(content)


@pytest.mark.parametrize("lost", [1, 4, 600, 1199])
def test_a_wav_that_was_cut_off_is_torn(tmp_path, lost):
    path = wav(tmp_path)
    path.write_bytes(path.read_bytes()[:-lost])
    promised = r"promises 1200 bytes of samples, " + str(1200 - lost) + " are there"
    with pytest.raises(BadInputError, match=promised):
        read_recording(path)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_a_wav_of_a_stream_does_not_know_its_length(tmp_path, size):
    path = wav(tmp_path)
    claim(path, size)
    assert (read_recording(path).samples == X[:1]).all()


def test_chunks_behind_the_samples_may_be_cut_off(tmp_path):
    path = wav(tmp_path)
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 4000) + b"INFO")
    assert (read_recording(path).samples == X[:1]).all()


@pytest.mark.parametrize("lost", [1, 600, 1199])
def test_a_tdms_file_that_was_cut_off_is_torn(tmp_path, lost, capfd):
    path = tmp_path / "a.tdms"
    write_recording(path, Recording(X[:1], ("a",), RATE, float("nan"), True, ""))
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(BadInputError, match="copy it again"):
        read_recording(path)
    assert capfd.readouterr() == ("", "")  # the library's warnings are not for the user


def test_an_array_is_held_in_memory_not_mapped(tmp_path):
    path = npy(tmp_path, names=["a"])
    found = read_recording(path)
    path.write_bytes(b"")
    assert type(found.samples) is np.ndarray
    assert found.samples.shape == (1, 300)
