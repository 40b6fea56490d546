"""Bearing faults from squared envelope spectra.

The families of lines (outer race BPFO, inner race BPFI with shaft sidebands, ball 2 BSF, cage FTF)
are searched in every candidate band, and weighed by two figures: how improbable such a comb is
among decoys, and how deep it modulates the band. A statistically certain line that modulates by a
percent is what a sound bearing shows in a long recording; a deep modulation that decoys reach too
is chance. The log-odds of a fault ask for both.

The strongest family is accepted first and its lines are taken out before the others are judged:
harmonics of different families fall close together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibro.diagnosis.comb import HARMONICS, SLIP, Comb, depth_at, search, spans_around
from vibro.diagnosis.envelope import EnvelopeSpectrum, envelope_spectra
from vibro.diagnosis.spectrum import resolved
from vibro.faults import Fault
from vibro.kinematics import LineOrders

Floats = NDArray[np.float64]

ACCEPT = 0.5
HALF_DEPTH = 0.4
"""Modulation depth at which a comb of one in a thousand is an even bet."""
DEPTH_SAYS = 2.0
"""Most that depth adds to the log-odds: what decoys reach often is no evidence, however deep."""
PROMINENT = 2.0
"""A shaft harmonic this much deeper than its like is not the shaft's doing."""
LEAST_LEAD = 0.3
LEAST_ODD = 0.1
LEAST_STEADY = 0.4
"""A comb must keep this share of its depth in each half of the clip."""
CAGE_BINS = 20.0
"""A cage line lies low, between the half orders: fewer bins do not keep it apart from them."""
CLEAR_DB = 20.0
"""Lines of noise never stand this far out."""
BESIDE_CAGE = 0.2
"""A ball line this probable beside a cage line owns it."""
LINE_NAMES = {
    Fault.BEARING_OUTER: "BPFO",
    Fault.BEARING_INNER: "BPFI",
    Fault.BEARING_BALL: "2xBSF",
    Fault.BEARING_CAGE: "FTF",
}


@dataclass(frozen=True, slots=True)
class BearingFinding:
    """One family with its probability."""

    fault: Fault
    probability: float
    comb: Comb


def probability(comb: Comb) -> float:
    """Probability that a family means a fault, by log-odds (see the module's text)."""
    deep = 2.0 * math.log2(max(comb.depth, 1e-3) / HALF_DEPTH)
    odds = 1.5 * (-comb.log10_p - 3.0) + min(deep, DEPTH_SAYS)
    if comb.harmonics < 2:
        odds -= 2.0
    if comb.lead < LEAST_LEAD or comb.odd < LEAST_ODD:
        # A high harmonic alone, or every second one, is some other comb's line, however rare.
        odds = min(odds - 4.0, -1.0)
    if comb.snr_db < 10.0:
        # A line that a few averages of noise reach is no evidence, however deep.
        odds -= 3.0
    return 1.0 / (1.0 + math.exp(-max(min(odds, 30.0), -30.0)))


def families_hz(lines: LineOrders, reference_hz: float) -> dict[Fault, float]:
    """Fundamentals of the known families in Hz."""
    orders = {
        Fault.BEARING_OUTER: lines.bpfo,
        Fault.BEARING_INNER: lines.bpfi,
        Fault.BEARING_BALL: lines.bsf2,
        Fault.BEARING_CAGE: lines.ftf,
    }
    return {f: o * reference_hz for f, o in orders.items() if o == o and o > 0}


def bearing_findings(
    x: Floats, rate_hz: float, rpm: float, lines: LineOrders
) -> list[BearingFinding]:
    """Judge all bearing families of one channel, the most probable first.

    Parameters
    ----------
    x : ndarray, float64, shape (n,), m/s2
    rpm : float
        Speed of the reference shaft; without it (NaN), or with too few turns of it to tell its
        lines from others, there is nothing to look for.
    """
    families = families_hz(lines, rpm / 60.0)
    shaft = lines.shaft * rpm / 60.0
    if not families or not resolved(shaft, x.size / rate_hz):
        return []
    spectra = without_shaft(envelope_spectra(x, rate_hz), shaft, list(families.values()))
    found: list[BearingFinding] = []
    left = dict(families)
    while left:
        judged = _judged(x, rate_hz, spectra, left, families, shaft)
        # Of those that are as good as certain the deepest comb: the others share some lines of it.
        best = max(judged, key=lambda j: (min(j.probability, 0.9), j.comb.depth), default=None)
        if best is None or best.probability < ACCEPT:
            found += _apart(x, rate_hz, spectra, judged, families, shaft)
            break
        found.append(best)
        del left[best.fault]
        own = best.comb.found_hz, best.comb.sideband_hz
        spectra = [s.without(spans_around(*own, s.top_hz, s.resolution_hz)) for s in spectra]
    return sorted(_ball_over_cage(found), key=lambda j: -j.probability)


