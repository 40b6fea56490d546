"""A device played from a script, with the clocks that it moves: a fake at our own port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edge_node.acquisition.acquire import Acquisition
from edge_node.config import AcquisitionSection
from edge_node.sources.device import Frames
from edge_node.sources.port import Gap
from vibro.records import ChannelPath, SampleBlock

RATE, BLOCK_S, S = 1000.0, 0.02, 10**9
BLOCK = round(RATE * BLOCK_S)
UTC0 = 1_700_000_000 * S
CHANNELS = (ChannelPath("s", "m", "a"), ChannelPath("s", "m", "b"))


def numbered(first: int, n: int, dtype=np.int32) -> np.ndarray:
    """Samples that say which they are: their index, and its negative."""
    x = np.arange(first, first + n)
    return np.stack([x, -x]).astype(dtype)


@dataclass
class Clocks:
    """Monotonic clock and time of day, moved by hand."""

    mono_ns: int = 5 * S
    offset_ns: int = UTC0 - 5 * S

    def __call__(self) -> tuple[int, int]:
        return self.mono_ns, self.mono_ns + self.offset_ns


class Played:
    """Delivers what a script says: frames, exceptions to raise, None for nothing in time.

    A callable of the script is called (with the device) and gives what to deliver.
    """

    def __init__(self, script: Iterable = (), clocks: Clocks | None = None) -> None:
        self.rate_hz, self.scale, self.sample_bytes = RATE, np.ones(2, np.float32), 4
        self.clocks = clocks or Clocks()
        self.script: Iterator = iter(script)
        self.starts = self.stops = 0

    def start(self) -> None:
        self.starts += 1

    def stop(self) -> None:
        self.stops += 1

    def read(self, timeout_s: float) -> Frames | None:
        item = next(self.script, EOFError())
        if callable(item):
            item = item(self)
        if isinstance(item, BaseException):
            raise item
        if item is not None:
            self.clocks.mono_ns += round(1e9 * (item.counts.shape[1] + item.lost) / self.rate_hz)
        return item


class Feed:
    """An acquisition that is fed by hand; the samples know their numbers."""

    def __init__(self, *, exact: bool = True, **section) -> None:
        self.device, self.clocks, self.taken = Played(), Clocks(), 0
        self.acquisition = Acquisition(
            self.device, CHANNELS, AcquisitionSection(**section), BLOCK_S, exact=exact
        )

    def push(self, n: int = BLOCK, lost: int = 0, *, dtype=np.int32, **facts) -> bool:
        """Let n samples happen after ``lost`` that the device dropped."""
        counts = numbered(self.taken + lost, n, dtype)
        self.taken += n + lost
        self.clocks.mono_ns += round(1e9 * (n + lost) / RATE)
        return self.acquisition.push(Frames(counts, lost, **facts), *self.clocks())

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / BLOCK_S)):
            self.push()


def read_up(epoch) -> list[SampleBlock | Gap]:
    """Everything that can be read now."""
    found = []
    while (item := epoch.take()) is not None:
        found.append(item)
    return found


def samples(items) -> np.ndarray:
    parts = [i.counts for i in items if isinstance(i, SampleBlock)]
    return np.concatenate(parts, axis=1) if parts else np.zeros((2, 0), np.int32)


def gaps(items) -> list[Gap]:
    return [i for i in items if isinstance(i, Gap)]


def tile(items, first: int = 0) -> int:
    """Check that blocks and gaps follow one another without hole or overlap; return the end."""
    at = first
    for item in items:
        n = item.samples if isinstance(item, Gap) else item.counts.shape[1]
        if not (isinstance(item, Gap) and item.first_sample < 0):
            assert item.first_sample == at
            at += n
    return at
