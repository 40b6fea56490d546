"""The averaged amplitude spectrum as vibration analysers show it: 3200 lines up to rate / 2.56."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LINES, SPAN = 3200, 8192
"""Lines of a spectrum, and samples of one of its windows: 2.56 times as many."""


def averages(samples: int) -> int:
    """Windows that a stretch holds at 50 % overlap."""
    return max(0, samples // (SPAN // 2) - 1)


def rms_spectrum(signal: NDArray[np.floating]) -> NDArray[np.float32]:
    """RMS amplitude of each line, averaged as power over Hann windows with 50 % overlap.

    Parameters
    ----------
    signal : ndarray, shape (channels, n)
        At least one window long. A channel with a NaN yields NaN.

    Returns
    -------
    ndarray, float32, shape (channels, LINES)
        Lines 1 to LINES, ``rate / SPAN`` apart, in the unit of the signal. A sine on a line reads
        its RMS value, one between two lines down to 1.42 dB less; the noise bandwidth is 1.5 lines.

    Source: F. J. Harris, Proc. IEEE 66 (1978) 51-83, table 1; P. D. Welch, IEEE Trans. AU-15
    (1967) 70-73.
    """
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(SPAN) / SPAN)
    middle = signal.mean(axis=1, dtype=np.float64, keepdims=True)
    number = averages(signal.shape[1])
    power = np.zeros((len(signal), LINES))
    for k in range(number):
        at = k * (SPAN // 2)
        lines = np.fft.rfft((signal[:, at : at + SPAN] - middle) * window)[:, 1 : LINES + 1]
        power += lines.real**2 + lines.imag**2
    return np.asarray(np.sqrt(2.0 * power / number) / window.sum(), np.float32)
