"""Filter design in float64 numpy: low-pass FIR banks for decimation, band gains for envelopes.

Source: A. V. Oppenheim & R. W. Schafer, *Discrete-Time Signal Processing* (3rd ed.), section 7.5.3
(Kaiser window), section 4.6 (decimation by a rational factor).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

STOP_DB = 80.0
"""Attenuation of everything that would fold into the pass band: below 13 bits of full scale."""

SLOPE = 2.0
"""Half width of a band edge's slope, in units of n / support bins (60 dB Kaiser window)."""


def kaiser_beta(stop_db: float) -> float:
    """Shape of the Kaiser window for an attenuation above 50 dB (Oppenheim & Schafer eq. 7.75)."""
    return 0.1102 * (stop_db - 8.7)


def tap_count(pass_hz: float, stop_hz: float, rate_hz: float) -> int:
    """Count the taps for `STOP_DB` between two edges, even (Oppenheim & Schafer eq. 7.76)."""
    width = 2.0 * math.pi * (stop_hz - pass_hz) / rate_hz
    return 2 * math.ceil(((STOP_DB - 8.0) / (2.285 * width) + 1.0) / 2.0)


def lowpass_bank(
    pass_hz: float, stop_hz: float, rate_hz: float, phases: int = 1
) -> NDArray[np.float32]:
    """Polyphase bank of a Kaiser-windowed low-pass.

    Row r is the filter delayed by r / phases of a sample, each with unit gain at 0 Hz.

    Parameters
    ----------
    pass_hz, stop_hz, rate_hz : float
        Edges and sampling rate, Hz; ``pass_hz < stop_hz``.
    phases : int
        Fractional delays.

    Returns
    -------
    ndarray of float32, shape (phases, taps)
        Taps padded with zeros to a multiple of 16, the length the kernel's vectors have.
    """
    taps = tap_count(pass_hz, stop_hz, rate_hz)
    cutoff = (pass_hz + stop_hz) / rate_hz  # in units of half the rate
    delay = np.arange(phases)[:, None] / phases
    t = np.arange(taps)[None, :] - (taps / 2 - 1) - delay
    edge = np.clip(1.0 - (2.0 * t / taps) ** 2, 0.0, None)
    window = np.i0(kaiser_beta(STOP_DB) * np.sqrt(edge))
    bank = np.sinc(cutoff * t) * window
    bank /= bank.sum(axis=1, keepdims=True)
    padded = np.zeros((phases, -(-taps // 16) * 16))
    padded[:, :taps] = bank
    return padded.astype(np.float32)


def band_gain(low: float, high: float, n: int, support: int) -> tuple[int, NDArray[np.float32]]:
    """Zero-phase band-pass as gains on the bins of an n-point FFT, short in time.

    The ideal band is smoothed by the transform of a Kaiser window of ``support`` samples, so that
    circular convolution with it equals linear convolution except within ``support / 2`` samples
    of either end (overlap-save; Oppenheim & Schafer section 8.7.3).

    Parameters
    ----------
    low, high : float
        Band edges in bins.
    n, support : int
        FFT length and length of the impulse response, samples.

    Returns
    -------
    first : int
        Bin of the first gain, at least 1.
    gains : ndarray of float32
        Gains of bins ``first``, ``first + 1`` ... up to at most n/2 - 1.
    """
    t = np.arange(-(support // 2), support // 2 + 1)
    window = np.kaiser(len(t), kaiser_beta(60.0))
    centre, half = 2.0 * np.pi * (low + high) / 2 / n, (high - low) / n
    ideal = half * np.sinc(half * t) * window
    pad = math.ceil(SLOPE * n / support)
    bins = np.arange(max(1, math.floor(low) - pad), min(n // 2 - 1, math.ceil(high) + pad) + 1)
    around = np.zeros(n, np.complex128)
    around[t % n] = ideal * np.exp(1j * centre * t)
    return int(bins[0]), np.fft.fft(around)[bins].real.astype(np.float32)
