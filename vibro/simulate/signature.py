"""What a machine's shaft-synchronous motion looks like over two turns, healthy and faulty.

Everything that is locked to a shaft (orders, half orders, gear mesh with its sidebands, blade
pass) is a table over two turns of that shaft, so that a sample costs one look-up whatever the
number of lines. Amplitudes are accelerations in m/s2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vibro.assets import Point
from vibro.faults import Fault

POINTS = 16384
TURNS = 2

Table = NDArray[np.float64]


class Signature:
    """A sum of lines at multiples of half a shaft order."""

    def __init__(self) -> None:
        self._spectrum = np.zeros(POINTS // 2 + 1, np.complex128)

    def line(self, order: float, amplitude: float, phase: float) -> None:
        """Add amplitude * cos(2 pi order turn + phase); half orders are the finest."""
        k = round(order * TURNS)
        if 0 < k < POINTS // 8:
            self._spectrum[k] += amplitude * np.exp(1j * phase)

    def velocity_line(self, order: float, shaft_hz: float, mm_s: float, phase: float) -> None:
        """Add a line given by its velocity in mm/s RMS."""
        amplitude = mm_s * 1e-3 * np.sqrt(2.0) * 2.0 * np.pi * order * shaft_hz
        self.line(order, float(amplitude), phase)

    def table(self) -> Table:
        """Waveform over two turns, shape (POINTS + 1,), the first point repeated at the end."""
        wave = np.fft.irfft(self._spectrum, POINTS) * (POINTS / 2)
        return np.append(wave, wave[0])


def axis_phase(axis: str, rng: np.random.Generator) -> float:
    """Phase of a turning force in an axis: vertical lags horizontal by 90 degrees."""
    lag = {"H": 0.0, "V": -np.pi / 2.0}.get(axis, float(rng.uniform(0, 2 * np.pi)))
    return lag + float(rng.normal(0.0, 0.06))


def healthy(
    point: Point, shaft_hz: float, rng: np.random.Generator, turn: float, one_x: float = 1.0
) -> Table:
    """Waveform of a machine in good order (ISO zone A or low B).

    ``turn`` is the angle of the residual imbalance, common to all axes of the machine; ``one_x`` a
    factor on it.
    """
    s = Signature()
    mm_s = float(rng.uniform(0.3, 0.7)) * one_x
    s.velocity_line(1, shaft_hz, mm_s, turn + axis_phase(point.axis, rng))
    for order in range(2, 8):
        mm_s = float(rng.uniform(0.1, 0.25)) / order
        s.velocity_line(order, shaft_hz, mm_s, float(rng.uniform(0, 2 * np.pi)))
    if point.gear_teeth:
        mesh(s, point.gear_teeth, float(rng.uniform(0.5, 0.8)), 0.06, rng)
    if point.blades:
        s.line(point.blades, float(rng.uniform(0.15, 0.3)), float(rng.uniform(0, 2 * np.pi)))
        s.line(2 * point.blades, 0.08, float(rng.uniform(0, 2 * np.pi)))
    return s.table()


def mesh(
    s: Signature, teeth: int, amplitude: float, modulation: float, rng: np.random.Generator
) -> None:
    """Add three mesh harmonics, each with two pairs of shaft-rate sidebands."""
    for harmonic in (1, 2, 3):
        level = amplitude / harmonic
        s.line(harmonic * teeth, level, float(rng.uniform(0, 2 * np.pi)))
        for side in (-2, -1, 1, 2):
            share = modulation / abs(side)
            s.line(harmonic * teeth + side, level * share, float(rng.uniform(0, 2 * np.pi)))


def faulty(
    fault: Fault, point: Point, shaft_hz: float, size: float, rng: np.random.Generator, turn: float
) -> Table | None:
    """Waveform that a fully grown shaft-synchronous fault adds, or None for other faults."""
    s = Signature()
    lag = axis_phase(point.axis, rng)
    if fault is Fault.IMBALANCE:
        gain = 1.0 if point.axis == "H" else 0.85
        s.velocity_line(1, shaft_hz, 6.0 * size * gain, turn + lag)
        s.velocity_line(2, shaft_hz, 0.15 * size, lag)
    elif fault is Fault.MISALIGNMENT:
        # A bent coupling pulls twice a turn, in line with itself: both axes in or out of phase.
        side = 0.0 if point.axis == "H" else np.pi
        for order, mm_s in ((1, 1.2), (2, 4.2), (3, 1.5), (4, 0.5)):
            s.velocity_line(order, shaft_hz, mm_s * size, turn + side + order)
    elif fault is Fault.LOOSENESS:
        for half in range(1, 21):
            mm_s = (2.2 if half % 2 == 0 else 0.9) * size / (0.5 + 0.25 * half)
            s.velocity_line(half / 2, shaft_hz, mm_s, float(rng.uniform(0, 2 * np.pi)))
    elif fault is Fault.GEAR_MESH and point.gear_teeth:
        mesh(s, point.gear_teeth, 3.0 * size, 0.35, rng)
    elif fault is Fault.GEAR_TOOTH and point.gear_teeth:
        mesh(s, point.gear_teeth, 0.6 * size, 0.8, rng)
    else:
        return None
    return s.table()
