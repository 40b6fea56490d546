"""The fast path's features as a good numpy programmer would write them.

The same definitions (`vibro.features.table`), float32 throughout, whole batches at once, Hann in
the frequency domain, the envelope from a small inverse FFT, `reduceat` for bands, everything
constant computed beforehand. It is the peer that a rewrite without numba would have to accept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from vibro.dsp.design import band_gain
from vibro.features.fast import band_edges
from vibro.features.setup import default_band
from vibro.features.spans import Spans, envelope_support

F32 = NDArray[np.float32]


class NumpyFeatures:
    """Constants of one window length; call it with windows of shape (b, n)."""

    def __init__(self, spans: Spans) -> None:
        n = self._n = spans.fast_window
        self._points = spans.envelope_points
        bin_hz = spans.rate_hz / n
        self._bin_hz = np.float32(bin_hz)
        self._edges = band_edges(bin_hz, n // 2)
        self._bins = np.arange(1, n // 2 + 1, dtype=np.float32)
        low, high = (f / bin_hz for f in default_band(spans.rate_hz))
        self._first, gains = band_gain(low, high, n, envelope_support(n))
        self._gains = gains[: self._points] * np.float32(2.0 / n)
        self._guard = self._points * envelope_support(n) // (2 * n)

    def __call__(self, x: F32) -> F32:
        """Features of windows, shape (b, features), in the table's order."""
        mean = x.mean(axis=1, keepdims=True)
        d = x - mean
        lines = fft.rfft(d)
        square = (d * d).mean(axis=1)
        return np.concatenate(
            [
                self._shape(x, d, mean[:, 0], square),
                *self._spectrum(lines),
                self._envelope(lines, square),
            ],
            axis=1,
        )

    def _shape(self, x: F32, d: F32, mean: F32, square: F32) -> F32:
        a, n = np.abs(d), np.float32(self._n)
        d2 = d * d
        rms, peak, level = np.sqrt(square), a.max(axis=1), a.mean(axis=1)
        third = np.einsum("ij,ij->i", d2, d) / n
        fourth = np.einsum("ij,ij->i", d2, d2) / n
        repeats = (x[:, 1:] == x[:, :-1]).mean(axis=1, dtype=np.float32)
        root = np.sqrt(a).mean(axis=1)
        columns = (
            mean,
            rms,
            peak,
            peak / rms,
            fourth / (square * square),
            third / (square * rms),
            rms / level,
            peak / level,
            peak / (root * root),
            repeats,
        )
        return np.stack(columns, axis=1)

    def _spectrum(self, lines: NDArray[np.complex64]) -> tuple[F32, F32]:
        hann = np.float32(0.5) * lines
        hann[:, 1:-1] -= np.float32(0.25) * (lines[:, :-2] + lines[:, 2:])
        hann[:, -1] -= np.float32(0.5) * lines[:, -2].real
        power = (hann.real**2 + hann.imag**2) * np.float32(16.0 / 3.0 / self._n**2)
        power[:, -1] *= np.float32(0.5)
        power[:, 0] = 0.0
        bands = np.add.reduceat(power[:, : self._edges[-1]], self._edges[:-1], axis=1)
        p, f = power[:, 1:], self._bins
        count = np.float32(len(f))
        total = p.sum(axis=1)
        centre = (p @ f) / total
        g = (f - centre[:, None]) ** 2
        gp = g * p
        second = gp.sum(axis=1) / total
        fourth = np.einsum("ij,ij->i", gp, g) / total
        level = np.log(p + np.float32(1e-20))
        entropy = np.einsum("ij,ij->i", p, level)
        db = np.float32(10.0 / np.log(10.0))
        columns = (
            centre * self._bin_hz,
            np.sqrt(second) * self._bin_hz,
            fourth / (second * second),
            db * (level.mean(axis=1) - np.log(total / count)),
            (np.log(total) - entropy / total) / np.log(count),
            db * np.log(p.max(axis=1) * count / total),
        )
        return np.float32(10.0) * np.log10(bands + np.float32(1e-12)), np.stack(columns, axis=1)

    def _envelope(self, lines: NDArray[np.complex64], square: F32) -> F32:
        band = np.zeros((len(lines), self._points), np.complex64)
        width = len(self._gains)
        band[:, :width] = lines[:, self._first : self._first + width] * self._gains
        analytic = fft.ifft(band, norm="forward", overwrite_x=True)
        e = (analytic.real**2 + analytic.imag**2)[:, self._guard : self._points - self._guard]
        mean = e.mean(axis=1)
        columns = (
            10.0 * np.log10(0.5 * mean + 1e-12),
            10.0 * np.log10(0.5 * mean / square + 1e-12),
            np.einsum("ij,ij->i", e, e) / e.shape[1] / (mean * mean),
            10.0 * np.log10(e.max(axis=1) / mean),
        )
        return np.stack(columns, axis=1).astype(np.float32)
