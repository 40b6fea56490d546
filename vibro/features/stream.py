"""Features of a machine's channels as samples arrive, in any chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.decimate import delayed_pair
from vibro.dsp.design import band_gain, lowpass_bank
from vibro.dsp.memory import aligned_copy
from vibro.errors import BadInputError
from vibro.features.channel import (
    BASE,
    BLOCK,
    CURSOR,
    DEPTH,
    ENV,
    ENV_BASE,
    FAST,
    FRESH,
    JOINED,
    LONG,
    NEXT,
    SIGNAL,
    Bands,
    Grid,
    feed,
    long_due,
    longest_piece,
    make_buffers,
    take_long,
)
from vibro.features.fast import fast_kit
from vibro.features.long import lines_of, long_kit
from vibro.features.setup import ChannelSetup
from vibro.features.spans import Spans, envelope_support, spans_of
from vibro.features.speed import SpeedTrack
from vibro.features.table import FAST as FAST_TABLE
from vibro.features.table import LONG as LONG_TABLE

F32 = NDArray[np.float32]
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
    ) -> None:
        if not setups:
            raise BadInputError("a machine needs at least one channel: give one setup a channel")
        self.spans = spans or spans_of(rate_hz, setups)
        s = self.spans
        self._setups = tuple(setups)
        self._bands = _bands(setups, s)
        tops = (self._bands.width - 1) * (rate_hz / s.fast_window)
        known = zip(setups, tops, strict=True)
        self._lines = np.stack([lines_of(setup.lines, float(top)) for setup, top in known])
        self._grid = _grid(s)
        self._fast_kit, self._long_kit = fast_kit(s), long_kit(s)
        self._buffers = make_buffers(s, len(setups))
        self._cursor, self._local = _start(s, start_sample), np.zeros(CURSOR, np.int64)
        self._buffers.reflex_rms[:] = JOINED if start_sample else FRESH
        self._lead_block = start_sample != 0
        reach = s.long_window * s.decimation
        self._speed = SpeedTrack(s.fast_hop, -(-reach // s.fast_hop), start_sample)
        self._piece = longest_piece(s)
        self._owed: tuple[FeatureBatch, int] | None = None
        self._long_end = s.long_reach(int(self._cursor[LONG]))[1]

    @property
    def next_sample(self) -> int:
        """Index of the sample that the next push starts with."""
        return int(self._cursor[NEXT])

    def push(self, samples: F32, rpm: float, *, patient: bool = False) -> FeatureBatch:
        """Take the next samples and return the windows they complete.

        Parameters
        ----------
        samples : ndarray of float32, shape (channels, n)
            Acceleration, m/s2; what is not finite counts as 0.
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
        x = np.ascontiguousarray(samples, np.float32)
        if x.ndim != 2 or x.shape[0] != len(self._setups):
            raise BadInputError(
                f"samples have shape {x.shape}, this machine has {len(self._setups)} channels: "
                "push an array of shape (channels, n)"
            )
        self.complete()
        after = self.next_sample + x.shape[1]
        s = self.spans
        self._speed.grow(x.shape[1])
        self._speed.push(rpm, x.shape[1])
        blocks, skipped = self._due_blocks(after)
        fast_first = self._due_fast(after)
        long_first = self._due_long(after)
        batch = FeatureBatch(
            fast_first=fast_first,
            fast=np.empty((len(fast_first), x.shape[0], len(FAST_TABLE)), np.float32),
            fast_rpm=self._speed.means(fast_first, s.fast_window),
            long_first=long_first,
            long=np.empty((len(long_first), x.shape[0], len(LONG_TABLE)), np.float32),
            long_rpm=self._speed.means(long_first, s.long_window * s.decimation),
            reflex_first=blocks[skipped:],
            reflex=np.empty((len(blocks) - skipped, x.shape[0], 3), np.float32),
        )
        self._owed = (batch, 0)
        self._run(x, batch)
        if not patient:
            self.complete()
        return batch

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

    def _run(self, x: F32, batch: FeatureBatch) -> None:
        """Fill the batch but for its last long windows, as the buffers of the long path allow."""
        block, window, at = 0, 0, 0
        while at < x.shape[1]:
            self.complete()
            piece = np.ascontiguousarray(x[:, at : at + self._piece])
            blocks, windows = self._cursor[BLOCK : FAST + 1].tolist()
            joined = int(self._buffers.reflex_rms[0] == JOINED)
            feed(
                piece,
                self._cursor,
                self._local,
                self._buffers,
                self._grid,
                self._bands,
                self._fast_kit,
                batch.reflex[block:],
                batch.fast[window:],
            )
            blocks_after, windows_after = self._cursor[BLOCK : FAST + 1].tolist()
            block += max(0, blocks_after - blocks - joined)
            window += windows_after - windows
            at += piece.shape[1]

    def _due_blocks(self, after: int) -> tuple[I64, int]:
        """First samples of the reflex blocks complete at ``after``; how many to leave out."""
        block = self.spans.reflex_block
        due = np.arange(self._cursor[BLOCK], after // block, dtype=np.int64) * block
        skipped = int(self._lead_block and len(due) > 0)
        self._lead_block = self._lead_block and not skipped
        return due, skipped

    def _due_fast(self, after: int) -> I64:
        s = self.spans
        upto = (after - s.fast_window) // s.fast_hop + 1
        return np.arange(self._cursor[FAST], upto, dtype=np.int64) * s.fast_hop

    def _due_long(self, after: int) -> I64:
        s = self.spans
        due: list[int] = []
        window = int(self._cursor[LONG])
        while self._long_end <= after:
            due.append(window * s.long_hop_samples)
            window += 1
            self._long_end = s.long_reach(window)[1]
        return np.array(due, np.int64)


def _bands(setups: Sequence[ChannelSetup], s: Spans) -> Bands:
    n = s.fast_window
    made = []
    for setup in setups:
        low, high = setup.band(s.rate_hz)
        scale = n / s.rate_hz
        made.append(band_gain(low * scale, high * scale, n, envelope_support(n)))
    gains = np.zeros((len(made), s.envelope_points), np.float32)
    count = np.array([min(len(g), s.envelope_points) for _, g in made], np.int64)
    for c, (_, g) in enumerate(made):
        # 2 / n makes a sine of amplitude A in the band have the envelope A.
        gains[c, : count[c]] = g[: count[c]] * np.float32(2.0 / n)
    return Bands(np.array([first for first, _ in made], np.int64), count, gains)


def _grid(s: Spans) -> Grid:
    unit = np.zeros((1, 1), np.float32)
    unit[0, 0] = 1.0
    signal, envelope = unit, np.repeat(unit, s.envelope_up, axis=0)
    stop = s.long_rate_hz - s.pass_hz
    if s.signal_taps > 1:
        signal = lowpass_bank(s.pass_hz, stop, s.rate_hz)
    if s.envelope_taps > 1:
        envelope = lowpass_bank(s.pass_hz, stop, s.envelope_rate_hz, s.envelope_up)
    return Grid(
        block=s.reflex_block,
        block_s=np.float32(s.reflex_block / s.rate_hz),
        fast=s.fast_window,
        hop=s.fast_hop,
        decimation=s.decimation,
        taps=s.signal_taps,
        points=s.envelope_points,
        up=s.envelope_up,
        down=s.envelope_down,
        long=s.long_window,
        signal_taps=delayed_pair(signal[0], s.decimation),
        envelope_bank=aligned_copy(envelope),
    )


def _start(s: Spans, start: int) -> I64:
    """Cursor of a stream whose first sample is ``start``."""
    cursor = np.zeros(CURSOR, np.int64)
    cursor[BASE] = cursor[NEXT] = start
    cursor[BLOCK] = -(-start // s.reflex_block)
    cursor[FAST] = -(-start // s.fast_hop)
    cursor[ENV] = cursor[FAST] * (s.envelope_points // 2)
    cursor[LONG] = -(-start // s.long_hop_samples)
    # Scaled long windows may start within a fast hop: then their first tile must be there too.
    while cursor[LONG] * s.long_hop * s.envelope_down // s.envelope_up < cursor[ENV]:
        cursor[LONG] += 1
    cursor[SIGNAL] = cursor[DEPTH] = cursor[LONG] * s.long_hop
    # The envelope may begin before the first long window: it is skipped up to there.
    cursor[ENV_BASE] = cursor[ENV]
    return cursor
