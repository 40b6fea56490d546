"""How far a comb of lines stands out of envelope spectra, and what chance would find.

A defect shows as a comb: a fundamental within the slip tolerance of where geometry says, and its
harmonics. A comb's height is the modulation depth of its first four harmonics together, over the
best fundamental within the tolerance and the best candidate band. The same search at *decoy*
fundamentals, where nothing is expected, tells what that freedom of choice finds by itself; their
maxima follow a Gumbel distribution, in which the comb's height has a probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibro.diagnosis.envelope import EnvelopeSpectrum

Floats = NDArray[np.float64]

SLIP = 0.02
"""Real defect frequencies lie within 2 % of pure rolling (Randall & Antoni, MSSP 25, 2011)."""
SMEAR = 0.002
"""A line's relative half-width: slip and speed wander spread it."""
HARMONICS = 4
DECOYS = 120
LEAST_SCALE = 0.1
"""Least scale of the Gumbel distribution in nepers: few decoys must not feign certainty."""
LINE_DB = 10.0
"""A harmonic counts as seen from here: noise reaches it once in 20 000 bins."""


@dataclass(frozen=True, slots=True)
class Comb:
    """A comb where it shows best.

    Attributes
    ----------
    expected_hz, found_hz : float
        Fundamental by geometry, and as found.
    band_hz : (float, float)
        Demodulated band in which it shows best.
    depth : float
        Root of the sum of squared modulation depths of its harmonics; 4 is the most.
    log10_p : float
        Log10 of the probability that a decoy reaches this depth.
    snr_db, decoy_snr_db : float
        Its best harmonic over the noise floor, and the 95th percentile of the decoys' best.
    harmonics : int
        How many of the first four stand 10 dB over the floor.
    lead : float
        Share of the comb's power in its first two harmonics.
    odd : float
        Share of its power in its first and third harmonics: a comb of twice the spacing has none.
    sideband_hz : float
        Spacing of the sidebands that belong to it; 0 where it has none.
    """

    expected_hz: float
    found_hz: float
    band_hz: tuple[float, float]
    depth: float
    log10_p: float
    snr_db: float
    decoy_snr_db: float
    harmonics: int
    lead: float = 1.0
    odd: float = 1.0
    sideband_hz: float = 0.0


def spans_around(
    fundamental_hz: float, sideband_hz: float, top_hz: float, resolution_hz: float
) -> list[tuple[float, float]]:
    """Spans (Hz) of a comb's lines up to ``top_hz``, and of three sidebands to each side."""
    spans = []
    for k in range(1, int(top_hz / fundamental_hz) + 2):
        half = max(3.0 * resolution_hz, SMEAR * k * fundamental_hz + resolution_hz)
        for side in range(-3, 4) if sideband_hz > 0 else (0,):
            centre = k * fundamental_hz + side * sideband_hz
            spans.append((centre - half, centre + half))
    return spans