def _judged(
    x: Floats,
    rate_hz: float,
    spectra: Sequence[EnvelopeSpectrum],
    left: dict[Fault, float],
    families: dict[Fault, float],
    shaft_hz: float,
) -> list[BearingFinding]:
    """Judge each family that is left by itself; what is probable must also be steady."""
    found = []
    cage_hz = families.get(Fault.BEARING_CAGE, 0.0)
    for fault, hz in left.items():
        if fault is Fault.BEARING_CAGE and hz < CAGE_BINS * spectra[0].resolution_hz:
            continue
        carrier = cage_hz if fault is Fault.BEARING_BALL else 0.0
        comb = search(spectra, hz, list(families.values()), shaft_hz, carrier)
        if comb is None:
            continue
        p = probability(comb)
        if p >= ACCEPT and _steadiness(x, rate_hz, comb) < LEAST_STEADY:
            p *= 0.2
        found.append(BearingFinding(fault, p, comb))
    return found


def _apart(
    x: Floats,
    rate_hz: float,
    spectra: Sequence[EnvelopeSpectrum],
    judged: list[BearingFinding],
    families: dict[Fault, float],
    shaft_hz: float,
) -> list[BearingFinding]:
    """Judge combs that stand out together, each without the others' lines.

    Two defects are among each other's decoys, so that neither looks rare. Both are believed only
    where each stands by itself: what is but another comb's sideband goes when that is taken out.
    """
    clear = [j for j in judged if j.comb.snr_db >= CLEAR_DB and j.comb.harmonics >= 3]
    again: list[BearingFinding] = []
    for one in clear if len(clear) > 1 else ():
        others = [
            span
            for j in clear
            if j is not one
            for span in spans_around(
                j.comb.found_hz, j.comb.sideband_hz, spectra[0].top_hz, spectra[0].resolution_hz
            )
        ]
        rest = [s.without(others) for s in spectra]
        again += _judged(x, rate_hz, rest, {one.fault: families[one.fault]}, families, shaft_hz)
    if len(again) < 2 or any(j.probability < ACCEPT for j in again):
        return judged
    return again + [j for j in judged if j not in clear]


def _steadiness(x: Floats, rate_hz: float, comb: Comb) -> float:
    """Least depth of a comb in a half of the clip over its depth in all of it.

    A damaged bearing hits throughout; a few shocks agree with some comb only by chance, and each
    half with another.
    """
    middle = x.size // 2
    halves = [envelope_spectra(h, rate_hz, [comb.band_hz])[0] for h in (x[:middle], x[middle:])]
    return min(depth_at(s, comb.found_hz) for s in halves) / max(comb.depth, 1e-9)


def _ball_over_cage(found: list[BearingFinding]) -> list[BearingFinding]:
    """Read a cage line beside a ball line as the ball passing the load zone, once a cage turn."""
    by = {f.fault: f for f in found}
    ball, cage = by.get(Fault.BEARING_BALL), by.get(Fault.BEARING_CAGE)
    if ball is None or cage is None or cage.probability < ACCEPT or ball.probability < BESIDE_CAGE:
        return found
    raised = BearingFinding(
        Fault.BEARING_BALL, max(ball.probability, min(0.7, cage.probability)), ball.comb
    )
    return [raised if f is ball else f for f in found if f is not cage]


def without_shaft(
    spectra: Sequence[EnvelopeSpectrum], shaft_hz: float, families_hz: Sequence[float] = ()
) -> list[EnvelopeSpectrum]:
    """Spectra with the harmonics of the shaft brought down: every machine modulates at them.

    Some bearings have a defect line within the slip tolerance of a shaft harmonic (a 6309's BPFO
    lies 1 % above 3x). Such a harmonic stays where it stands far above those that no defect line
    is near: what hits once a turn shows them all.
    """
    return [_without_shaft(s, shaft_hz, families_hz) for s in spectra]


def _without_shaft(
    spectrum: EnvelopeSpectrum, shaft_hz: float, families_hz: Sequence[float]
) -> EnvelopeSpectrum:
    spans = spans_around(shaft_hz, 0.0, spectrum.top_hz, spectrum.resolution_hz)
    depths = [spectrum.highest(*span) for span in spans]
    places = np.outer(np.arange(1, HARMONICS + 1), families_hz).ravel()
    contested = [
        bool((np.abs(places - (low + high) / 2) <= (high - low) / 2 + SLIP * places).any())
        for low, high in spans
    ]
    usual = max((d for d, c in zip(depths[:10], contested, strict=False) if not c), default=np.inf)
    return spectrum.without(
        [
            span
            for span, depth, doubtful in zip(spans, depths, contested, strict=True)
            if not (doubtful and depth > PROMINENT * usual)
        ]
    )


def tooth_comb(x: Floats, rate_hz: float, shaft_hz: float) -> Comb | None:
    """Search for one impact a turn of a gear's shaft (a cracked or chipped tooth)."""
    return search(envelope_spectra(x, rate_hz), shaft_hz, [], 0.0)
