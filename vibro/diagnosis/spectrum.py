"""Order lines of a clip: amplitude, phase and velocity, and the broad-band figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float64]

ISO_LOW_HZ, ISO_LOW_SLOW_HZ, ISO_HIGH_HZ, SLOW_RPM = 10.0, 2.0, 1000.0, 600.0
LEAST_TURNS = 8
"""Half orders are then four bins apart, which a Hann window keeps apart."""


def resolved(shaft_hz: float, seconds: float) -> bool:
    """Whether a stretch holds enough turns of a shaft to tell its lines apart."""
    return bool(shaft_hz * seconds >= LEAST_TURNS)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Hann-windowed amplitude spectrum (peak values) of one channel, with complex lines.

    Attributes
    ----------
    lines : ndarray, complex128, shape (bins,)
        Peak amplitude and phase at the clip's centre, m/s2.
    resolution_hz : float
    """

    lines: NDArray[np.complex128]
    resolution_hz: float

    def line(self, f_hz: float, tolerance: float = 0.008) -> tuple[float, complex]:
        """Frequency and complex amplitude of the highest line within a relative tolerance."""
        half = max(tolerance * f_hz, 1.5 * self.resolution_hz)
        lo = max(1, round((f_hz - half) / self.resolution_hz))
        hi = min(self.lines.size, round((f_hz + half) / self.resolution_hz) + 1)
        if lo >= hi:
            return f_hz, 0j
        k = lo + int(np.abs(self.lines[lo:hi]).argmax())
        return k * self.resolution_hz, complex(self.lines[k])

    def velocity_mm_s(self, f_hz: float) -> float:
        """RMS velocity of the line near a frequency, mm/s."""
        f, amplitude = self.line(f_hz)
        return float(1e3 * abs(amplitude) / (np.sqrt(2.0) * 2.0 * np.pi * f)) if f > 0 else 0.0

    def band_rms(self, low_hz: float, high_hz: float) -> float:
        """RMS acceleration of a band, m/s2."""
        lo, hi = (round(f / self.resolution_hz) for f in (low_hz, high_hz))
        return float(np.sqrt((np.abs(self.lines[max(lo, 1) : hi]) ** 2).sum() / 3.0))

    def broad_band(self, rpm: float) -> tuple[float, float]:
        """Velocity (mm/s RMS) and displacement (um RMS) over the ISO 10816-3 band."""
        low = ISO_LOW_SLOW_HZ if rpm < SLOW_RPM else ISO_LOW_HZ
        f = np.arange(self.lines.size) * self.resolution_hz
        inside = (f >= low) & (f <= ISO_HIGH_HZ)
        power = np.abs(self.lines[inside]) ** 2 / 3.0
        w = 2.0 * np.pi * f[inside]
        velocity = float(1e3 * np.sqrt((power / w**2).sum()))
        return velocity, float(1e6 * np.sqrt((power / w**4).sum()))


def spectrum_of(x: Floats, rate_hz: float) -> Spectrum:
    """Spectrum of a signal, shape (n,), m/s2.

    A Hann window has a power gain of 3/8 and an amplitude gain of 1/2; summing squared peak
    amplitudes over bins counts a line 1.5 times and RMS is peak / sqrt(2), hence the 3 above.
    """
    n = x.size
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n)
    lines = fft.rfft((x - x.mean()) * window) * (4.0 / n)
    # Phase at the centre of the clip: a small error of frequency then turns it least.
    lines *= np.where(np.arange(lines.size) % 2 == 0, 1.0, -1.0)
    return Spectrum(lines, rate_hz / n)