def search(
    spectra: Sequence[EnvelopeSpectrum],
    expected_hz: float,
    lines_hz: Sequence[float],
    shaft_hz: float,
    cage_hz: float = 0.0,
) -> Comb | None:
    """Find the best comb near ``expected_hz`` and weigh it against its decoys.

    Parameters
    ----------
    spectra : sequence of EnvelopeSpectrum
        Of all candidate bands; what is explained by something else has been taken out.
    expected_hz : float
        Fundamental by geometry.
    lines_hz : sequence of float
        All fundamentals at which lines may be: decoys keep clear of their multiples.
    shaft_hz : float
        Decoys keep clear of its half orders, and the comb's sidebands stand at its multiples.
    cage_hz : float
        Where it is given the sidebands stand at its multiples instead: a defect on a ball passes
        the load zone once a turn of the cage, which slips as the ball does.

    Returns
    -------
    Comb or None
        None where the recording is too short to resolve the comb, no band carries it, or the
        highest lines nearby lie beyond the slip tolerance.
    """
    df = spectra[0].resolution_hz
    usable = [s for s in spectra if s.top_hz >= 1.5 * expected_hz]
    if not usable or expected_hz < 8.0 * df:
        return None
    heights, best = _Stack(usable).heights(np.array([expected_hz]))
    band = int(best[0, 1])
    found_hz = _centred(usable[band], float(best[0, 0]))
    if abs(found_hz - expected_hz) > SLIP * expected_hz + df / 2.0:
        return None
    spacing = cage_hz * found_hz / expected_hz if cage_hz > 0 else shaft_hz
    sideband = spacing if found_hz > 1.5 * spacing else 0.0
    own = spans_around(found_hz, sideband, min(8.0 * found_hz, usable[0].top_hz), df)
    rest = [s.without(own) for s in usable]
    chance, where = _Stack(rest).heights(
        _decoy_places(expected_hz, [*lines_hz, expected_hz], shaft_hz)
    )
    peaks = _peaks_db(usable[band], found_hz)
    chance_db = [max(_peaks_db(rest[int(b)], float(f)), default=0.0) for f, b in where[::3]]
    return Comb(
        expected_hz,
        found_hz,
        usable[band].band_hz,
        depth_at(usable[band], found_hz),
        _log10_p(float(heights[0]), chance),
        max(peaks, default=0.0),
        float(np.quantile(chance_db, 0.95)) if chance_db else 0.0,
        sum(p >= LINE_DB for p in peaks),
        *_shares(usable[band], found_hz),
        sideband,
    )


def comb_peaks(
    spectra: Sequence[EnvelopeSpectrum], fundamentals_hz: Floats
) -> list[tuple[float, tuple[float, float], float, list[float]]]:
    """Return the best comb near each fundamental, the highest first.

    Each is its own fundamental (Hz), its band (Hz), its depth, and how far each harmonic that the
    spectrum reaches stands above the floor (dB).
    """
    heights, best = _Stack(spectra).heights(fundamentals_hz)
    found = []
    for i in np.argsort(-heights):
        spectrum = spectra[int(best[i, 1])]
        f = _centred(spectrum, float(best[i, 0]))
        found.append((f, spectrum.band_hz, depth_at(spectrum, f), _peaks_db(spectrum, f)))
    return found


class _Stack:
    """Squared depths of all bands as columns; what a band does not reach is zero.

    A bin counts by how clear it is of the floor, half at 10 dB: a single shock, whose spectrum is
    deep everywhere, makes no comb.
    """

    def __init__(self, spectra: Sequence[EnvelopeSpectrum]) -> None:
        self._power = np.zeros((max(s.depth.size for s in spectra), len(spectra)))
        for i, s in enumerate(spectra):
            clear = s.ratio**2 / (s.ratio**2 + 10.0 ** (LINE_DB / 5.0))
            self._power[: s.depth.size, i] = s.depth**2 * clear
        self._df = spectra[0].resolution_hz
        self._widened: dict[int, Floats] = {}

    def heights(self, fundamentals: Floats) -> tuple[Floats, Floats]:
        """Log height of the best comb near each fundamental, and its (frequency, band)."""
        df = self._df
        step = min(df / HARMONICS, SLIP * float(fundamentals.min()) / 4.0)
        count = math.ceil(SLIP * float(fundamentals.max()) / step)
        slips = np.linspace(-SLIP, SLIP, 2 * count + 1)
        grid = fundamentals[:, None] * (1.0 + slips)
        total = np.zeros((*grid.shape, self._power.shape[1]))
        for h in range(1, HARMONICS + 1):
            half = max(1, round(SMEAR * h * float(np.median(fundamentals)) / df))
            total += self._at(np.rint(h * grid / df).astype(np.int64), half)
        flat = total.reshape(len(fundamentals), -1)
        at = flat.argmax(axis=1)
        slip, band = np.divmod(at, self._power.shape[1])
        rows = np.arange(len(fundamentals))
        height = 0.5 * np.log(np.maximum(flat[rows, at], 1e-12))
        return height, np.column_stack([grid[rows, slip], band])

    def _at(self, bins: NDArray[np.int64], half: int) -> Floats:
        if half not in self._widened:
            widened = self._power.copy()
            for shift in range(1, half + 1):
                widened[shift:] = np.maximum(widened[shift:], self._power[:-shift])
                widened[:-shift] = np.maximum(widened[:-shift], self._power[shift:])
            self._widened[half] = np.vstack([widened, np.zeros(widened.shape[1])])
        table = self._widened[half]
        found: Floats = table[np.minimum(bins, table.shape[0] - 1)]
        return found


