"""Source iio: a made-up sysfs tree and a pipe for the character device."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.acquisition.acquire import Acquisition
from edge_node.config import AcquisitionSection
from edge_node.sources.iio import IioOptions, open_device
from edge_node.sources.scan_layout import Element, ElementType, ScanLayout
from tests.edge_node.acquisition.played import gaps, read_up, samples, tile
from tests.edge_node.devices import MACHINE
from vibro.errors import BadInputError, VibroError

G = 9.80665
ACCELEROMETER = {
    "name": "adxl372",
    "sampling_frequency": "1600.000000",
    "in_accel_scale": "0.980665",
    "current_timestamp_clock": "realtime",
    "trigger/current_trigger": "",
    "buffer/enable": "0",
    "buffer/length": "2",
    "buffer/watermark": "1",
    **{
        f"scan_elements/in_accel_{a}_{what}": value
        for i, a in enumerate("xyz")
        for what, value in (("en", "0"), ("index", str(i)), ("type", "be:s12/16>>4"))
    },
    "scan_elements/in_timestamp_en": "0",
    "scan_elements/in_timestamp_index": "3",
    "scan_elements/in_timestamp_type": "le:s64/64>>0",
}
XY = IioOptions(inputs=("in_accel_x", "in_accel_y"))
START_NS, PERIOD_NS = 10**12, 625_000


class Board:
    """A device's files and the pipe that its scans come through."""

    def __init__(self, root, files=ACCELEROMETER, number=0) -> None:
        self.sysfs, self.dev = root / "sys", root / "dev"
        self.folder = self.sysfs / f"iio:device{number}"
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        self.dev.mkdir(exist_ok=True)
        self.pipe = self.dev / self.folder.name
        os.mkfifo(self.pipe)
        # Both ends: neither opening nor writing waits for the driver.
        self.end = os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK)

    def open(self, options=XY, machine=MACHINE):
        return open_device(options, machine, self.sysfs, sysfs=self.sysfs, dev=self.dev)

    def says(self, name: str) -> str:
        return (self.folder / name).read_text().strip()

    def give(self, x, y, numbers) -> bytes:
        """Scans of x and y as 12 bits of 16, big-endian, and the timestamp."""
        scans = np.zeros(len(x), np.dtype([("x", ">i2"), ("y", ">i2"), ("_", "V4"), ("t", "<i8")]))
        scans["x"], scans["y"] = np.array(x) << 4, np.array(y) << 4
        scans["t"] = START_NS + PERIOD_NS * np.array(numbers)
        os.write(self.end, scans.tobytes())
        return scans.tobytes()


@pytest.fixture
def board(tmp_path):
    found = Board(tmp_path)
    yield found
    os.close(found.end)


def test_scans_become_counts_in_m_s2_with_the_sensors_signs(board):
    device = board.open(replace(XY, sign=(1.0, -1.0)))
    device.start()
    board.give([1, -2048, 2047], [-3, 5, 0], range(3))
    frames = device.read(5.0)
    assert frames.counts.dtype == np.int16
    assert frames.counts.tolist() == [[1, -2048, 2047], [-3, 5, 0]]
    np.testing.assert_allclose(device.scale, [0.980665, -0.980665], rtol=1e-6)
    assert (device.rate_hz, device.sample_bytes, frames.lost) == (1600.0, 2, 0)
    device.stop()
    device.stop()


def test_the_buffer_is_set_up_as_the_options_say_and_torn_down(board):
    device = board.open(replace(XY, rate_hz=400, buffer_s=2, block_ms=50, trigger="hrtimer-1"))
    assert board.says("sampling_frequency") == "1600.000000"
    assert device.rate_hz == 400.0
    device.start()
    assert board.says("trigger/current_trigger") == "hrtimer-1"
    assert board.says("sampling_frequency") == "400"
    enabled = {n: board.says(f"scan_elements/in_{n}_en") for n in ("accel_x", "accel_z")}
    assert enabled == {"accel_x": "1", "accel_z": "0"}
    assert board.says("scan_elements/in_timestamp_en") == "1"
    assert board.says("current_timestamp_clock") == "monotonic"
    told = [board.says(f"buffer/{n}") for n in ("length", "watermark", "enable")]
    assert told == ["800", "20", "1"]
    device.stop()
    assert board.says("buffer/enable") == "0"


