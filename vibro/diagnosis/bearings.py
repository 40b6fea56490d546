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

from vibro.diagnosis.comb import Comb, search, spans_around
from vibro.diagnosis.envelope import EnvelopeSpectrum, envelope_spectra
from vibro.faults import Fault
from vibro.kinematics import LineOrders

Floats = NDArray[np.float64]

ACCEPT = 0.5
HALF_DEPTH = 0.4
"""Modulation depth at which a comb of one in a thousand is an even bet."""
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
    odds = 1.5 * (-comb.log10_p - 3.0) + 2.0 * math.log2(max(comb.depth, 1e-3) / HALF_DEPTH)
    if comb.harmonics < 2:
        odds -= 2.0
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
        Speed of the reference shaft; without it (NaN) there is nothing to look for.
    """
    if not rpm > 0:
        return []
    families = families_hz(lines, rpm / 60.0)
    if not families:
        return []
    shaft = lines.shaft * rpm / 60.0
    spectra = without_shaft(envelope_spectra(x, rate_hz), shaft)
    found: list[BearingFinding] = []
    left = dict(families)
    while left:
        combs = {f: search(spectra, hz, list(families.values()), shaft) for f, hz in left.items()}
        judged = [BearingFinding(f, probability(c), c) for f, c in combs.items() if c is not None]
        best = max(judged, key=lambda j: j.probability, default=None)
        if best is None or best.probability < ACCEPT:
            found += judged
            break
        found.append(best)
        del left[best.fault]
        sideband = shaft if best.comb.found_hz > 1.5 * shaft else 0.0
        spectra = [
            s.without(spans_around(best.comb.found_hz, sideband, s.top_hz, s.resolution_hz))
            for s in spectra
        ]
    return sorted(_ball_over_cage(found), key=lambda j: -j.probability)


def _ball_over_cage(found: list[BearingFinding]) -> list[BearingFinding]:
    """Read a cage line beside a ball line as the ball passing the load zone, once a cage turn."""
    by = {f.fault: f for f in found}
    ball, cage = by.get(Fault.BEARING_BALL), by.get(Fault.BEARING_CAGE)
    if ball is None or cage is None or cage.probability < ACCEPT:
        return found
    if ball.probability < 0.2 and ball.comb.log10_p > -2.0:
        return found
    raised = BearingFinding(
        Fault.BEARING_BALL, max(ball.probability, min(0.7, cage.probability)), ball.comb
    )
    return [raised if f is ball else f for f in found if f is not cage]


def without_shaft(spectra: Sequence[EnvelopeSpectrum], shaft_hz: float) -> list[EnvelopeSpectrum]:
    """Spectra with all harmonics of the shaft brought down: every machine modulates at them."""
    return [s.without(spans_around(shaft_hz, 0.0, s.top_hz, s.resolution_hz)) for s in spectra]


def tooth_comb(x: Floats, rate_hz: float, shaft_hz: float) -> Comb | None:
    """Search for one impact a turn of a gear's shaft (a cracked or chipped tooth)."""
    return search(envelope_spectra(x, rate_hz), shaft_hz, [], 0.0)
