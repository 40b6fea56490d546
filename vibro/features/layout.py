"""What a stream of given spans begins with: bands, constants of the kernels, and its cursor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.decimate import delayed_pair
from vibro.dsp.design import band_gain, lowpass_bank
from vibro.dsp.memory import aligned_copy
from vibro.features.channel import (
    BASE,
    BLOCK,
    CURSOR,
    DEPTH,
    ENV,
    ENV_BASE,
    FAST,
    LONG,
    NEXT,
    SIGNAL,
    Bands,
    Grid,
)
from vibro.features.setup import ChannelSetup
from vibro.features.spans import Spans, envelope_support

I64 = NDArray[np.int64]


def bands_of(setups: Sequence[ChannelSetup], s: Spans) -> Bands:
    """Envelope band of every channel."""
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


def grid_of(s: Spans) -> Grid:
    """Constants of a stream."""
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


def cursor_at(s: Spans, start: int) -> I64:
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
