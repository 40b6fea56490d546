"""What a machine looked like when it was commissioned: the frozen reference of trends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibro.assets import Point
from vibro.diagnosis.spectrum import Spectrum, resolved, spectrum_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChannelReference:
    """Order velocities, mesh, octave levels (m/s2 RMS, from 400 Hz up) of one channel.

    ``rpm`` is the reference shaft's speed (NaN = unknown), ``rms`` the level over all, m/s2.
    """

    order_mm_s: dict[float, float]
    mesh: float
    mesh_sides: float
    octaves: tuple[float, ...]
    kurtosis: float
    line2_mm_s: float
    rpm: float
    rms: float


@dataclass(frozen=True, slots=True)
class Reference:
    """Reference of all channels of a machine, in the register's order."""

    channels: tuple[ChannelReference, ...]


LOWEST_OCTAVE_HZ = 400.0
"""Octave levels begin above the orders of common shafts."""


def octaves_hz(rate_hz: float) -> list[float]:
    """Lower edges of the octaves that a recording reaches in full, Hz."""
    edges = [LOWEST_OCTAVE_HZ * 2.0**k for k in range(16)]
    return [f for f in edges if 2.0 * f <= 0.47 * rate_hz]


HALF_ORDERS = tuple(k / 2 for k in range(1, 21))


def channel_facts(
    x: Floats, spectrum: Spectrum, rate_hz: float, rpm: float, point: Point
) -> ChannelReference:
    """Measure one channel."""
    shaft = point.shaft_ratio * rpm / 60.0
    known = resolved(shaft, 1.0 / spectrum.resolution_hz)
    orders = {k: spectrum.velocity_mm_s(k * shaft) if known else 0.0 for k in HALF_ORDERS}
    mesh = mesh_sides = 0.0
    if known and point.gear_teeth:
        mesh, mesh_sides = mesh_levels(spectrum, point, rpm)
    centred = x - x.mean()
    variance = float((centred**2).mean())
    return ChannelReference(
        orders,
        mesh,
        mesh_sides,
        tuple(spectrum.band_rms(f, 2.0 * f) for f in octaves_hz(rate_hz)),
        float((centred**4).mean() / (variance**2 + 1e-300)),
        spectrum.velocity_mm_s(2.0 * point.line_hz),
        rpm,
        math.sqrt(variance),
    )


def mesh_levels(spectrum: Spectrum, point: Point, rpm: float) -> tuple[float, float]:
    """Peak amplitude of the mesh's three harmonics together, and of their sidebands, m/s2."""
    lines = point.lines
    mesh_hz = lines.gear_mesh * rpm / 60.0
    centre = sides = 0.0
    for h in (1, 2, 3):
        centre += abs(spectrum.line(h * mesh_hz, 0.002)[1]) ** 2
        for shaft in lines.gear_shafts:
            for m in (-2, -1, 1, 2):
                f = h * mesh_hz + m * shaft * rpm / 60.0
                sides += abs(spectrum.line(f, 0.001)[1]) ** 2
    return float(np.sqrt(centre)), float(np.sqrt(sides))


def reference_of(
    x: NDArray[np.floating], rate_hz: float, rpm: float, points: Sequence[Point]
) -> Reference:
    """Measure a commissioning clip.

    Parameters
    ----------
    x : ndarray, shape (channels, n), m/s2
    """
    rows = np.asarray(x, np.float64)
    return Reference(
        tuple(
            channel_facts(row, spectrum_of(row, rate_hz), rate_hz, rpm, point)
            for row, point in zip(rows, points, strict=True)
        )
    )
