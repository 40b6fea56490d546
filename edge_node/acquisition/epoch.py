"""One stream epoch between the thread that acquires and the one that processes.

A preallocated ring for one writer and one reader, without a lock: each side moves only its own
index, and moves it last. Samples that do not fit are counted, never waited for. The index of a
sample counts the lost ones too, so that it always tells the time.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.acquisition.clock import StreamClock
from edge_node.sources.device import Frames
from edge_node.sources.port import Gap
from vibro.records import SampleBlock, StreamInfo

MOST_HOLES = 256
"""Gaps that may wait in the ring; samples between more of them are lost with them."""
MOST_SPEEDS = 4096
"""Changes of the speed that may wait in the ring; more are passed over."""
OVERRUN = "overrun: processing is too slow"
DEVICE = "lost by the device"
SILENT = "never came, and the device did not say so"


@dataclass(frozen=True, slots=True)
class Lead:
    """What is known of the time between the last epoch and this one.

    Attributes
    ----------
    reason : str
        Why the epoch began.
    missing : int or None
        Samples of a channel lost in between; None = by the clock, since one of the following.
    since_mono_ns, since_utc_ns : int or None
        When the last epoch ended; the monotonic clock does not outlive a process.
    """

    reason: str
    missing: int | None = None
    since_mono_ns: int | None = None
    since_utc_ns: int | None = None


@dataclass(slots=True)
class _Hole:
    """Lost samples that stand before a position in the ring."""

    position: int
    samples: int
    reason: str


@dataclass(slots=True)
class _Speed:
    """Speed of the samples before a position in the ring, after those of the one before."""

    end: int
    rpm: float


class Epoch:
    """Ring, clock and accounts of one epoch.

    Parameters
    ----------
    info : StreamInfo
    like : ndarray
        Samples of the type and number of channels that will come.
    capacity, block : int
        Samples that may wait, and that make a block.
    tolerance_s : float
        Of the clock.
    lead : Lead or None
        None for the first epoch of a stream that has never been heard.
    exact : bool
        Whether the device tells of every loss; else those that it is silent about are inferred.
    """

    def __init__(
        self,
        info: StreamInfo,
        like: NDArray[Any],
        capacity: int,
        block: int,
        tolerance_s: float,
        lead: Lead | None,
        *,
        exact: bool,
    ) -> None:
        self.info, self.lead, self._block, self._exact = info, lead, block, exact
        self._capacity = max(capacity, 2 * block)
        # Written to, so that the memory is there and not only promised.
        self._counts = np.empty((like.shape[0], self._capacity), like.dtype)
        self._counts.fill(0)
        self._speeds: deque[_Speed] = deque()
        self._holes: deque[_Hole] = deque()
        self.clock = StreamClock(info.rate_hz, tolerance_s)
        # The writer's: samples put into the ring, and lost; the reader's: taken, and told of.
        self._written = self._lost = 0
        self._taken = self._told = 0
        self._led = lead is None
        self.overrun = 0
        self.closed = False

    # -- the writer ------------------------------------------------------------------------------

    @property
    def end(self) -> int:
        """Samples of the epoch so far, lost ones too."""
        return self._written + self._lost

    @property
    def lost(self) -> int:
        """Samples of a channel lost inside the epoch so far."""
        return self._lost

    @property
    def held_share(self) -> float:
        """Share of the ring that waits for processing."""
        return (self._written - self._taken) / self._capacity

    def facts(self) -> dict[str, Any]:
        """Small JSON-able facts, for whoever asks on whichever thread.

        ``rate_error_ppm`` is that of the converter against the time of day; None until it is known.
        """
        rate = 1.0 / (1.0 + self.clock.rate_error)
        return {
            "frames_lost": self._lost,
            "frames_overrun": self.overrun,
            "ring_share": round(self.held_share, 2),
            "rate_error_ppm": round(1e6 * (rate - 1.0), 1) if self.clock.known else None,
            "clock_error_ms": round(self.clock.error_ns * 1e-6),
        }

    def fits(self, counts: NDArray[Any]) -> bool:
        """Whether samples are of the ring's type and number of channels."""
        same: bool = counts.dtype == self._counts.dtype
        return same and counts.shape[0] == self._counts.shape[0]

    def push(self, frames: Frames, mono_ns: int, offset_ns: int) -> bool:
        """Take frames that have just come; return whether a block waits to be read."""
        if frames.lost:
            self._lose(frames.lost, DEVICE)
        n = frames.counts.shape[1]
        room = self._capacity - (self._written - self._taken)
        stored = 0 if len(self._holes) >= MOST_HOLES else min(n, room)
        self._store(frames.counts[:, :stored], frames.rpm)
        if stored < n:
            self.overrun += n - stored
            self._lose(n - stored, OVERRUN)
        self.clock.arrived(self.end, mono_ns, offset_ns)
        if not self._exact and (missing := self.clock.take_missing()):
            self._lose(missing, SILENT)
        return self.clock.ready and self._written - self._taken >= self._block

    def close(self, offset_ns: int) -> None:
        """End the epoch: nothing will be pushed any more."""
        self.clock.settle(self.end, offset_ns)
        self.closed = True

    def _store(self, counts: NDArray[Any], rpm: float) -> None:
        n, at = counts.shape[1], self._written % self._capacity
        first = min(n, self._capacity - at)
        self._counts[:, at : at + first] = counts[:, :first]
        self._counts[:, : n - first] = counts[:, first:]
        last = self._speeds[-1] if self._speeds else None
        # NaN is not equal to itself, and yet the same.
        same = last is not None and (rpm == last.rpm or (rpm != rpm and last.rpm != last.rpm))
        if last is not None and (same or len(self._speeds) >= MOST_SPEEDS):
            last.end = self._written + n
        else:
            self._speeds.append(_Speed(self._written + n, rpm))
        self._written += n

    def _lose(self, samples: int, reason: str) -> None:
        """Count samples as lost where the ring stands; the reader sees no hole at its end."""
        self._lost += samples
        if self._holes and self._holes[-1].position == self._written:
            hole = self._holes[-1]
            hole.samples += samples
            if reason not in hole.reason:
                hole.reason += f"; {reason}"
        else:
            self._holes.append(_Hole(self._written, samples, reason))

    # -- the reader ------------------------------------------------------------------------------

    @property
    def next_sample(self) -> int:
        """Index of the sample that is read next."""
        return self._taken + self._told

    @property
    def drained(self) -> bool:
        """Whether the epoch is closed and everything was read."""
        return self.closed and self._led and self._taken == self._written and not self._holes

    def take(self) -> SampleBlock | Gap | None:
        """Return what comes next, or None when that is not there yet."""
        if not self.clock.ready:
            return None
        if not self._led:
            self._led = True
            return self._leading()
        closed, written = self.closed, self._written
        hole = self._holes[0] if self._holes else None
        # A hole at the ring's end may still grow.
        if hole is not None and hole.position >= written and not closed:
            hole = None
        if hole is not None and hole.position == self._taken:
            self._holes.popleft()
            return self._tell(hole)
        limit = written if hole is None else hole.position
        wanted = self._block - self.next_sample % self._block
        n = min(wanted, limit - self._taken)
        if n <= 0 or (n < wanted and hole is None and not closed):
            return None
        return self._cut(n)

    def _cut(self, n: int) -> SampleBlock:
        at, first = self._taken % self._capacity, self.next_sample
        if at + n <= self._capacity:
            counts = self._counts[:, at : at + n].copy()
        else:
            over = at + n - self._capacity
            counts = np.concatenate([self._counts[:, at:], self._counts[:, :over]], axis=1)
        speed = self._speed(self._taken, self._taken + n)
        # Last: from here on the writer may overwrite them.
        self._taken += n
        return SampleBlock(first, self.clock.time_of(first), counts, speed)

    def _speed(self, at: int, end: int) -> float:
        """Mean of the speeds that are known between two positions; NaN when none is."""
        # The writer may change the last one, and only that.
        while len(self._speeds) > 1 and self._speeds[0].end <= at:
            self._speeds.popleft()
        if self._speeds[0].end >= end:
            return self._speeds[0].rpm
        total, known = 0.0, 0
        for i in range(len(self._speeds)):
            speed = self._speeds[i]
            n = min(speed.end, end) - at
            if n <= 0:
                continue
            if not math.isnan(speed.rpm):
                total, known = total + n * speed.rpm, known + n
            at += n
        return total / known if known else math.nan

    def _tell(self, hole: _Hole) -> Gap:
        first = self.next_sample
        self._told += hole.samples
        return Gap(first, hole.samples, self.clock.time_of(first), hole.reason)

    def _leading(self) -> Gap:
        """The gap before the epoch's first sample."""
        lead = self.lead or Lead("")
        began_ns, missing = self.clock.time_of(0), lead.missing
        if missing is None:
            passed_ns = 0
            if lead.since_mono_ns is not None:
                passed_ns = self.clock.mono_of(0) - lead.since_mono_ns
            elif lead.since_utc_ns is not None:
                passed_ns = began_ns - lead.since_utc_ns
            missing = max(0, round(passed_ns * self.info.rate_hz / 1e9))
        return Gap(-missing, missing, self.clock.time_of(-missing), lead.reason)
