"""Squared envelope spectra over candidate bands.

Impacts ring resonances, and which ones is not known beforehand. The signal is prewhitened (each
bin divided by the local level of its neighbourhood, so that tones do not hide what rings around
them), cut into bands like those of a kurtogram (J. Antoni, MSSP 21, 2007), and the squared
envelope of each band is transformed. Choosing the best of many bands finds lines everywhere: what
a line is worth is decided in `vibro.diagnosis.comb` by decoys that choose their band the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float64]

TOP_HZ = 2000.0
"""Highest modulation frequency kept: four harmonics of the fastest common defect lines."""
LEAST_WIDTH_HZ = 400.0
LEVEL_WIDTH_HZ = 60.0
"""Width over which the prewhitening levels."""
FLOOR_BINS = 64


@dataclass(frozen=True, slots=True)
class EnvelopeSpectrum:
    """Squared envelope spectrum of one band.

    Attributes
    ----------
    band_hz : (float, float)
        Demodulated band.
    resolution_hz : float
        Bin k lies at k * resolution_hz.
    depth : ndarray, float64, shape (bins,)
        Modulation depth 2 |E(f)| / E(0): 1 for a full sine-shaped modulation of the power; a
        train of impacts much shorter than its period reaches 2 at every harmonic.
    ratio : ndarray, float64, shape (bins,)
        Power of the line over the local mean power of noise.
    """

    band_hz: tuple[float, float]
    resolution_hz: float
    depth: Floats
    ratio: Floats

    @property
    def top_hz(self) -> float:
        """Highest frequency of the spectrum."""
        return (self.depth.size - 1) * self.resolution_hz

    def highest(self, low_hz: float, high_hz: float) -> float:
        """Greatest depth within a span; 0 where the spectrum does not reach."""
        lo = max(0, int(np.ceil(low_hz / self.resolution_hz)))
        return float(self.depth[lo : int(high_hz / self.resolution_hz) + 1].max(initial=0.0))

    def without(self, spans: Sequence[tuple[float, float]]) -> EnvelopeSpectrum:
        """Spectrum with spans (low, high) in Hz brought down to the floor."""
        size = self.depth.size
        ends = np.asarray(spans, np.float64).reshape(-1, 2) / self.resolution_hz
        edges = np.zeros(size + 1, np.int64)
        np.add.at(edges, np.clip(np.ceil(ends[:, 0]), 0, size).astype(np.int64), 1)
        np.add.at(edges, np.clip(np.floor(ends[:, 1]) + 1, 0, size).astype(np.int64), -1)
        inside = edges[:-1].cumsum() > 0
        excess = np.where(inside, np.maximum(self.ratio, 1.0), 1.0)
        return replace(self, depth=self.depth / np.sqrt(excess), ratio=self.ratio / excess)


def candidate_bands(rate_hz: float) -> list[tuple[float, float]]:
    """Whole range, halves, and half-overlapping quarters and eighths of the Nyquist range."""
    nyquist = rate_hz / 2.0
    starts = [(0.0, 1.0), (0.0, 0.5), (0.5, 1.0)]
    starts += [(i / 8, i / 8 + 0.25) for i in range(7)]
    starts += [(i / 16, i / 16 + 0.125) for i in range(15)]
    bands = [(max(lo, 0.02) * nyquist, min(hi, 0.98) * nyquist) for lo, hi in starts]
    return [b for i, b in enumerate(bands) if i == 0 or b[1] - b[0] >= LEAST_WIDTH_HZ]


def envelope_spectra(
    x: NDArray[np.floating],
    rate_hz: float,
    bands: Sequence[tuple[float, float]] | None = None,
) -> list[EnvelopeSpectrum]:
    """Squared envelope spectra of a channel.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Acceleration; its mean is removed.
    rate_hz : float
    bands : sequence of (float, float), optional
        Bands to demodulate, Hz; default `candidate_bands`.
    """
    n = x.size
    df = rate_hz / n
    white = _whiten(fft.rfft((x - x.mean()).astype(np.float32)), df)
    found = []
    for low, high in bands if bands is not None else candidate_bands(rate_hz):
        squared = _squared_envelope(white[int(low / df) : int(high / df)])
        lines = np.abs(fft.rfft(squared)[: int(min(TOP_HZ, high - low) / df) + 1])
        depth = 2.0 * lines.astype(np.float64) / max(float(lines[0]), 1e-30)
        power = depth**2
        found.append(
            EnvelopeSpectrum((low, high), df, depth, power / np.maximum(_floor(power), 1e-30))
        )
    return found


def best_band(spectra: Sequence[EnvelopeSpectrum], lines_hz: Sequence[float]) -> EnvelopeSpectrum:
    """Return the spectrum in which some line stands out most; without lines, the deepest one."""

    def height(s: EnvelopeSpectrum) -> float:
        slack = 1.5 * s.resolution_hz
        near = [
            s.highest(f - slack - 0.005 * f, f + slack + 0.005 * f)
            for f in lines_hz
            if 0.0 < f < s.top_hz
        ]
        return max(near, default=float(s.depth[1:].max(initial=0.0)))

    return max(spectra, key=height)


def _whiten(spectrum: NDArray[np.complex64], df: float) -> NDArray[np.complex64]:
    """Divide every bin by the median level of its neighbourhood, and cut what stands out of it."""
    magnitude = np.abs(spectrum)
    block = max(8, min(round(LEVEL_WIDTH_HZ / df), magnitude.size // 4))
    level = _medians(magnitude.astype(np.float64)[None, :], block)[0]
    level = np.maximum(level, 1e-6 * float(magnitude.mean()) + 1e-30)
    # A tone would beat with everything around it: no bin is left above four times its level.
    return np.asarray(spectrum / np.maximum(level, magnitude / 4.0), np.complex64)


def _squared_envelope(cut: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Squared magnitude of the analytic signal in a band, at twice the band's own rate."""
    ramp = max(2, cut.size // 20)
    weight = np.ones(cut.size, np.float32)
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(ramp) + 0.5) / ramp)
    weight[:ramp], weight[-ramp:] = rise, rise[::-1]
    # Squaring doubles the bandwidth: padding to twice the length keeps it free of aliasing. The
    # length sets the time step only; the duration, and so the spacing of the lines, stays.
    analytic = fft.ifft(cut * weight, fft.next_fast_len(2 * cut.size))
    return np.asarray(analytic.real**2 + analytic.imag**2, np.float32)


def _floor(power: Floats) -> Floats:
    """Local mean power of noise: medians of blocks, interpolated; exponential median = ln 2."""
    medians = _medians(power[None, :], min(FLOOR_BINS, max(8, power.size // 4)))[0]
    return np.asarray(medians / np.log(2.0), np.float64)


def _medians(values: Floats, block: int) -> Floats:
    """Medians of half-overlapping blocks of each row, interpolated to every bin."""
    size = values.shape[1]
    starts = np.arange(0, max(size - block, 0) + 1, max(block // 2, 1))
    rows = np.lib.stride_tricks.sliding_window_view(values, min(block, size), axis=1)[:, starts]
    medians = np.median(rows, axis=2)
    at = np.arange(size)
    rows_at = [np.interp(at, starts + block / 2, row) for row in medians]
    return np.array(rows_at, np.float64)