def _decoy_places(expected_hz: float, lines_hz: Sequence[float], shaft_hz: float) -> Floats:
    """Fundamentals from half to twice the expected one at which no line is expected."""
    places = expected_hz * np.exp(np.linspace(math.log(0.5), math.log(2.0), 4 * DECOYS))
    known = [f * a / b for f in lines_hz for a in (1, 2, 3) for b in (1, 2, 3)]
    if shaft_hz > 0:
        known += list(np.arange(0.5, 2.0 * expected_hz / shaft_hz + 1.0, 0.5) * shaft_hz)
    clear = np.ones(places.size, bool)
    for k, f in enumerate(known):
        width = 0.025 if k < 9 * len(lines_hz) else 0.005
        clear &= np.abs(places - f) > width * f
    left = places[clear]
    if left.size < DECOYS // 4:
        # Lines lie so close that few places are clear: keep away from the lines alone.
        left = places[np.abs(places / expected_hz - 1.0) > 0.05]
    return left[:: max(1, left.size // DECOYS)]


def _log10_p(height: float, chance: Floats) -> float:
    """Log10 probability of a Gumbel variate, fitted by median and 90 % point, to exceed a height.

    Median = location + 0.3665 scale, 90 % point = location + 2.2504 scale.
    """
    median, high = np.quantile(chance, [0.5, 0.9])
    scale = max(float(high - median) / (2.2504 - 0.3665), LEAST_SCALE)
    z = (height - (float(median) - 0.3665 * scale)) / scale
    return float(math.log10(max(-math.expm1(-math.exp(-z)), 1e-300)) if z < 30 else -z / 2.302585)


def _tops(spectrum: EnvelopeSpectrum, fundamental_hz: float) -> list[int]:
    """Highest bin of each harmonic that the spectrum reaches."""
    df, tops = spectrum.resolution_hz, []
    for h in range(1, HARMONICS + 1):
        half = max(1, round(SMEAR * h * fundamental_hz / df))
        k = round(h * fundamental_hz / df)
        if k + half < spectrum.ratio.size:
            lo = max(k - half, 1)
            tops.append(lo + int(spectrum.ratio[lo : k + half + 1].argmax()))
    return tops


def _centred(spectrum: EnvelopeSpectrum, fundamental_hz: float) -> float:
    """Fundamental that fits the harmonics' bins best, weighted by their power."""
    tops = _tops(spectrum, fundamental_hz)
    weights = [float(spectrum.depth[k] ** 2) for k in tops]
    total = sum(w * h * h for h, w in enumerate(weights, 1))
    if total <= 0:
        return fundamental_hz
    return (
        spectrum.resolution_hz
        * sum(w * h * k for (h, w), k in zip(enumerate(weights, 1), tops, strict=True))
        / total
    )


def _shares(spectrum: EnvelopeSpectrum, fundamental_hz: float) -> tuple[float, float]:
    """Shares of a comb's power in its first two harmonics, and in the odd ones."""
    powers = [float(spectrum.depth[k] ** 2) for k in _tops(spectrum, fundamental_hz)]
    total = max(sum(powers), 1e-30)
    return sum(powers[:2]) / total, sum(powers[::2]) / total


def depth_at(spectrum: EnvelopeSpectrum, fundamental_hz: float) -> float:
    """Modulation depth of the comb on a fundamental, all its harmonics together."""
    return math.sqrt(sum(float(spectrum.depth[k] ** 2) for k in _tops(spectrum, fundamental_hz)))


def _peaks_db(spectrum: EnvelopeSpectrum, fundamental_hz: float) -> list[float]:
    tops = _tops(spectrum, fundamental_hz)
    return [10.0 * math.log10(max(float(spectrum.ratio[k]), 1e-3)) for k in tops]
