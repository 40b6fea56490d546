"""Damaged inputs to the TCP stream, the recordings of a replay and the configuration.

No crash, no hang, no memory, and one clear line. `make prove` runs the same with 10^5 inputs each.
"""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from edge_node.config import load, sample_config
from edge_node.sources.port import AsFastAsPossible
from edge_node.sources.replay import ReplayOptions, ReplaySource
from edge_node.sources.tcp_frames import HEADER_BYTES, MOST_PAYLOAD, FrameReader
from tests.edge_node.garbage import mutated
from tests.edge_node.plants import MACHINE, RATE
from tests.edge_node.test_tcp_frames import GOODBYE, block, hello, stream_of
from vibro.errors import BadInputError
from vibro.files import Recording, write_recording

MANY = pytest.mark.parametrize("n", [300, pytest.param(100_000, marks=pytest.mark.prove)])
FEW = pytest.mark.parametrize("n", [60, pytest.param(100_000, marks=pytest.mark.prove)])
X = np.random.default_rng(0).standard_normal((2, 200)).astype(np.float32)


def one_line(error: BadInputError, named: object = "") -> None:
    told = str(error)
    assert told
    assert str(named) in told
    assert len(told.splitlines()) == 1
    assert len(told) < 20_000


@MANY
def test_a_tcp_stream_of_damaged_frames(n):
    """Every frame that comes out is sound, and the indices account for what is missing."""
    rng = np.random.default_rng(1)
    sound = [
        b"".join(f.packed() for f in frames)
        for frames in (
            [hello(), *(block(10 * i) for i in range(4)), block(40, kind=GOODBYE)],
            [hello(dtype=3), *(block(10 * i, dtype=3, rpm=1500.0) for i in range(4))],
            [hello(stream=8, index=90), block(90, stream=8), block(130, stream=8)],
            [hello(unit=3), block(2**40), block(5)],
        )
    ]
    stream = stream_of()
    for _ in range(n):
        reader = FrameReader()
        stream.connected()
        data = mutated(sound, rng)
        cut = int(rng.integers(len(data) + 1))
        try:
            for piece in (data[:cut], data[cut:]):
                for frame in reader.feed(piece):
                    before = stream._next
                    frames = stream.frame(frame)
                    assert reader.held <= HEADER_BYTES + MOST_PAYLOAD
                    if frames is None:
                        continue
                    assert np.isfinite(frames.counts).all()
                    assert frames.counts.shape[0] == 2
                    assert stream._next - before == frames.lost + frames.counts.shape[1]
        except BadInputError as error:
            one_line(error)
        assert "\n" not in reader.said
        assert "\n" not in stream.said


@FEW
@pytest.mark.parametrize("suffix", [".wav", ".csv", ".npy", ".tdms"])
def test_a_replay_of_damaged_recordings(tmp_path, suffix, n):
    rng = np.random.default_rng(2)
    good, hurt = tmp_path / f"good{suffix}", tmp_path / f"hurt{suffix}"
    sound = []
    for rate in (float(RATE), 640.0):
        write_recording(good, Recording(X, ("a", "b"), rate, float("nan"), True, ""))
        sound.append(good.read_bytes())
    for _ in range(n):
        hurt.write_bytes(mutated(sound, rng))
        try:
            source = ReplaySource(
                MACHINE, [hurt], ReplayOptions(), t0_ns=0, block_s=1.0, pace=AsFastAsPossible()
            )
        except BadInputError as error:
            one_line(error, hurt)
            continue
        # No block is longer than the recording that it comes from.
        read = source.read()
        assert read is not None
        assert np.isfinite(read.counts).all()
        assert read.counts.nbytes < 1e6


@FEW
def test_damaged_configurations(tmp_path, n):
    rng = np.random.default_rng(3)
    sound = [sample_config(kind).encode() for kind in ("replay", "simulator", "tcp")]
    lines = [text.splitlines(keepends=True) for text in sound]
    # Comments are most of a sample and take most of the time of reading it.
    bare = [[line for line in kept if not line.startswith(b"#")] for kept in lines]
    path = tmp_path / "node.toml"
    for _ in range(n):
        # Whole lines are moved and lost as well, so that most of it stays TOML.
        kept = list((bare if rng.random() < 0.95 else lines)[rng.integers(len(lines))])
        for _ in range(int(rng.integers(0, 4))):
            other = lines[rng.integers(len(lines))]
            kept[int(rng.integers(len(kept)))] = other[rng.integers(len(other))]
        data = b"".join(kept)
        path.write_bytes(data if rng.random() < 0.5 else mutated([data], rng))
        try:
            config = load(path)
        except BadInputError as error:
            one_line(error, path)
        else:
            assert config.source_options is not None
            tomllib.loads(path.read_text(encoding="utf-8"))
