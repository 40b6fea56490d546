"""Every format read back, and what is found in files of the trade."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nptdms import ChannelObject, TdmsWriter
from scipy.io import savemat

from vibro.errors import BadInputError
from vibro.files import WRITERS, Recording, read_recording, write_recording

RATE = 25600.0
N = 200
X = np.random.default_rng(0).standard_normal((2, N)).astype(np.float32)
G = 9.80665


def recording(**facts) -> Recording:
    plain = {"rate_hz": RATE, "rpm": math.nan, "units_known": True, "source": "made"}
    return Recording(samples=X, names=("de-h", "de-v"), **plain | facts)


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_is_written_is_read_back(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_recording(path, recording())
    back = read_recording(path, units="m/s2")
    assert (back.samples == X).all()
    assert back.samples.dtype == np.float32
    assert back.rate_hz == pytest.approx(RATE, rel=1e-9)
    assert back.duration_s == pytest.approx(N / RATE)
    assert back.source == str(path)
    if suffix != ".wav":
        assert back.names == ("de-h", "de-v")


def test_npy_keeps_speed_and_units_beside_it(tmp_path):
    path = tmp_path / "a.npy"
    write_recording(path, recording(rpm=1480.0, rate_hz=12_345.678))
    back = read_recording(path)
    assert (back.rpm, back.rate_hz, back.units_known) == (1480.0, 12_345.678, True)
    assert (back.samples == X).all()
    assert read_recording(path, rpm=990.0, rate_hz=100.0).rpm == 990.0


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.mp3", "can write .wav, .csv, .npy, .tdms, not '.mp3'"), ("no/a.wav", "cannot be written")],
)
def test_what_cannot_be_written(tmp_path, name, said):
    with pytest.raises(BadInputError, match=said):
        write_recording(tmp_path / name, recording())
    with pytest.raises(BadInputError, match=r"WAV cannot hold a rate of 100\.5 Hz"):
        write_recording(tmp_path / "a.wav", recording(rate_hz=100.5))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=64, max_size=80))
def test_csv_keeps_every_bit_of_float32(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "bits.csv"
    x = np.array([values], np.float32)
    write_recording(path, Recording(x, ("a",), 1000.0, math.nan, True, ""))
    assert (read_recording(path, units="m/s2").samples == x).all()


def wav(tag: int, bits: int, data: bytes, channels: int = 2, extra: bytes = b"") -> bytes:
    rate, frame = 8000, channels * bits // 8
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits) + extra
    chunks = b"".join(
        name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
        for name, body in ((b"LIST", b"odd"), (b"fmt ", head), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


PCM = np.clip(np.round(X * 0.25 * 2**15), -(2**15), 2**15 - 1).astype(np.int32)
SAMPLES = PCM / 2.0**15


def pcm24() -> bytes:
    whole = (PCM.T.ravel() * 256).astype("<i4")
    return whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


@pytest.mark.parametrize(
    ("tag", "bits", "data", "tolerance"),
    [
        (1, 8, (np.round(SAMPLES.T * 128) + 128).clip(0, 255).astype(np.uint8).tobytes(), 0.008),
        (1, 16, PCM.T.astype("<i2").tobytes(), 0),
        (1, 24, pcm24(), 0),
        (1, 32, (PCM.T * 2**16).astype("<i4").tobytes(), 0),
        (3, 32, SAMPLES.T.astype("<f4").tobytes(), 0),
        (3, 64, SAMPLES.T.astype("<f8").tobytes(), 0),
    ],
)
@pytest.mark.parametrize("extensible", [False, True])
def test_every_wav_encoding(tmp_path, tag, bits, data, tolerance, extensible):
    path = tmp_path / "a.WAV"
    extra = struct.pack("<HHIH", 22, bits, 3, tag) + b"\0" * 14
    path.write_bytes(wav(0xFFFE if extensible else tag, bits, data, extra=extra * extensible))
    back = read_recording(path, units="m/s2")
    assert (back.rate_hz, back.samples.shape) == (8000.0, (2, N))
    np.testing.assert_allclose(back.samples, SAMPLES, atol=tolerance)


def test_units(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, X)
    plain = read_recording(path, rate_hz=RATE)
    assert not plain.units_known
    np.testing.assert_allclose(plain.samples, X * G, rtol=1e-6)
    for units, factor in (("g", G), ("m/s2", 1.0), ("m/s^2", 1.0), ("m/s²", 1.0), ("mm/s2", 1e-3)):
        back = read_recording(path, rate_hz=RATE, units=units)
        assert back.units_known
        np.testing.assert_allclose(back.samples, X * factor, rtol=1e-6)
    with pytest.raises(BadInputError, match="units 'mm/s' are not one of g, m/s2, mm/s2"):
        read_recording(path, rate_hz=RATE, units="mm/s")


@pytest.mark.parametrize("wanted", ["de-v", "DE-V", "2"])
def test_one_channel_by_name_or_number(tmp_path, wanted):
    path = tmp_path / "a.csv"
    write_recording(path, recording())
    back = read_recording(path, channel=wanted, units="m/s2")
    assert back.names == ("de-v",)
    assert (back.samples == X[1:]).all()


@pytest.mark.parametrize("wanted", ["0", "3", "nde", ""])
def test_a_channel_that_is_not_there(tmp_path, wanted):
    path = tmp_path / "a.csv"
    write_recording(path, recording())
    with pytest.raises(BadInputError, match=r"it has de-h, de-v \(or 1 to 2\)"):
        read_recording(path, channel=wanted)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_npy_of_any_number_type_and_either_way_round(tmp_path, dtype):
    path = tmp_path / "a.npy"
    counts = np.round(X * 1000).astype(dtype)
    for table in (counts, counts.T):
        np.save(path, table)
        back = read_recording(path, rate_hz=RATE, units="m/s2")
        assert back.names == ("ch1", "ch2")
        np.testing.assert_allclose(back.samples, counts, rtol=1e-6)
    np.save(path, counts[0])
    assert read_recording(path, rate_hz=RATE).samples.shape == (1, N)


def test_parquet_with_columns_that_are_no_samples(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table(
        {"when": ["noon"] * N, "h": X[0], "v": X[1].astype(np.float64), "on": [True] * N}
    )
    pq.write_table(table.replace_schema_metadata({"rate_hz": "5000"}), path)
    back = read_recording(path, units="m/s2")
    assert (back.names, back.rate_hz) == (("h", "v"), 5000.0)
    assert (back.samples == X).all()


def test_tdms_channels_of_one_length_and_units(tmp_path):
    path = tmp_path / "a.tdms"
    facts = {"wf_increment": 1 / 2000, "unit_string": "g"}
    with TdmsWriter(str(path)) as writer:
        writer.write_segment(
            [
                ChannelObject("p", "slow", X[0][:30], {}),
                ChannelObject("p", "de", X[0], facts),
                ChannelObject("p", "nde", X[1], facts),
            ]
        )
    back = read_recording(path)
    assert (back.names, back.rate_hz, back.units_known) == (("de", "nde"), 2000.0, True)
    np.testing.assert_allclose(back.samples, X * G, rtol=1e-6)


def dataset_58(name: str, x, step: float) -> str:
    """A real, evenly spaced time response in double precision, written by hand."""
    head = [f"{text:<80}" for text in (name, "made", "NONE", "NONE", "NONE")]
    axis = f"{17:10d}{0:5d}{0:5d}{0:5d} {'NONE':<20} {'NONE':<20}"
    head += [f"{1:5d}{0:10d}{0:5d}{0:10d} {'NONE':>10}{1:10d}{1:4d} {'NONE':>10}{1:10d}{1:4d}"]
    head += [f"{4:10d}{len(x):10d}{1:10d}{0:13.5e}{step:13.5e}{0:13.5e}", *[axis] * 4]
    rows = ["".join(f"{v:20.11e}" for v in x[i : i + 4]) for i in range(0, len(x), 4)]
    return "\n".join([f"{-1:6d}", f"{58:6d}{'':74}", *head, *rows, f"{-1:6d}"]) + "\n"


@pytest.mark.parametrize("suffix", [".uff", ".unv", ".uff58"])
def test_universal_files(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text("".join(dataset_58(n, x, 1e-3) for n, x in zip(("de", "nde"), X, strict=True)))
    back = read_recording(path, units="m/s2")
    assert (back.names, back.rate_hz) == (("de", "nde"), pytest.approx(1000.0))
    np.testing.assert_allclose(back.samples, X, rtol=1e-6)
    path.write_text(dataset_58("de", X[0], 1e-3) + dataset_58("nde", X[1][:99], 1e-3))
    with pytest.raises(BadInputError, match=r"holds no time responses .* of one length"):
        read_recording(path)


def test_matlab_as_cwru_writes_it(tmp_path):
    path = tmp_path / "118.mat"
    columns = {"X118_DE_time": X[0][:, None], "X118_FE_time": X[1][:, None], "X118RPM": 1796}
    savemat(path, columns)
    back = read_recording(path, rate_hz=12_000, units="g")
    assert (back.names, back.rpm) == (("DE", "FE"), 1796.0)
    np.testing.assert_allclose(back.samples, X * G, rtol=1e-6)


def test_matlab_as_mfpt_writes_it(tmp_path):
    path = tmp_path / "m.mat"
    savemat(path, {"bearing": {"sr": 48_828.0, "gs": X[0], "rate": 25.0}, "BPFO": 81.125})
    back = read_recording(path)
    assert (back.names, back.rate_hz, back.rpm) == (("gs",), 48_828.0, 1500.0)
    assert back.lines_hz == {"BPFO": 81.125}


def test_matlab_with_a_table_and_short_vectors(tmp_path):
    path = tmp_path / "h.mat"
    savemat(
        path, {"H": X.T, "limits": np.arange(5.0), "note": "text", "XRPM": "fast", "BPFO": [1, 2]}
    )
    back = read_recording(path, rate_hz=1000)
    assert back.names == ("H1", "H2")
    assert math.isnan(back.rpm)


def text(rows, mark=",", header="") -> str:
    return header + "\n".join(mark.join(f"{v:.7g}" for v in row) for row in rows) + "\n"


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", " ", "   "])
@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "2004.02.12.10.32.39", "bare"])
def test_tables_of_text_whatever_the_delimiter(tmp_path, mark, header, name):
    path = tmp_path / name
    first = mark.join(["left", "right"]) + "\n" if header else ""
    path.write_text(text(X.T, mark, first))
    back = read_recording(path, rate_hz=RATE, units="m/s2")
    np.testing.assert_allclose(back.samples, X, rtol=1e-6)
    assert back.names == (("left", "right") if header else ("ch1", "ch2"))


def test_a_rising_time_column_gives_the_rate(tmp_path):
    path = tmp_path / "a.csv"
    t = np.arange(N) / 4000.0
    path.write_text(text(np.c_[t, X.T], header="Time,x,y\n"))
    back = read_recording(path)
    assert (back.names, back.rate_hz) == (("x", "y"), pytest.approx(4000.0))


def test_a_time_column_that_does_not_rise_is_a_channel(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text(X.T, header="t,y\n"))
    assert read_recording(path, rate_hz=RATE).names == ("t", "y")


@pytest.mark.parametrize("mark", [",", ";"])
def test_clock_columns_of_pronostia_are_left_out(tmp_path, mark):
    path = tmp_path / "acc_00001.csv"
    k = np.arange(N)
    clock = np.c_[np.full(N, 9.0), np.full(N, 39.0), np.full(N, 39.0), 65_664 + 39 * k]
    path.write_text(text(np.c_[clock, X.T], mark))
    back = read_recording(path, rate_hz=RATE, units="m/s2")
    np.testing.assert_allclose(back.samples, X, rtol=1e-5)


def test_columns_of_dates_are_left_out(tmp_path):
    path = tmp_path / "a.csv"
    lines = [f"2020-03-09 10:14:{i % 60:02d};{a:.6g};{b:.6g}" for i, (a, b) in enumerate(X.T)]
    path.write_text("\n".join(["datetime;acc1;acc2", *lines]))
    back = read_recording(path, rate_hz=1.0, units="m/s2")
    assert back.names == ("acc1", "acc2")
    np.testing.assert_allclose(back.samples, X, rtol=1e-5)


def test_a_byte_order_mark_blank_lines_and_windows_line_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(
        b"\xef\xbb\xbf" + text(X.T, header='"a","b"\n').replace("\n", "\r\n\r\n").encode()
    )
    back = read_recording(path, rate_hz=RATE, units="m/s2")
    assert back.names == ("a", "b")
    np.testing.assert_allclose(back.samples, X, rtol=1e-6)


def test_every_real_recording_is_read_as_its_manifest_says(data_dir):
    entries = json.loads((data_dir / "manifest.json").read_text())["entries"]
    seen: dict[str, int] = {}
    for entry in entries:
        seen[entry["set"]] = seen.get(entry["set"], 0) + 1
        if seen[entry["set"]] > 4:
            continue
        path = Path(data_dir / entry["file"])
        back = read_recording(path, rate_hz=entry["sample_rate_hz"])
        expected = entry.get("n_samples")
        assert expected is None or back.samples.shape[1] == expected, entry["file"]
        assert np.isfinite(back.samples).all()
    assert len(seen) >= 5
