"""Shaft-synchronous faults: imbalance, misalignment, looseness, and gears.

They are judged by what has grown against the machine's own reference, and where there is none, by
how far the machine is beyond its ISO zones. 1x alone names no cause: imbalance is said only where
a second axis at the same bearing shows the 90 degrees of a turning force (ISO 13373-3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vibro.assets import Point
from vibro.diagnosis.bearings import LEAST_LEAD
from vibro.diagnosis.comb import Comb
from vibro.diagnosis.findings import Finding
from vibro.diagnosis.reference import HALF_ORDERS, ChannelReference
from vibro.diagnosis.spectrum import Spectrum
from vibro.faults import Fault, Severity
from vibro.records import Evidence

LEAST_GROWTH_MM_S = 0.7
"""A quarter of zone boundary B/C of the strictest group: less growth names no fault."""
LEAST_RATIO = 2.5
GEAR_GROWTH = 2.0
PHASE_TOLERANCE_DEG = 30.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One channel of the clip with what it was at commissioning (None without a reference)."""

    point: Point
    spectrum: Spectrum
    now: ChannelReference
    before: ChannelReference | None

    def grown(self, order: float) -> float:
        """Growth of an order's velocity, mm/s; all of it where there is no reference."""
        return self.now.order_mm_s[order] - (self.before.order_mm_s[order] if self.before else 0.0)


def shaft_findings(
    channels: Sequence[Measured], rpm: float, beyond_iso: bool, severity: Severity
) -> list[Finding]:
    """Judge the shaft's orders over all channels of a machine.

    Parameters
    ----------
    beyond_iso : bool
        Whether some channel is in zone C or D: without a reference nothing is said below that.
    severity : Severity
        Severity of the machine by its zones, which a finding does not fall below.
    """
    if not rpm > 0:
        return []
    worst = max(channels, key=lambda c: max(c.grown(k) for k in (1.0, 2.0, 3.0)))
    if worst.before is None and not beyond_iso:
        return []
    growth = {k: max(worst.grown(k), 0.0) for k in HALF_ORDERS}
    total = math.sqrt(sum(g * g for g in growth.values()))
    before = math.sqrt(sum(v * v for v in worst.before.order_mm_s.values())) if worst.before else 0
    if total < LEAST_GROWTH_MM_S or total < (LEAST_RATIO - 1.0) * before:
        return []
    level = max(severity, Severity.ALERT)
    fault, probability, note = _name(channels, worst, growth, total, rpm)
    orders = sorted(growth, key=lambda k: -growth[k])[:3]
    evidence = tuple(order_evidence(worst, k, rpm) for k in orders if growth[k] > 0.1 * total)
    return [Finding(fault, probability, worst.point.channel, level, evidence, note)]


def _name(
    channels: Sequence[Measured],
    worst: Measured,
    growth: dict[float, float],
    total: float,
    rpm: float,
) -> tuple[Fault, float, str]:
    halves = [k for k in (0.5, 1.5, 2.5, 3.5) if growth[k] > 0.08 * total]
    wholes = [k for k in range(1, 11) if growth[float(k)] > 0.08 * total]
    if len(halves) >= 2 and len(wholes) >= 4:
        return Fault.LOOSENESS, 0.8, f"orders {wholes} and half orders {halves} have grown"
    if growth[2.0] >= 0.6 * growth[1.0] and growth[2.0] > 0.4 * total:
        share = growth[2.0] / total
        return Fault.MISALIGNMENT, 0.6 + 0.3 * min(share, 1.0), "2x has grown most"
    if growth[1.0] < 0.85 * total:
        return Fault.UNKNOWN, 0.5, "several orders have grown"
    phase = _phase_between(channels, worst, rpm)
    if phase is None:
        return Fault.ONE_X_FAMILY, 0.7, "1x has grown; there is no second axis to tell its cause"
    if abs(abs(phase) - 90.0) <= PHASE_TOLERANCE_DEG:
        return Fault.IMBALANCE, 0.9, f"1x has grown and V lags H by {phase:.0f} degrees"
    return Fault.ONE_X_FAMILY, 0.7, f"1x has grown; H and V stand at {phase:.0f} degrees"


