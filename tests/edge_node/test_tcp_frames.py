"""Frames of the TCP stream as bytes and as what they mean; no socket is needed for it."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.sources.calibration import m_s2_per_unit
from edge_node.sources.tcp_frames import (
    DTYPES,
    GOODBYE,
    HEADER_BYTES,
    HELLO,
    MOST_MALFORMED,
    MOST_PAYLOAD,
    MOST_SKIPPED,
    SAMPLES,
    Frame,
    FrameReader,
    hello_payload,
)
from edge_node.sources.tcp_stream import TcpStream
from vibro.errors import BadInputError

RATE = 1280.0
ONES = np.ones(2, np.float32)


def hello(stream: int = 7, scale=ONES, unit: int = 0, **facts) -> Frame:
    plain = {"kind": HELLO, "channels": 2, "dtype": 1, "sequence": 0, "index": 0, "rate_hz": RATE}
    return Frame(**plain | {"stream": stream, "payload": hello_payload(unit, scale)} | facts)


def block(index: int, n: int = 10, sequence: int | None = None, dtype: int = 1, **facts) -> Frame:
    x = np.arange(index, index + n)
    payload = np.stack([x, -x], axis=1).astype(DTYPES[dtype]).tobytes()
    plain = {
        "kind": SAMPLES, "channels": 2, "dtype": dtype, "stream": 7, "rate_hz": RATE,
        "sequence": 1 + index if sequence is None else sequence, "index": index, "samples": n,
        "payload": payload,
    }  # fmt: skip
    return Frame(**plain | facts)


def stream_of(unit: str = "") -> TcpStream:
    stream = TcpStream(2, lambda told: m_s2_per_unit("source", unit or told, [100.0], [1.0], 2))
    stream.connected()
    return stream


# -- bytes ---------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=6), st.data())
def test_frames_are_found_whatever_pieces_their_bytes_come_in(lengths, data):
    frames = [hello(), *(block(100 * i, n) for i, n in enumerate(lengths)), block(0, kind=GOODBYE)]
    sent = b"".join(f.packed() for f in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    reader = FrameReader()
    pieces = zip([0, *cuts], [*cuts, len(sent)], strict=True)
    found = [f for a, b in pieces for f in reader.feed(sent[a:b])]
    assert [f.packed() for f in found] == [f.packed() for f in frames]
    assert (reader.held, reader.said) == (0, "")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_costs_the_frame_that_it_is_in_and_no_other(data):
    frames = [block(10 * i) for i in range(4)]
    sent = bytearray(b"".join(f.packed() for f in frames))
    size = len(sent) // 4
    bit = data.draw(st.integers(size * 8, 2 * size * 8 - 1))
    sent[bit // 8] ^= 1 << bit % 8
    reader = FrameReader()
    found = [f.index for f in reader.feed(bytes(sent) + frames[0].packed())]
    assert found == [0, 20, 30, 0]
    assert reader.said


def test_rubbish_between_frames_is_skipped_and_told_of_once():
    reader = FrameReader()
    rubbish = np.random.default_rng(0).bytes(5000) + b"VIB"
    found = reader.feed(block(0).packed() + rubbish + block(10).packed())
    assert [f.index for f in found] == [0, 10]
    assert reader.said == "bytes that begin no frame"


def test_rubbish_without_end_is_given_up():
    reader = FrameReader()
    for _ in range(MOST_SKIPPED // 65536):
        reader.feed(b"\x55" * 65536)
    with pytest.raises(BadInputError, match="bytes are no frames"):
        reader.feed(b"\x55" * 65536)


def test_false_payloads_without_end_are_given_up():
    frame = bytearray(block(0).packed())
    frame[-1] ^= 1
    reader = FrameReader()
    with pytest.raises(BadInputError, match=f"{MOST_MALFORMED + 1} frames one after the other"):
        reader.feed(bytes(frame) * 100)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"kind": 4}, "a frame of the type 4"),
        ({"dtype": 9}, "samples of the type 9"),
        ({"samples": 11}, "a payload of 40 bytes for 11 samples of 2 channels"),
        ({"channels": 3}, "a payload of 40 bytes for 10 samples of 3 channels"),
    ],
)
def test_a_header_that_is_sound_and_makes_no_sense_is_told_of(facts, said):
    plain = block(0)
    made = Frame(**{f: getattr(plain, f) for f in Frame.__slots__} | facts)
    reader = FrameReader()
    assert [f.index for f in reader.feed(made.packed() + block(10).packed())] == [10]
    assert said in reader.said


def test_another_version_and_a_payload_that_is_too_long_are_told_of():
    newer = bytearray(block(0).packed())
    newer[4] = 2
    newer[60:64] = zlib.crc32(newer[:60]).to_bytes(4, "little")
    long = bytearray(block(0).packed())
    long[12:16] = (MOST_PAYLOAD + 1).to_bytes(4, "little")
    long[60:64] = zlib.crc32(long[:60]).to_bytes(4, "little")
    for bad, said in ((newer, "version 2"), (long, f"{MOST_PAYLOAD} are allowed")):
        reader = FrameReader()
        assert len(reader.feed(bytes(bad) + block(10).packed())) == 1
        assert said in reader.said


def test_a_reader_never_holds_more_than_a_frame():
    reader = FrameReader()
    n = MOST_PAYLOAD // 4
    largest = block(0, n).packed()[:-1]
    for at in range(0, len(largest), 65536):
        reader.feed(largest[at : at + 65536])
        assert reader.held <= HEADER_BYTES + MOST_PAYLOAD


# -- meaning -------------------------------------------------------------------------------------


def test_samples_come_out_by_channel_with_the_units_of_the_hello():
    stream = stream_of()
    stream.frame(hello(scale=np.array([0.5, -2.0]), unit=1, rate_hz=RATE))
    frames = stream.frame(block(0, 3))
    assert frames.counts.tolist() == [[0, 1, 2], [0, -1, -2]]
    assert stream.scale == pytest.approx([0.5 * 9.80665, -2.0 * 9.80665])
    assert (stream.rate_hz, stream.sample_bytes) == (RATE, 2)


def test_volts_become_m_s2_by_the_sensitivity():
    stream = stream_of()
    stream.frame(hello(unit=3, scale=np.full(2, 1e-3)))
    # 1 mV a count at 100 mV/g.
    assert stream.scale == pytest.approx(0.01 * 9.80665 * np.ones(2))


def test_what_is_missing_is_counted_and_what_came_before_is_dropped():
    stream = stream_of()
    stream.frame(hello())
    told = [
        (f.lost, f.counts.shape[1]) for f in map(stream.frame, (block(0), block(17), block(27)))
    ]
    assert told == [(0, 10), (7, 10), (0, 10)]
    # The sender connects again and repeats itself.
    stream.connected()
    stream.frame(hello())
    assert stream.frame(block(20)) is None
    half = stream.frame(block(32))
    assert (half.lost, half.counts[0].tolist()) == (0, list(range(37, 42)))
    assert not half.anew


def test_another_stream_begins_anew_and_the_first_one_does_not():
    stream = stream_of()
    stream.frame(hello(index=5000))
    first = stream.frame(block(5000))
    assert (first.anew, first.lost) == (False, 0)
    stream.connected()
    stream.frame(hello(stream=8, index=100))
    second = stream.frame(block(100, stream=8))
    assert (second.anew, second.lost) == (True, 0)
    assert not stream.frame(block(110, stream=8)).anew


def test_samples_that_no_sensor_can_deliver_are_lost_and_counted():
    stream = stream_of()
    stream.frame(hello(dtype=3))
    for i, value in enumerate((np.nan, -np.inf, 2e7)):
        wild = np.zeros((10, 2), "<f4")
        wild[3 * i, 1] = value
        assert stream.frame(block(0, sequence=1 + i, dtype=3, payload=wild.tobytes())) is None
        assert f"frame {1 + i} is not finite, or beyond 1e+07 m/s2" in stream.said
    assert stream.frame(block(20, sequence=21, dtype=3)).lost == 20


def test_a_speed_that_no_shaft_has_is_not_believed():
    stream = stream_of()
    stream.frame(hello())
    assert stream.frame(block(0, rpm=-5.0)) is None
    assert "claims -5 rpm" in stream.said
    assert stream.frame(block(10, rpm=1500.0)).rpm == 1500.0
    assert math.isnan(stream.frame(block(20)).rpm)


def test_a_sign_of_life_and_a_goodbye_carry_no_samples():
    stream = stream_of()
    stream.frame(hello())
    assert stream.frame(block(0, 0)) is None
    assert stream.frame(block(10, kind=GOODBYE)) is None
    assert stream.goodbye


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([block(0)], "its first frame is no hello"),
        ([hello(), hello()], "a second hello"),
        ([hello(channels=3)], "it has 3 channels, the machine 2"),
        ([hello(rate_hz=1.0)], "its rate is 1 Hz: 50 to 1e+06 Hz are possible"),
        ([hello(rate_hz=math.nan)], "its rate is nan Hz"),
        ([hello(payload=b"\0")], "hello of 1 bytes for 2 channels: 12 are right"),
        ([hello(unit=9)], "hello with the unit 9"),
        ([hello(scale=np.array([1.0, 0.0]))], "a scale that is 0 or not finite"),
        ([hello(scale=np.array([1.0, np.nan]))], "a scale that is 0 or not finite"),
        ([hello(scale=np.array([1.0, 1e4]))], "its full scale is beyond 1e+07 m/s2"),
        ([hello(), block(0, stream=8)], "a frame of stream 8 in stream 7"),
        ([hello(), block(5), block(15, sequence=3)], "frame 3 after frame 6"),
        ([hello(), block(0, rate_hz=640.0)], "other channels, type or rate"),
        ([hello(), block(0, dtype=2)], "other channels, type or rate"),
        ([hello(), block(2**50)], f"sample {2**50} after sample 0"),
    ],
)
def test_what_a_sender_cannot_mean_is_one_line(frames, said):
    stream = stream_of()
    for frame in frames[:-1]:
        stream.frame(frame)
    with pytest.raises(BadInputError) as told:
        stream.frame(frames[-1])
    assert said in str(told.value)
    assert "\n" not in str(told.value)
