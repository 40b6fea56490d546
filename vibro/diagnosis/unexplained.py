"""Combs in the envelope that no known part of the machine explains.

The bearing in the machine need not be the one in the register, and not every part is known. Where
nothing else was found, a regular train of impacts that is locked neither to the shaft nor to the
mains still means that something is wrong, even if nobody can say what.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibro.diagnosis.bearings import families_hz, without_shaft
from vibro.diagnosis.comb import HARMONICS, comb_peaks, spans_around
from vibro.diagnosis.envelope import envelope_spectra
from vibro.diagnosis.spectrum import resolved
from vibro.kinematics import LineOrders

Floats = NDArray[np.float64]

LEAST_DB = 14.0
CLEAR = 3
"""So many of the first four harmonics must stand so far above the floor: noise lifts one."""
LEAST_DEPTH = 0.25
"""Modulation depth of the comb below which it is a curiosity."""
MAINS_HZ = (50.0, 60.0)
LOWEST_ORDER, HIGHEST_ORDER = 1.2, 20.0
STEP = 0.035
"""Relative distance of the fundamentals tried; each is searched 2 % to both sides."""


@dataclass(frozen=True, slots=True)
class UnexplainedComb:
    """A comb: fundamental, the band it shows in, depth, level of its third best harmonic."""

    found_hz: float
    band_hz: tuple[float, float]
    depth: float
    clear_db: float


def unexplained_comb(
    x: Floats, rate_hz: float, rpm: float, lines: LineOrders
) -> UnexplainedComb | None:
    """Find the strongest comb that is locked neither to the shaft nor to the mains.

    Parameters
    ----------
    x : ndarray, float64, shape (n,), m/s2
    rpm : float
        Speed of the reference shaft; without it nothing can be told from shaft lines.
    lines : LineOrders
        Known parts. A point with gears has too many lines of its own: None.

    Returns
    -------
    UnexplainedComb or None
        None too where fewer than three of its first four harmonics are clear.
    """
    shaft = lines.shaft * rpm / 60.0
    if lines.gear_shafts or not (shaft > 0.0 and resolved(shaft, x.size / rate_hz)):
        return None
    families = list(families_hz(lines, rpm / 60.0).values())
    spectra = without_shaft(envelope_spectra(x, rate_hz), shaft, families)
    df, top_hz = spectra[0].resolution_hz, max(s.top_hz for s in spectra)
    mains = [span for f in MAINS_HZ for span in spans_around(f, 0.0, top_hz, df)]
    spectra = [s.without(mains) for s in spectra]
    low = max(LOWEST_ORDER * shaft, 8.0 * df)
    high = min(HIGHEST_ORDER * shaft, top_hz / HARMONICS)
    if high <= low * (1.0 + STEP):
        return None
    tried = np.exp(np.arange(math.log(low), math.log(high), STEP))
    for found_hz, band, depth, peaks_db in comb_peaks(spectra, tried):
        clear = sorted(peaks_db, reverse=True)[CLEAR - 1 : CLEAR]
        if depth >= LEAST_DEPTH and clear and clear[0] >= LEAST_DB:
            return UnexplainedComb(found_hz, band, depth, clear[0])
    return None