def _phase_between(channels: Sequence[Measured], worst: Measured, rpm: float) -> float | None:
    """Phase of H over V at 1x in degrees, at the worst point's location, or None."""
    by_axis = {c.point.axis: c for c in channels if c.point.location == worst.point.location}
    if not {"H", "V"} <= by_axis.keys():
        return None
    f = worst.point.shaft_ratio * rpm / 60.0
    at, _ = by_axis["H"].spectrum.line(f)
    h, v = (by_axis[a].spectrum.line(at, 0.0)[1] for a in "HV")
    if abs(h) == 0 or abs(v) < 0.1 * abs(h):
        return None
    return math.degrees(math.atan2((h * v.conjugate()).imag, (h * v.conjugate()).real))


def order_evidence(c: Measured, order: float, rpm: float) -> Evidence:
    """An order line against the median of the spectrum around it."""
    f = order * c.point.shaft_ratio * rpm / 60.0
    found, amplitude = c.spectrum.line(f)
    return Evidence(
        line=f"{order:g}x",
        expected_hz=round(f, 3),
        found_hz=round(found, 3),
        snr_db=round(_over_floor_db(c.spectrum, found, abs(amplitude)), 1),
        decoy_snr_db=round(_decoy_db(c.spectrum, f), 1),
        harmonics=1,
    )


def _over_floor_db(spectrum: Spectrum, f: float, amplitude: float) -> float:
    """Height of a line over the median around it; 0 beyond what the spectrum reaches."""
    k, half = round(f / spectrum.resolution_hz), max(10, round(5.0 / spectrum.resolution_hz))
    around = np.abs(spectrum.lines[max(k - half, 1) : k + half])
    if k >= spectrum.lines.size or around.size == 0:
        return 0.0
    floor = float(np.median(around))
    return 20.0 * math.log10(max(amplitude, 1e-12) / max(floor, 1e-12))


def _decoy_db(spectrum: Spectrum, f: float) -> float:
    """95th percentile of the same search at places between the shaft's half orders."""
    places = f * (1.0 + np.array([-0.37, -0.29, -0.21, -0.13, 0.13, 0.21, 0.29, 0.37]))
    levels = []
    for place in places:
        at, amplitude = spectrum.line(float(place))
        levels.append(_over_floor_db(spectrum, at, abs(amplitude)))
    return float(np.quantile(levels, 0.95))


def _once_a_turn(tooth: Comb) -> bool:
    """Whether a comb is that of one impact a turn, not a bearing's line near some shaft order."""
    return tooth.depth > 1.0 and tooth.log10_p < -2.0 and tooth.lead >= LEAST_LEAD


def gear_finding(c: Measured, tooth: Comb | None, rpm: float) -> Finding | None:
    """Judge a gear: one impact a turn (tooth), or a mesh whose lines have grown (mesh).

    Parameters
    ----------
    tooth : Comb or None
        Comb of one impact a turn of the gear's shaft in the squared envelope spectra.
    """
    if not c.point.gear_teeth or not rpm > 0:
        return None
    mesh = c.point.lines.gear_mesh * rpm / 60.0
    impulsive = c.now.kurtosis > 5.0 and (
        c.before is None or c.now.kurtosis > 1.5 * c.before.kurtosis
    )
    at, amplitude = c.spectrum.line(mesh, 0.002)
    evidence = (
        Evidence(
            "GMF",
            round(mesh, 2),
            round(at, 2),
            round(_over_floor_db(c.spectrum, at, abs(amplitude)), 1),
            round(_decoy_db(c.spectrum, mesh), 1),
            1,
        ),
    )
    if impulsive and tooth is not None and _once_a_turn(tooth):
        note = f"one impact a turn of the gear's shaft, modulation depth {tooth.depth:.2f}"
        return Finding(Fault.GEAR_TOOTH, 0.85, c.point.channel, Severity.ALERT, evidence, note)
    if c.before is None:
        return None
    grown = math.hypot(c.now.mesh, c.now.mesh_sides) / max(
        math.hypot(c.before.mesh, c.before.mesh_sides), 1e-6
    )
    if grown > GEAR_GROWTH and c.now.mesh_sides > GEAR_GROWTH * c.before.mesh_sides:
        note = f"mesh and sidebands have grown {grown:.1f}-fold"
        return Finding(Fault.GEAR_MESH, 0.75, c.point.channel, Severity.ALERT, evidence, note)
    return None