def test_scans_torn_anywhere_are_put_together(board):
    device = board.open()
    device.start()
    scans = board.give(range(100), range(100), range(100))
    os.read(board.end, len(scans))
    for at in range(0, len(scans), 7):
        os.write(board.end, scans[at : at + 7])
        if at % 3 == 0:
            break
    got, at = [], at + 7
    while len(got) < 100:
        os.write(board.end, scans[at : at + 7])
        at += 7
        frames = device.read(0.0)
        got += [] if frames is None else frames.counts[0].tolist()
    assert got == list(range(100))


def test_what_the_kernel_dropped_is_told_before_the_frames_that_follow_it(board):
    device = board.open()
    device.start()
    numbers = [*range(10), *range(25, 40), *range(41, 50)]
    board.give(numbers, numbers, numbers)
    read = [device.read(0.0) for _ in range(3)]
    assert [(f.lost, f.counts[0, 0], f.counts.shape[1]) for f in read] == [
        (0, 0, 10),
        (15, 25, 15),
        (1, 41, 9),
    ]
    assert device.read(0.0) is None
    board.give([60], [60], [60])
    assert device.read(5.0).lost == 10


def test_a_new_start_knows_nothing_of_the_old_scans(board):
    device = board.open()
    device.start()
    scans = board.give([1], [1], [0])
    os.write(board.end, scans[:5])
    device.read(5.0)
    device.read(0.0)
    device.start()
    board.give([2], [2], [10**6])
    frames = device.read(5.0)
    assert (frames.lost, frames.counts[0, 0]) == (0, 2)


def test_a_device_is_found_by_its_name_too(tmp_path):
    other = Board(tmp_path, {**ACCELEROMETER, "name": "other"}, number=0)
    mine = Board(tmp_path, number=7)
    mine.open(replace(XY, device="adxl372")).start()
    assert (mine.says("buffer/enable"), other.says("buffer/enable")) == ("1", "0")
    os.close(other.end)
    os.close(mine.end)


VOLTAGES = {
    "sampling_frequency": "25600",
    "in_voltage_scale": "0.5",
    "in_voltage1_scale": "0.25",
    "in_voltage_offset": "-32768",
    "buffer/enable": "0",
    "buffer/length": "2",
    **{
        f"scan_elements/in_voltage{i}_{what}": value
        for i in range(2)
        for what, value in (("en", "0"), ("index", str(i)), ("type", "le:u16/32>>8"))
    },
}


def test_voltages_have_offset_sensitivity_and_no_timestamp(tmp_path):
    board = Board(tmp_path, VOLTAGES)
    device = board.open(IioOptions(sensitivity_mv_g=(100.0, 50.0)))
    device.start()
    raw = np.array([[32768, 0], [65535, 40000]], np.uint32) << 8 | 0xAB
    os.write(board.end, raw.astype("<u4").tobytes())
    frames = device.read(5.0)
    assert frames.counts.dtype == np.int16
    assert frames.counts.tolist() == [[0, 32767], [-32768, 7232]]
    np.testing.assert_allclose(device.scale, [0.5 * G / 100, 0.25 * G / 50], rtol=1e-6)
    os.close(board.end)


