"""Features of a whole recording at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.features.setup import ChannelSetup
from vibro.features.spans import Spans, spans_of
from vibro.features.stream import FeatureBatch, MachineFeatures

F32 = NDArray[np.float32]
REVOLUTIONS = 20
"""Least revolutions in a long window, where the speed is known and the recording allows it."""
LONGEST = 65536
LEAST = 64
"""Shortest window that is scaled to, samples or decimated samples."""
SHORTEST = 256
"""Fewest samples a recording may have."""


@dataclass(frozen=True, slots=True)
class RecordingFeatures:
    """All windows of a recording.

    Attributes
    ----------
    fast : ndarray of float32, shape (w, channels, n_fast)
    long : ndarray of float32, shape (v, channels, n_long)
        At least one row each.
    spans : Spans
        The windows used.
    note : str
        Says so where a span was scaled; else empty.
    batch : FeatureBatch
        The same with first samples, speeds and reflex blocks.
    """

    fast: F32
    long: F32
    spans: Spans
    note: str
    batch: FeatureBatch


def analyse_recording(
    x: F32, rate_hz: float, rpm: float, setups: Sequence[ChannelSetup]
) -> RecordingFeatures:
    """Features of every window of a recording.

    Parameters
    ----------
    x : ndarray of float32, shape (channels, n)
        Acceleration, m/s2.
    rate_hz : float
        Sampling rate, Hz.
    rpm : float
        Speed of the reference shaft; NaN when unknown. A slow shaft gets a longer long window,
        so that it holds at least 20 revolutions.
    setups : sequence of ChannelSetup
        One a channel.

    Raises
    ------
    BadInputError
        If the recording is shorter than 256 samples, or rate, band or shape cannot be used.
    """
    x = np.atleast_2d(np.asarray(x, np.float32))
    spans = recording_spans(x.shape[1], rate_hz, rpm, setups)
    batch = MachineFeatures(rate_hz, setups, spans=spans).push(x, rpm)
    return RecordingFeatures(batch.fast, batch.long, spans, spans.note, batch)


def recording_spans(
    samples: int, rate_hz: float, rpm: float, setups: Sequence[ChannelSetup]
) -> Spans:
    """Spans that fit a recording of ``samples`` samples, standard where possible.

    Raises
    ------
    BadInputError
        If the recording is too short for any.
    """
    if samples < SHORTEST:
        raise BadInputError(
            f"the recording has {samples} samples: at least {SHORTEST} are needed for its features"
        )
    standard = spans_of(rate_hz, setups)
    fast, long = standard.fast_window, _slow_enough(standard, rpm)
    while fast * 2 > samples:
        fast //= 2
    spans = spans_of(rate_hz, setups, fast_window=fast, long_window=long)
    while spans.long_reach(0)[1] > samples:
        # The decimated window gives way first; then the fast one, whose tiles it is made of.
        if long > LEAST:
            long //= 2
        elif fast > LEAST:
            fast //= 2
        else:
            raise BadInputError(
                f"the recording has {samples} samples at {rate_hz:g} Hz, too short for its "
                f"features: give at least {spans.long_reach(0)[1]}"
            )
        spans = spans_of(rate_hz, setups, fast_window=fast, long_window=long)
    notes: list[str] = []
    if fast != standard.fast_window:
        notes.append(f"fast window scaled to {fast} samples ({1e3 * fast / rate_hz:.3g} ms)")
    if long != standard.long_window:
        seconds = long / spans.long_rate_hz
        notes.append(f"long window scaled to {long} decimated samples ({seconds:.3g} s)")
    return replace(spans, note="; ".join(notes))


def _slow_enough(standard: Spans, rpm: float) -> int:
    """Long window, decimated samples, that holds `REVOLUTIONS` of the reference shaft."""
    long = standard.long_window
    if math.isfinite(rpm) and rpm > 0:
        while long < min(LONGEST, REVOLUTIONS * 60.0 / rpm * standard.long_rate_hz):
            long *= 2
    return long
