"""Features of a machine's channels as samples arrive, in any chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.features.channel import (
    BLOCK,
    CURSOR,
    FAST,
    FRESH,
    JOINED,
    LONG,
    NEVER,
    feed,
    long_due,
    longest_piece,
    make_buffers,
    take,
    take_long,
    to_keep,
)
from vibro.features.fast import fast_kit
from vibro.features.layout import bands_of, cursor_at, grid_of
from vibro.features.long import lines_of, long_kit
from vibro.features.setup import ChannelSetup
from vibro.features.spans import Spans, spans_of
from vibro.features.speed import SpeedTrack
from vibro.features.table import FAST as FAST_TABLE
from vibro.features.table import LONG as LONG_TABLE

F32 = NDArray[np.float32]
KINDS = (np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.float32))
"""Types of samples that are taken as they are."""
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """The windows that one push completed, oldest first; every array may have no rows.

    Attributes
    ----------
    fast_first, long_first, reflex_first : ndarray of int64, shape (w,), (v,), (b,)
        First sample of each window since sample 0 of the epoch.
    fast, long : ndarray of float32, shape (w, channels, n_fast), (v, channels, n_long)
        Columns as in `vibro.features.table`.
    fast_rpm, long_rpm : ndarray of float64, shape (w,), (v,)
        Mean speed over the window, NaN when unknown.
    reflex : ndarray of float32, shape (b, channels, 3)
        Peak (m/s2), RMS (m/s2) and slope of the RMS (m/s2 a second) of 20 ms blocks.
    """

    fast_first: I64
    fast: F32
    fast_rpm: F64
    long_first: I64
    long: F32
    long_rpm: F64
    reflex_first: I64
    reflex: F32


class MachineFeatures:
    """All three time scales of a machine's channels.

    How samples are cut into pushes never changes a result, bit for bit; nor does where a stream
    starts, for windows whose support (see `Spans`) it has seen. Slope is 0 in the first block of
    a stream that starts at sample 0; a stream that starts later uses its first whole block only as
    the predecessor of the next.

    Parameters
    ----------
    rate_hz : float
        Sampling rate of every channel, Hz.
    setups : sequence of ChannelSetup
        One a channel.
    start_sample : int
        Index of the first sample that will be pushed, since sample 0 of the epoch.
    spans : Spans, optional
        Scaled spans, e.g. for a short recording.
    scale : ndarray of float32, shape (channels,), optional
        m/s2 a count of what will be pushed; without it that is acceleration.
    reflex : bool
        Whether 20 ms blocks are wanted; without them nothing is done before a window ends.

    Raises
    ------
    BadInputError
        If the rate or a band cannot be used, or there is no channel.
    """

    def __init__(
        self,
        rate_hz: float,
        setups: Sequence[ChannelSetup],
        start_sample: int = 0,
        *,
        spans: Spans | None = None,
        scale: F32 | None = None,
        reflex: bool = True,
    ) -> None:
        if not setups:
            raise BadInputError("a machine needs at least one channel: give one setup a channel")
        self.spans = spans or spans_of(rate_hz, setups)
        s, n = self.spans, len(setups)
        self._setups = tuple(setups)
        self._scale = np.ones(n, np.float32) if scale is None else np.array(scale, np.float32)
        self._bands = bands_of(setups, s)
        tops = (self._bands.width - 1) * (rate_hz / s.fast_window)
        known = zip(setups, tops, strict=True)
        self._lines = np.stack([lines_of(setup.lines, float(top)) for setup, top in known])
        self._grid = grid_of(s)
        self._fast_kit, self._long_kit = fast_kit(s), long_kit(s)
        self._buffers = make_buffers(s, n)
        self._cursor, self._local = cursor_at(s, start_sample), np.zeros(CURSOR, np.int64)
        self._buffers.reflex_rms[:] = JOINED if start_sample else FRESH
        self._lead_block = start_sample != 0
        if not reflex:
            self._cursor[BLOCK] = NEVER
        self._speed = SpeedTrack(s.fast_hop, -(-s.memory_samples // s.fast_hop), start_sample)
        self._piece = longest_piece(s)
        self._room = self._buffers.raw.shape[1]
        # Raw samples that are buffered, and up to where they were fed.
        self._base = self._next = self._fed = start_sample
        self._owed: tuple[FeatureBatch, int] | None = None
        self._long_end = s.long_reach(int(self._cursor[LONG]))[1]
        self._nothing = self._batch([], [], [], 0)
        self._due = self._next_due()

    @property
    def next_sample(self) -> int:
        """Index of the sample that the next push starts with."""
        return self._next

    def push(self, samples: NDArray[Any], rpm: float, *, patient: bool = False) -> FeatureBatch:
        """Take the next samples and return the windows they complete.

        Parameters
        ----------
        samples : ndarray, shape (channels, n)
            Counts of the machine's scale; what is not finite counts as 0.
        rpm : float
            Speed of the reference shaft over these samples; NaN when unknown.
        patient : bool
            Fast windows must not wait for long ones: ``long`` is not filled in before `complete`
            or the next push.

        Raises
        ------
        BadInputError
            If the number of channels is not that of the setups.
        """
        if samples.ndim != 2 or samples.shape[0] != len(self._setups):
            raise BadInputError(
                f"samples have shape {samples.shape}, this machine has {len(self._setups)} "
                "channels: push an array of shape (channels, n)"
            )
        counts = samples if samples.dtype in KINDS else samples.astype(np.float32)
        self.complete()
        n = counts.shape[1]
        after = self._next + n
        self._speed.push(float(rpm), n)
        if after < self._due and after - self._fed <= self._piece:
            self._take(counts, 0, n)
            return self._nothing
        blocks, skipped = self._due_blocks(after)
        batch = self._batch(self._due_fast(after), self._due_long(after), blocks, skipped)
        self._owed = (batch, 0)
        self._run(counts, batch)
        self._due = self._next_due()
        if not patient:
            self.complete()
        return batch

    def _batch(
        self, fast: list[int], long: list[int], blocks: list[int], skipped: int
    ) -> FeatureBatch:
        """Room for the windows that begin at these samples, less the blocks to leave out."""
        s, n = self.spans, len(self._setups)
        first, rpm = np.array(fast, np.int64), self._speed.means(fast, s.fast_window)
        values = np.empty((len(fast), n, len(FAST_TABLE)), np.float32)
        if fast and not (long or blocks):
            # As almost always.
            no = self._nothing
            return FeatureBatch(
                first, values, rpm, no.long_first, no.long, no.long_rpm, no.reflex_first, no.reflex
            )
        return FeatureBatch(
            first,
            values,
            rpm,
            long_first=np.array(long, np.int64),
            long=np.empty((len(long), n, len(LONG_TABLE)), np.float32),
            long_rpm=self._speed.means(long, s.long_window * s.decimation),
            reflex_first=np.array(blocks[skipped:], np.int64),
            reflex=np.empty((len(blocks) - skipped, n, 3), np.float32),
        )

    def complete(self) -> None:
        """Fill in the long windows of the last push."""
        if self._owed is None:
            return
        batch, long = self._owed
        while long < len(batch.long) and long_due(self._cursor, self.spans):
            take_long(
                self._cursor,
                self._buffers,
                self.spans.long_hop,
                batch.long_rpm[long],
                self._lines,
                self._long_kit,
                batch.long[long],
            )
            long += 1
        self._owed = (batch, long) if long < len(batch.long) else None

    def _take(self, counts: NDArray[Any], at: int, count: int) -> None:
        """Buffer samples; what nothing needs any more makes room for them."""
        keep = -1
        if self._next - self._base + count > self._room:
            keep = self._base = to_keep(self._cursor, self._grid)
        take(counts, at, count, self._scale, self._cursor, self._buffers.raw, keep)
        self._next += count

    def _run(self, counts: NDArray[Any], batch: FeatureBatch) -> None:
        """Fill the batch but for its last long windows, as the buffers allow."""
        block, window, at, n = 0, 0, 0, counts.shape[1]
        while at < n:
            self.complete()
            room = self._room - self._next + to_keep(self._cursor, self._grid)
            # None where as much as may be has waited to be fed.
            count = min(n - at, room, self._piece - self._next + self._fed)
            self._take(counts, at, count)
            blocks, windows = self._cursor[BLOCK : FAST + 1].tolist()
            joined = int(self._buffers.reflex_rms[0] == JOINED)
            feed(
                self._cursor,
                self._local,
                self._buffers,
                self._grid,
                self._bands,
                self._fast_kit,
                batch.reflex[block:],
                batch.fast[window:],
            )
            self._fed = self._next
            blocks_after, windows_after = self._cursor[BLOCK : FAST + 1].tolist()
            block += max(0, blocks_after - blocks - joined)
            window += windows_after - windows
            at += count

    def _next_due(self) -> int:
        """Sample up to which no window and no block ends."""
        s, (block, fast) = self.spans, self._cursor[BLOCK : FAST + 1].tolist()
        ends = fast * s.fast_hop + s.fast_window, (block + 1) * s.reflex_block
        return int(min(*ends, self._long_end))

    def _due_blocks(self, after: int) -> tuple[list[int], int]:
        """First samples of the reflex blocks complete at ``after``; how many to leave out."""
        block = self.spans.reflex_block
        due = [b * block for b in range(int(self._cursor[BLOCK]), after // block)]
        skipped = int(self._lead_block and len(due) > 0)
        self._lead_block = self._lead_block and not skipped
        return due, skipped

    def _due_fast(self, after: int) -> list[int]:
        s = self.spans
        upto = (after - s.fast_window) // s.fast_hop + 1
        return [w * s.fast_hop for w in range(int(self._cursor[FAST]), upto)]

    def _due_long(self, after: int) -> list[int]:
        s = self.spans
        due: list[int] = []
        window = int(self._cursor[LONG])
        while self._long_end <= after:
            due.append(window * s.long_hop_samples)
            window += 1
            self._long_end = s.long_reach(window)[1]
        return due
