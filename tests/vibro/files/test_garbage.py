"""Files that are not what they seem: one line that names the file, never a traceback."""

from __future__ import annotations

import io
import json
import struct
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from vibro.errors import BadInputError, MissingExtraError
from vibro.files import FORMATS, WRITERS, read_recording, write_recording
from vibro.files.recording import Recording

RATE = 1000.0
X = np.random.default_rng(0).standard_normal((2, 300)).astype(np.float32)


def refused(path, **options) -> str:
    with pytest.raises(BadInputError) as caught:
        read_recording(path, **options)
    told = str(caught.value)
    assert str(path.parent) in told
    assert path.stem in told
    assert len(told.splitlines()) == 1
    return told


def mat_bytes() -> bytes:
    out = io.BytesIO()
    savemat(out, {"x": X.astype(np.float64)})
    return out.getvalue()


def npy_bytes(array) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def wav_head(tag=1, channels=1, rate=8000, bits=16, data=b"\0" * 400) -> bytes:
    head = struct.pack("<HHIIHH", tag, channels, rate, 0, 0, bits)
    body = (
        b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


NUMBERS = "\n".join(f"{a:.6g},{b:.6g}" for a, b in X.T)
CASES = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n \n\n", "is empty"),
    "header.csv": (b"time,x,y\n", "has a header and no rows"),
    "short.csv": (b"1\n2\n3\n", "has 3 samples, at least 64 are needed"),
    "words.csv": (b"ab cd\nof course\nnot that\n", "line 2 'of course' holds no number"),
    "ragged.csv": ((NUMBERS + "\n1.0\n").encode(), "is not a table of numbers"),
    "torn.csv": ((NUMBERS + "\n1.0,abc\n").encode(), "is not a table of numbers"),
    "wide.csv": (("a,b,c\n" + NUMBERS).encode(), "line 2 '0.12573"),
    "nan.csv": ((NUMBERS + "\n1.0,nan\n").encode(), "the first is sample 301 of channel ch2"),
    "inf.csv": (("inf,1\n" + NUMBERS).encode(), "1 samples are not finite numbers"),
    "huge.csv": (("1e300,1\n" + NUMBERS).encode(), "these are not accelerations"),
    "quote.csv": (
        b"x" * 200_000 + b",y\n" + NUMBERS.encode(),
        "is not a table of numbers: field larger",
    ),
    "binary.csv": (b"\xff\xfe\x00\x01" * 50, "is not text; name its format by its ending"),
    "clock.csv": (
        ("time\n" + "\n".join(str(i / 100) for i in range(99))).encode(),
        None,
    ),
    "text.wav": (b"what a day " * 50, "is not a WAV file"),
    "riff.wav": (b"RIFF\0\0\0\0WAVE", "without its fmt or data chunk"),
    "mp3.wav": (wav_head(tag=85), "WAV encoding 85 with 16 bits cannot be read"),
    "odd.wav": (wav_head(bits=12), "WAV encoding 1 with 12 bits"),
    "mute.wav": (wav_head(channels=0), "cannot be read"),
    "still.wav": (wav_head(rate=0), "cannot be read"),
    "brief.wav": (wav_head(data=b"\0\0"), "has 1 samples"),
    "void.wav": (wav_head(data=b""), "has 0 samples"),
    "random.npy": (np.random.default_rng(1).bytes(999), "is not a NumPy .npy file"),
    "torn.npy": (npy_bytes(X)[:-8], "is not a NumPy .npy file"),
    "pickle.npy": (npy_bytes(np.array([{}], object)), "is not a NumPy .npy file"),
    "words.npy": (npy_bytes(np.array(["a"] * 99)), "does not hold one array of numbers"),
    "cube.npy": (npy_bytes(np.zeros((9, 9, 9))), "with 1 or 2 dimensions"),
    "waves.npy": (npy_bytes(np.zeros(99, complex)), "does not hold one array of numbers"),
    "vast.npy": (
        b"\x93NUMPY\x01\x00\x76\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }".ljust(118),
        "is not a NumPy .npy file",
    ),
    "torn.mat": (mat_bytes()[: len(mat_bytes()) // 2], "is not a whole MATLAB v5 file"),
    "stub.mat": (mat_bytes()[:100], "is not a whole MATLAB v5 file"),
    "text.mat": (b"what a day " * 50, "is not a whole MATLAB v5 file"),
    "new.mat": (
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF" * 100,
        "save it as v5",
    ),
    "text.tdms": (b"what a day " * 50, "is not a whole TDMS file"),
    "text.parquet": (b"what a day " * 50, "is not a whole Parquet file"),
    "text.uff": (b"what a day " * 50, ""),
    "a.mp3": (b"ID3", "format '.mp3' is not known; known are .wav"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path, name):
    content, said = CASES[name]
    path = tmp_path / name
    path.write_bytes(content)
    if said is None:  # a table of nothing but time is its own channel
        assert read_recording(path, rate_hz=RATE).names == ("time",)
    else:
        assert said in refused(path, rate_hz=RATE)


def test_files_that_are_not_there_and_folders(tmp_path):
    assert "there is no such file" in refused(tmp_path / "gone.wav")
    (tmp_path / "folder.csv").mkdir()
    assert "there is no such file" in refused(tmp_path / "folder.csv")


def test_matrices_without_a_signal(tmp_path):
    path = tmp_path / "small.mat"
    savemat(path, {"x": np.arange(9.0), "words": "none"})
    assert "holds no vector of at least 64 numbers" in refused(path, rate_hz=RATE)


@pytest.mark.parametrize("rate", [None, 0, -5.0, float("nan"), float("inf")])
def test_a_rate_that_nobody_knows(tmp_path, rate):
    path = tmp_path / "a.csv"
    path.write_text(NUMBERS)
    assert "does not say its sampling rate; give it with --rate HZ" in refused(path, rate_hz=rate)


@pytest.mark.parametrize("mark", [";", "|", "\t"])
def test_a_wrong_delimiter_is_the_remedy_itself(tmp_path, mark):
    path = tmp_path / "a.csv"
    path.write_text(NUMBERS)
    assert "name the right one with --delimiter" in refused(path, rate_hz=RATE, delimiter=mark)


def test_a_header_that_names_more_columns_than_there_are(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n" + NUMBERS)
    assert "names 3 columns, its rows have 2" in refused(path, rate_hz=RATE, delimiter=",")


@pytest.mark.parametrize("mark", ["::", "\n", '"', "é€"])
def test_a_delimiter_that_is_none(tmp_path, mark):
    path = tmp_path / "a.csv"
    path.write_text(NUMBERS)
    refused(path, rate_hz=RATE, delimiter=mark)


@pytest.mark.parametrize(
    "sidecar",
    [
        "{",
        "[1, 2]",
        "7",
        '{"rate_hz": "fast"}',
        '{"rate_hz": [1]}',
        '{"names": ["a"]}',
        '{"names": 7}',
        '{"names": [1, 2], "rate_hz": {}}',
        '{"rate_hz": -1}',
        '{"units": "furlongs"}',
        "\xff",
    ],
)
def test_a_sidecar_that_is_none(tmp_path, sidecar):
    path = tmp_path / "a.npy"
    np.save(path, X)
    path.with_suffix(".json").write_bytes(sidecar.encode("latin-1"))
    refused(path, channel="1", rate_hz=RATE if "units" in sidecar else None)


def test_parquet_whose_rate_is_a_word(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    table = pa.table({"x": X[0]})
    for rate in (b"fast", b"\xff"):
        pq.write_table(table.replace_schema_metadata({b"rate_hz": rate}), path)
        refused(path)
    pq.write_table(pa.table({"x": ["a", "b"]}), path)
    assert "has no column of numbers" in refused(path)


@pytest.mark.parametrize(
    ("suffix", "module", "extra"),
    [
        (".tdms", "nptdms", "edge"),
        (".parquet", "pyarrow.parquet", "cloud"),
        (".uff", "pyuff", "cloud"),
    ],
)
def test_what_another_extra_reads_is_named_with_it(tmp_path, monkeypatch, suffix, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"anything")
    with pytest.raises(MissingExtraError, match=rf"needs the '{extra}' extra: pip install"):
        read_recording(path)
    if suffix in WRITERS:
        with pytest.raises(MissingExtraError, match="writing TDMS needs the 'edge' extra"):
            write_recording(path, Recording(X, ("a", "b"), RATE, float("nan"), True, ""))


SUFFIXES = [*FORMATS, ".39", ""]
STARTS = {
    ".wav": [b"", wav_head()[:44]],
    ".npy": [b"", b"\x93NUMPY\x01\x00", npy_bytes(X)[:128], b"PK\x03\x04"],
    ".mat": [b"", mat_bytes()[:128], mat_bytes()[:200]],
    ".tdms": [b"", b"TDSm\x0e\x00\x00\x00\x69\x12\x00\x00"],
    ".parquet": [b"", b"PAR1"],
    ".uff": [b"", b"    -1\n    58\n", b"    -1\n   151\n"],
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_bytes_under_any_ending(tmp_path_factory, suffix, data):
    """They are read, or refused with BadInputError: no other error ever comes out."""
    start = data.draw(st.sampled_from(STARTS.get(suffix, [b"", NUMBERS.encode()[:600]])))
    text = st.text('0123456789.,;e+- \nabcnif"#', max_size=300).map(str.encode)
    content = start + data.draw(st.binary(max_size=300) | text)
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    path.write_bytes(content)
    try:
        found = read_recording(path, rate_hz=RATE)
    except BadInputError as error:
        told = str(error)
    else:
        told = f"{path}"
        assert np.isfinite(found.samples).all()
    assert str(path) in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("suffix", [".wav", ".csv", ".npy", ".tdms", ".mat", ".parquet"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_damage_to_a_good_file(tmp_path_factory, suffix, data):
    folder = tmp_path_factory.getbasetemp()
    path = folder / f"good{suffix}"
    if not path.exists():
        if suffix == ".mat":
            path.write_bytes(mat_bytes())
        elif suffix == ".parquet":
            pa = pytest.importorskip("pyarrow")
            pytest.importorskip("pyarrow.parquet").write_table(pa.table({"x": X[0]}), path)
        else:
            write_recording(path, Recording(X, ("a", "b"), RATE, float("nan"), True, ""))
    content = bytearray(path.read_bytes())
    content = content[: data.draw(st.integers(1, len(content)))]
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    hurt = folder / f"hurt{suffix}"
    hurt.write_bytes(content)
    try:
        told, values = "", read_recording(hurt, rate_hz=RATE).samples
    except BadInputError as error:
        told, values = str(error), X
    assert "\n" not in told
    assert np.isfinite(values).all()


def test_a_sidecar_is_json_that_names_what_the_array_has(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, X)
    path.with_suffix(".json").write_text(json.dumps({"names": ["a", "b", "c"]}))
    with pytest.raises(BadInputError, match=r"a\.json: names 3 channels, the array has 2"):
        read_recording(path)
