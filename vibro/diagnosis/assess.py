"""`assess`: everything that can be said of one clip of one machine, ranked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibro.assets import Point
from vibro.diagnosis.bearings import (
    ACCEPT,
    LINE_NAMES,
    BearingFinding,
    bearing_findings,
    tooth_comb,
)
from vibro.diagnosis.findings import Finding
from vibro.diagnosis.reference import Reference, channel_facts, octaves_hz
from vibro.diagnosis.sensors import detached_finding, sensor_finding
from vibro.diagnosis.shafts import Measured, gear_finding, shaft_findings
from vibro.diagnosis.spectrum import LEAST_TURNS, resolved, spectrum_of
from vibro.diagnosis.unexplained import unexplained_comb
from vibro.faults import Fault, Severity
from vibro.iso10816 import IsoLimits, zone
from vibro.records import Diagnosis, Evidence

Floats = NDArray[np.float64]

STOPPED_M_S2 = 0.03
IMPULSIVE_KURTOSIS = 5.0
SEGMENTS = 8
LOUDER = 2.5
"""Growth of an octave's level since commissioning that is worth a look."""
MUCH_LOUDER = 4.0
_ONE_X = (Fault.IMBALANCE, Fault.ONE_X_FAMILY)
BLOCK_S = 0.25
LONGEST_S = 10.0
"""No more of a recording is needed for lines of 0.1 Hz, and no more is read."""
LEAST_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a clip says of its machine.

    Attributes
    ----------
    severity : Severity
    diagnoses : tuple of Diagnosis
        Ranked; empty = healthy (or stopped).
    stopped : bool
    velocity_mm_s, displacement_um, kurtosis : tuple of float
        One a channel.
    zone : str
        Worst ISO zone, ``""`` where the standard does not apply.
    notes : tuple of str
        What could not be judged, and why.
    """

    severity: Severity
    diagnoses: tuple[Diagnosis, ...]
    stopped: bool
    velocity_mm_s: tuple[float, ...]
    displacement_um: tuple[float, ...]
    kurtosis: tuple[float, ...]
    zone: str
    notes: tuple[str, ...] = ()


def assess(
    x: NDArray[np.floating],
    rate_hz: float,
    rpm: float,
    points: Sequence[Point],
    *,
    iso: IsoLimits | None = None,
    reference: Reference | None = None,
) -> Assessment:
    """Assess one clip of all channels of a machine.

    Parameters
    ----------
    x : ndarray, shape (channels, n), m/s2
        A channel with samples that are not finite has a sensor fault and is not judged further.
    rpm : float
        Speed of the reference shaft; anything but a positive, finite one is unknown (then no line
        can be named).
    points : sequence of Point
        One a channel.
    iso : IsoLimits, optional
        None where the standard does not apply or the units are not known.
    reference : Reference, optional
        The machine at commissioning; without it only absolute signs count.
    """
    rows = np.asarray(x, np.float64)[:, : round(LONGEST_S * rate_hz)]
    if not points or rows.shape[1] < LEAST_SAMPLES:
        return _too_short(rows.shape[1])
    rpm = rpm if 0.0 < rpm < math.inf else math.nan
    sensors = [sensor_finding(row, p) for row, p in zip(rows, points, strict=True)]
    sound = [i for i, s in enumerate(sensors) if s is None]
    quiet = _quiet(rows)
    if quiet and (reference is None or not rpm >= 30.0):
        return _stopped(len(points))
    rows = _running(rows, rate_hz)
    channels = [
        _measure(rows[i], rate_hz, rpm, points[i], reference.channels[i] if reference else None)
        for i in sound
    ]
    # As quiet as a machine that stands: then the speed may be what is wrong, not the sensor.
    compared = [] if quiet else [(c, c.before) for c in channels if c.before is not None]
    loose = [detached_finding(c.now, before, c.point) for c, before in compared]
    findings = [s for s in (*sensors, *loose) if s is not None]
    velocity = [c.spectrum.broad_band(rpm) for c in channels]
    worst_zone = max((zone(v, d, iso) for v, d in velocity), default=None) if iso else None
    level = worst_zone.severity if worst_zone else Severity.OK
    findings += _machine_findings(rows[sound], rate_hz, rpm, channels, level)
    kurtosis = tuple(round(c.now.kurtosis, 2) for c in channels)
    return Assessment(
        severity=max([level, *(f.severity for f in findings)]),
        diagnoses=tuple(f.diagnosis() for f in _ranked(findings)),
        stopped=False,
        velocity_mm_s=tuple(round(v, 4) for v, _ in velocity),
        displacement_um=tuple(round(d, 3) for _, d in velocity),
        kurtosis=kurtosis,
        zone=worst_zone.value if worst_zone else "",
        notes=_notes(channels, rpm),
    )


def _quiet(rows: Floats) -> bool:
    """Whether no channel that was measured moves."""
    spread = rows[np.isfinite(rows).all(axis=1)].std(axis=1)
    return spread.size > 0 and float(spread.max()) < STOPPED_M_S2


def _running(rows: Floats, rate_hz: float) -> Floats:
    """Longest stretch in which the machine runs: what came before the start tells nothing."""
    block = max(1, round(BLOCK_S * rate_hz))
    whole = rows[np.isfinite(rows).all(axis=1)]
    if whole.size == 0:
        return rows
    blocks = whole[:, : whole.shape[1] // block * block].reshape(whole.shape[0], -1, block)
    runs = np.concatenate([[0], (blocks.std(axis=2).max(axis=0) >= STOPPED_M_S2), [0]])
    edges = np.flatnonzero(np.diff(runs.astype(np.int8)))
    if edges.size == 0 or blocks.shape[1] - (edges[1::2] - edges[::2]).sum() < 2:
        return rows
    k = int((edges[1::2] - edges[::2]).argmax())
    longest = rows[:, edges[2 * k] * block : edges[2 * k + 1] * block]
    return longest if longest.shape[1] >= LEAST_SAMPLES else rows


def _too_short(samples: int) -> Assessment:
    note = f"not assessed: of {samples} samples, at least {LEAST_SAMPLES} a channel are needed"
    return Assessment(Severity.OK, (), False, (), (), (), "", (note,))


def _notes(channels: Sequence[Measured], rpm: float) -> tuple[str, ...]:
    """What could not be judged, and why."""
    if not rpm > 0:
        return ("the speed is not known: no line can be named",)
    slow = [
        c.point.channel
        for c in channels
        if not resolved(c.point.shaft_ratio * rpm / 60.0, 1.0 / c.spectrum.resolution_hz)
    ]
    if not slow:
        return ()
    names = ", ".join(slow)
    return (f"{names}: fewer than {LEAST_TURNS} turns of the shaft, no line can be told apart",)


def _stopped(channels: int) -> Assessment:
    zeros = (0.0,) * channels
    note = "the machine stands still: nothing to diagnose"
    return Assessment(Severity.OK, (), True, zeros, zeros, zeros, "", (note,))


def _measure(row: Floats, rate_hz: float, rpm: float, point: Point, before: object) -> Measured:
    spectrum = spectrum_of(row, rate_hz)
    facts = channel_facts(row, spectrum, rate_hz, rpm, point)
    return Measured(point, spectrum, facts, before)  # type: ignore[arg-type]


def _machine_findings(
    rows: Floats, rate_hz: float, rpm: float, channels: Sequence[Measured], level: Severity
) -> list[Finding]:
    findings: list[Finding] = []
    for row, c in zip(rows, channels, strict=True):
        found = _impacts(row, rate_hz, rpm, c)
        findings += found
    shaft = shaft_findings(channels, rpm, level >= Severity.ALERT, level) if channels else []
    if level < Severity.ALERT and any(f.fault is Fault.GEAR_TOOTH for f in findings):
        # One impact a turn is felt at 1x too.
        shaft = [f for f in shaft if f.fault not in _ONE_X]
    findings += shaft
    for row, c in zip(rows, channels, strict=True) if not findings else ():
        odd = _impulsive(row, c), _louder(c, rate_hz), _regular(row, rate_hz, rpm, c)
        findings += [f for f in odd if f is not None]
    return findings


def _impacts(row: Floats, rate_hz: float, rpm: float, c: Measured) -> list[Finding]:
    """Bearing and tooth faults of one channel; a tooth explains its own once-a-turn impacts."""
    if not rpm > 0:
        return []
    if c.point.gear_teeth and c.now.kurtosis > IMPULSIVE_KURTOSIS:
        shaft = c.point.shaft_ratio * rpm / 60.0
        tooth = tooth_comb(row, rate_hz, shaft)
        gear = gear_finding(c, tooth, rpm)
        if gear is not None:
            return [gear]
    found = bearing_findings(row, rate_hz, rpm, c.point.lines)
    bearings = [_bearing(b, c) for b in found if b.probability >= ACCEPT]
    if bearings:
        return bearings
    gear = gear_finding(c, None, rpm)
    return [gear] if gear is not None else []


def _bearing(b: BearingFinding, c: Measured) -> Finding:
    f = b.comb
    evidence = Evidence(
        LINE_NAMES[b.fault],
        round(f.expected_hz, 3),
        round(f.found_hz, 3),
        round(f.snr_db, 1),
        round(f.decoy_snr_db, 1),
        f.harmonics,
    )
    note = (
        f"modulation depth {f.depth:.2f} in {f.band_hz[0]:.0f}-{f.band_hz[1]:.0f} Hz, "
        f"decoys reach it with p = 1e{f.log10_p:.1f}"
    )
    return Finding(b.fault, b.probability, c.point.channel, Severity.ALERT, (evidence,), note)


def _impulsive(row: Floats, c: Measured) -> Finding | None:
    """Impacts throughout the clip that no family explains: abnormal, of unknown type."""
    parts = row[: row.size // SEGMENTS * SEGMENTS].reshape(SEGMENTS, -1)
    centred = parts - parts.mean(axis=1, keepdims=True)
    kurtosis = (centred**4).mean(axis=1) / ((centred**2).mean(axis=1) ** 2 + 1e-300)
    typical = float(np.median(kurtosis))
    usual = c.before.kurtosis if c.before else 3.0
    if typical < max(IMPULSIVE_KURTOSIS, 1.5 * usual):
        return None
    severity = Severity.ALERT if typical > 8.0 else Severity.WATCH
    note = f"impulsive (kurtosis {typical:.1f} throughout), but no family of lines explains it"
    return Finding(Fault.UNKNOWN, 0.6, c.point.channel, severity, note=note)


def _regular(row: Floats, rate_hz: float, rpm: float, c: Measured) -> Finding | None:
    """Find a regular train of impacts of nothing known; at commissioning it may have been there."""
    if c.before is not None:
        return None
    comb = unexplained_comb(row, rate_hz, rpm, c.point.lines)
    if comb is None:
        return None
    order = comb.found_hz * 60.0 / rpm
    note = (
        f"a comb of lines on {comb.found_hz:.1f} Hz ({order:.2f} x) in the envelope of "
        f"{comb.band_hz[0]:.0f}-{comb.band_hz[1]:.0f} Hz that no known part explains: "
        "is the bearing the one in the register?"
    )
    return Finding(Fault.UNKNOWN, 0.6, c.point.channel, Severity.WATCH, note=note)


def _louder(c: Measured, rate_hz: float) -> Finding | None:
    """More noise in some octave than at commissioning, and no lines that tell why."""
    if c.before is None:
        return None
    pairs = zip(c.now.octaves, c.before.octaves, octaves_hz(rate_hz), strict=True)
    grown, octave = max(((n / max(b, 1e-9), f) for n, b, f in pairs), default=(0.0, 0.0))
    if grown < LOUDER:
        return None
    severity = Severity.ALERT if grown >= MUCH_LOUDER else Severity.WATCH
    note = (
        f"the level in {octave:.0f}-{2 * octave:.0f} Hz has grown {grown:.1f}-fold since "
        "commissioning, but no family of lines explains it"
    )
    return Finding(Fault.UNKNOWN, 0.6, c.point.channel, severity, note=note)


def _ranked(findings: list[Finding]) -> list[Finding]:
    """Best finding of each fault, the most probable first; unknown only where nothing is named."""
    best: dict[Fault, Finding] = {}
    for f in findings:
        if f.fault not in best or f.probability > best[f.fault].probability:
            best[f.fault] = f
    named = [f for f in best.values() if f.fault is not Fault.UNKNOWN]
    return sorted(named or best.values(), key=lambda f: -f.probability)
