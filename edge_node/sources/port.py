"""The port every source implements, and how fast a recorded or simulated one may go.

A source is pulled: `read` returns the next block, or None when no further sample has happened
yet. Whether samples "have happened" is the `Pace`'s word: the wall clock, nothing at all (as fast
as possible), or a plant clock that a demo moves on.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vibro.errors import BadInputError
from vibro.records import SampleBlock, StreamInfo

FOREVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples of every channel that were taken, or should have been, and never came.

    Attributes
    ----------
    first_sample : int
        Index of the first one. A gap before the first sample of an epoch ends at index 0.
    samples : int
        How many a channel; 0 where nothing was lost and only the time of day has jumped.
    t0_ns : int
        UTC time of the first one.
    reason : str
        One line.
    """

    first_sample: int
    samples: int
    t0_ns: int
    reason: str


class Source(Protocol):
    """One stream epoch of samples of all channels of one machine."""

    @property
    def info(self) -> StreamInfo:
        """What the stream is: channels, rate, scale, epoch."""

    @property
    def finished(self) -> bool:
        """Whether no further sample of this epoch will ever come."""

    @property
    def continues(self) -> bool:
        """Whether the stream may go on in another epoch when this one is over."""

    @property
    def next_sample(self) -> int:
        """Index of the sample that the next block starts with."""

    def seek(self, first_sample: int) -> None:
        """Go to a sample: the index stays true, so a restart continues the stream epoch.

        Live sources cannot; they start a new stream epoch instead.
        """

    def read(self) -> SampleBlock | Gap | None:
        """Return what comes next in the stream, or None when nothing is there yet or ever will be.

        The index of a block counts the samples of the gaps before it.
        """

    def wait_s(self) -> float:
        """Return the seconds until a next block may be there; a guess, infinite without one."""

    def facts(self) -> dict[str, Any]:
        """Small JSON-able facts for the node's heartbeat."""


class Pace(Protocol):
    """Until when samples have happened."""

    def until_ns(self) -> int:
        """UTC time in ns up to which samples exist."""


@dataclass(frozen=True, slots=True)
class AsFastAsPossible:
    """Everything has happened already."""

    def until_ns(self) -> int:
        """Return the end of time."""
        return FOREVER_NS


@dataclass(frozen=True, slots=True)
class WallClock:
    """Samples happen as they would in the plant."""

    def until_ns(self) -> int:
        """Return the time of day."""
        return time.time_ns()


@dataclass(frozen=True, slots=True)
class PlantClock:
    """A small file that holds the instant up to which the plant has happened, in ns UTC.

    It is how a demo lets hours pass in seconds and still lets night fall for everybody at the
    same instant: edges run up to it, as fast as they can, and wait.
    """

    path: Path

    def until_ns(self) -> int:
        """Read the clock; a clock that was never set stands at zero."""
        try:
            return int(self.path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return 0
        except ValueError:
            raise BadInputError(
                f"{self.path} does not hold a time in ns: write one integer into it"
            ) from None

    def set(self, until_ns: int) -> None:
        """Move the clock; readers see the old or the new instant, never half of it."""
        draft = self.path.with_suffix(".new")
        draft.write_text(str(until_ns), encoding="ascii")
        draft.replace(self.path)


class Seekable:
    """What replay and simulator share: a known start, a known length, and a pace.

    Their stream epoch is the start itself: a stream that begins anew (its spool was lost) numbers
    samples and records from 0 again, and nobody must take them for repeats.

    Subclasses give `_render(first_sample, n)`.
    """

    def __init__(self, info: StreamInfo, t0_ns: int, total: int, block: int, pace: Pace) -> None:
        self._info, self._t0_ns, self._total, self._block, self._pace = (
            info,
            t0_ns,
            total,
            block,
            pace,
        )
        self._next = 0

    @property
    def info(self) -> StreamInfo:
        """What the stream is."""
        return self._info

    @property
    def next_sample(self) -> int:
        """Index of the sample that the next block starts with."""
        return self._next

    @property
    def finished(self) -> bool:
        """Whether every sample was read."""
        return self._next >= self._total

    @property
    def continues(self) -> bool:
        """A recording is one epoch."""
        return False

    def seek(self, first_sample: int) -> None:
        """Continue from a sample index."""
        self._next = min(max(first_sample, 0), self._total)

    def time_of(self, sample: int) -> int:
        """UTC time of a sample in ns."""
        return self._t0_ns + round(sample * 1e9 / self._info.rate_hz)

    def read(self) -> SampleBlock | None:
        """Render the next block if its last sample has happened."""
        n = min(self._block, self._total - self._next)
        if n <= 0 or self.time_of(self._next + n) > self._pace.until_ns():
            return None
        first = self._next
        self._next += n
        return self._render(first, n)

    def wait_s(self) -> float:
        """Return the seconds, by its pace, until the last sample of the next block happens."""
        n = min(self._block, self._total - self._next)
        if n <= 0:
            return math.inf
        return max(0.0, (self.time_of(self._next + n) - self._pace.until_ns()) * 1e-9)

    def facts(self) -> dict[str, Any]:
        """A recording has nothing to tell."""
        return {}

    def _render(self, first: int, n: int) -> SampleBlock:
        raise NotImplementedError