@pytest.mark.parametrize(
    ("kind", "offset", "dtype"),
    [
        ("le:s24/32>>8", "0", np.int32),
        ("le:u16/16>>0", "0", np.int32),
        ("le:s16/16>>0", "0.5", np.float32),
        ("le:s32/32>>0", "1", np.float32),
        ("le:s32/32>>0", "0", np.int32),
        ("le:s16/16>>0", "0", np.int16),
    ],
)
def test_counts_have_the_smallest_type_that_holds_them_with_their_offset(
    tmp_path, kind, offset, dtype
):
    files = {**VOLTAGES, "in_voltage_offset": offset}
    files |= {f"scan_elements/in_voltage{i}_type": kind for i in range(2)}
    board = Board(tmp_path, files)
    device = board.open(IioOptions(sensitivity_mv_g=(100.0,)))
    device.start()
    size = ElementType.parse(kind).storage_bits // 8
    os.write(board.end, bytes(2 * size))
    counts = device.read(5.0).counts
    assert counts.dtype == dtype
    assert counts.tolist() == [[float(offset)]] * 2
    os.close(board.end)


def without(*names):
    return {k: v for k, v in ACCELEROMETER.items() if k not in names}


@pytest.mark.parametrize(
    ("files", "options", "said"),
    [
        ({}, XY, "names no elements"),
        (ACCELEROMETER, replace(XY, device="gone"), "'gone' is not in .*: there are iio:device0"),
        (ACCELEROMETER, IioOptions(), "does not name 2 elements.*in_accel_z"),
        (ACCELEROMETER, replace(XY, inputs=("in_accel_x",) * 2), "does not name 2 different"),
        (without("sampling_frequency"), XY, "has no sampling_frequency: give its trigger's"),
        ({**ACCELEROMETER, "sampling_frequency": "fast"}, XY, "'fast' is not a number"),
        ({**ACCELEROMETER, "sampling_frequency": "0"}, XY, "is no rate"),
        ({**ACCELEROMETER, "in_accel_scale": "nan"}, XY, "in_accel_scale = 'nan' is not a number"),
        (
            {**ACCELEROMETER, "scan_elements/in_accel_x_index": "first"},
            XY,
            "in_accel_x_index = 'first' is not a number",
        ),
        (
            {**ACCELEROMETER, "scan_elements/in_accel_x_type": "s16"},
            XY,
            "in_accel_x_type = 's16' is no IIO type: one is like 'le:s16/16>>0'",
        ),
        (without("trigger/current_trigger"), replace(XY, trigger="t"), "cannot be written"),
        (VOLTAGES, IioOptions(), "sensitivity_mv_g is empty"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, files, options, said):
    (tmp_path / "sys" / "iio:device0").mkdir(parents=True)
    board = Board(tmp_path, files)
    with pytest.raises(VibroError, match=said) as caught:
        board.open(options).start()
    assert "\n" not in str(caught.value)
    os.close(board.end)


def test_a_device_that_ends_or_is_gone_fails_in_one_line(board):
    device = board.open()
    device.start()
    assert device.read(0.0) is None
    os.close(board.end)
    with pytest.raises(VibroError, match="has ended: is the device still there"):
        device.read(0.0)
    board.pipe.unlink()
    with pytest.raises(VibroError, match="iio:device0: cannot be read"):
        device.start()
    for path in sorted(board.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    device.stop()
    board.end = os.open(os.devnull, os.O_RDONLY)


def test_scans_that_were_dropped_are_a_gap_of_the_stream_and_in_its_accounts(board):
    device = board.open()
    device.start()
    acquisition = Acquisition(device, MACHINE.channels, AcquisitionSection(), 0.02, exact=False)
    numbers = [*range(800), *range(900, 1700)]
    board.give([n % 2000 for n in numbers], numbers, numbers)
    mono_ns = 0
    while (frames := device.read(0.0)) is not None:
        for at in range(0, frames.counts.shape[1], 80):
            part = replace(
                frames, counts=frames.counts[:, at : at + 80], lost=0 if at else frames.lost
            )
            mono_ns += (part.counts.shape[1] + part.lost) * PERIOD_NS
            acquisition.push(part, mono_ns, START_NS + mono_ns)
    acquisition.finish()
    found = read_up(acquisition.epochs[0])
    assert tile(found) == 1700
    assert [(g.first_sample, g.samples) for g in gaps(found)] == [(800, 100)]
    x = samples(found)[0]
    assert x.tolist() == [n % 2000 for n in numbers]
    assert acquisition.epochs[0].lost == 100
    device.stop()


# -- layout ------------------------------------------------------------------------------------


def naive(word: bytes, kind: ElementType) -> int:
    """An element's value, bit by bit."""
    number = int.from_bytes(word, "big" if kind.big_endian else "little")
    bits = [(number >> (kind.shift + i)) & 1 for i in range(kind.bits)]
    value = sum(b << i for i, b in enumerate(bits))
    return value - (1 << kind.bits) if kind.signed and bits[-1] else value


@st.composite
def types(draw):
    storage = draw(st.sampled_from([8, 16, 32, 64]))
    bits = draw(st.integers(1, storage))
    shift = draw(st.integers(0, storage - bits))
    # Unsigned numbers of all 64 bits do not fit: nothing that measures has them.
    signed = draw(st.booleans()) or bits == 64
    return ElementType(draw(st.booleans()), signed, bits, storage, shift)


def written(kind: ElementType) -> str:
    order, sign = ("be" if kind.big_endian else "le"), ("s" if kind.signed else "u")
    return f"{order}:{sign}{kind.bits}/{kind.storage_bits}>>{kind.shift}"


@settings(max_examples=80, deadline=None)
@given(st.lists(types(), min_size=1, max_size=6), st.integers(1, 4), st.randoms())
def test_any_scan_is_read_as_its_definition_says(kinds, scans, luck):
    assert [ElementType.parse(written(k) + "\n") for k in kinds] == kinds
    layout = ScanLayout([Element(str(i), 3 * i, k) for i, k in enumerate(kinds)])
    memory = luck.randbytes(scans * layout.scan_bytes)
    end, offsets = 0, []
    for kind in kinds:
        size = kind.storage_bits // 8
        end += -end % size
        offsets.append(end)
        end += size
    assert layout.scan_bytes == end + -end % max(k.storage_bits // 8 for k in kinds)
    for i, kind in enumerate(kinds):
        values = layout.values(memory, str(i))
        for s in range(scans):
            at = s * layout.scan_bytes + offsets[i]
            expected = naive(memory[at : at + kind.storage_bits // 8], kind)
            assert values[s] == expected
            assert kind.limits[0] <= expected <= kind.limits[1]


def parsed_or_refused(text: str) -> bool:
    kind, told = None, ""
    try:
        kind = ElementType.parse(text)
    except BadInputError as error:
        told = str(error)
    assert "\n" not in told
    if kind is None:
        assert told.startswith("type = ")
    else:
        kind.values(np.zeros(3, kind.stored))
        assert 0 < kind.bits <= kind.storage_bits - kind.shift
    return kind is not None


TEXTS = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"(be|le|xe):[sufx][0-9]{0,4}/[0-9]{0,4}(X[0-9]{0,3})?>>[0-9]{0,4}\n?"),
)


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_a_type_is_read_or_refused_in_one_line(text):
    parsed_or_refused(text)


PIECES = [
    *("be", "le", ":", "s", "u", "f", "/", "X", ">>", "\n", "\0", "-", "+", ".", "\u0663"),
    *("0", "1", "8", "12", "16", "24", "32", "64", "99", "be:s12/16>>4"),
]


@pytest.mark.parametrize("n", [1000, pytest.param(100_000, marks=pytest.mark.prove)])
def test_types_with_anything_in_them_are_read_or_refused(n):
    luck, read = random.Random(n), 0  # noqa: S311 (a test's luck)
    for _ in range(n):
        order, sign = luck.choice(("be", "le")), luck.choice("su")
        bits, storage, shift = luck.choices((1, 8, 12, 16, 24, 32, 64, 0), k=3)
        text = f"{order}:{sign}{bits}/{storage}>>{shift % 16}"
        for _ in range(luck.choice((0, 0, 1, 2, 5))):
            at = luck.randrange(len(text) + 1)
            text = text[:at] + luck.choice(PIECES) + text[at + luck.randrange(3) :]
        read += parsed_or_refused(text)
    assert 0.1 * n < read < 0.9 * n
