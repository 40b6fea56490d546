"""The plots of a clip: waveform, envelope spectrum, velocity and acceleration spectra."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.serve.plot import Band, Line, Mark, Plot
from cloud_jobs.store.tables import DiagnosisRow
from vibro.assets import Point
from vibro.diagnosis.envelope import EnvelopeSpectrum, best_band, envelope_spectra
from vibro.diagnosis.spectrum import spectrum_of
from vibro.faults import Fault
from vibro.records import Clip

Floats = NDArray[np.float64]

SLOWEST = 4
"""First bin of an envelope spectrum that is drawn: below it is how the level wandered."""


@dataclass(frozen=True, slots=True)
class FaultLine:
    """A frequency at which a fault would show, as an order of the reference shaft."""

    order: float
    name: str
    kind: str


def shaft_lines(point: Point) -> list[FaultLine]:
    """Lines of a velocity spectrum: shaft orders, gear mesh with sidebands, blade pass."""
    lines = point.lines
    found = [FaultLine(k * lines.shaft, f"{k}×", "shaft") for k in (1, 2, 3, 4)]
    found.append(FaultLine(0.5 * lines.shaft, "½×", "shaft"))
    if math.isfinite(lines.blade_pass):
        found.append(FaultLine(lines.blade_pass, "blades", "blade"))
    if math.isfinite(lines.gear_mesh):
        found.append(FaultLine(lines.gear_mesh, "mesh", "gear"))
        for order in lines.gear_shafts:
            found += [FaultLine(lines.gear_mesh + s * order, "", "side") for s in (-1, 1)]
    return found


def envelope_lines(point: Point, harmonics: int = 3) -> list[FaultLine]:
    """Lines of an envelope spectrum: bearing defect frequencies with harmonics, shaft speed."""
    lines = point.lines
    named = (
        (lines.bpfo, "BPFO", "bpfo"),
        (lines.bpfi, "BPFI", "bpfi"),
        (lines.bsf2, "2×BSF", "bsf"),
        (lines.ftf, "FTF", "ftf"),
    )
    found = [FaultLine(k * lines.shaft, f"{k}×" if k < 3 else "", "shaft") for k in (1, 2)]
    for order, name, kind in named:
        if math.isfinite(order):
            most = 1 if kind == "ftf" else harmonics
            found += [
                FaultLine(k * order, name if k == 1 else f"{k}·{name}", kind)
                for k in range(1, most + 1)
            ]
    found += [FaultLine(order, "gear shaft", "gear") for order in lines.gear_shafts[1:]]
    return found


def _marks(lines: Iterable[FaultLine], rpm: float) -> list[Mark]:
    if not (math.isfinite(rpm) and rpm > 0):
        return []
    at = ((line, line.order * rpm / 60.0) for line in lines)
    return [Mark(hz, ln.name, ln.kind, f"{ln.name or 'sideband'} {hz:.2f} Hz") for ln, hz in at]


def amplitude_spectrum(x: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Frequencies (Hz) and Hann amplitudes (0 to peak, in the unit of ``x``) of a signal."""
    found = spectrum_of(x, rate_hz)
    frequencies: Floats = np.arange(found.lines.size, dtype=np.float64) * found.resolution_hz
    return frequencies, np.abs(found.lines)


def clip_plots(
    clip: Clip,
    index: int,
    point: Point,
    diagnoses: Sequence[DiagnosisRow],
    reference: Clip | None,
) -> list[Plot]:
    """Waveform, velocity spectrum, acceleration spectrum and envelope spectrum of one channel."""
    x = clip.acceleration()[index].astype(np.float64)
    old = None
    if reference is not None and point.channel in reference.channels:
        at = reference.channels.index(point.channel)
        old = (reference.acceleration()[at].astype(np.float64), reference.rate_hz)
    order_hz = clip.rpm / 60.0 if math.isfinite(clip.rpm) else 0.0
    envelope = _best_envelope(x, clip.rate_hz, point, clip.rpm, diagnoses)
    return [
        _waveform(x, clip.rate_hz),
        _envelope(envelope, old, point, clip.rpm, order_hz, diagnoses),
        _velocity(x, clip.rate_hz, old, point, clip.rpm, order_hz),
        _acceleration(x, clip.rate_hz, old, envelope, order_hz),
    ]


def _waveform(x: Floats, rate_hz: float) -> Plot:
    time_s = np.arange(len(x)) / rate_hz
    return Plot("Waveform", "s", "m/s²", [Line(time_s, x)], height=170.0, name="time")


def _curves(
    new: tuple[Floats, Floats], old: tuple[Floats, Floats] | None, top_hz: float
) -> list[Line]:
    curves = [(new, "this clip", 0)]
    if old is not None:
        curves.insert(0, (old, "commissioning", 9))
    return [Line(f[f <= top_hz], a[f <= top_hz], name, s) for (f, a), name, s in curves]


def _velocity(
    x: Floats,
    rate_hz: float,
    old: tuple[Floats, float] | None,
    point: Point,
    rpm: float,
    order_hz: float,
) -> Plot:
    lines = shaft_lines(point)
    mesh = point.lines.gear_mesh
    lowest = max(2.0, min(10.0, 0.4 * order_hz or 10.0))
    top = min(rate_hz / 2.56, max(1000.0, 1.3 * mesh * order_hz if math.isfinite(mesh) else 0.0))
    return Plot(
        "Velocity spectrum",
        "Hz",
        "mm/s",
        _curves(_as_velocity(x, rate_hz, lowest), _as_velocity(*old, lowest) if old else None, top),
        marks=_marks(lines, rpm),
        order_hz=order_hz,
        y_floor=0.0,
        x_range=(0.0, top),
        name="velocity",
    )


def _as_velocity(x: Floats, rate_hz: float, lowest_hz: float) -> tuple[Floats, Floats]:
    """Velocity amplitudes in mm/s from ``lowest_hz`` up; below it integration shows only drift."""
    hz, amplitude = amplitude_spectrum(x, rate_hz)
    keep = hz >= lowest_hz
    return hz[keep], 1e3 * amplitude[keep] / (2.0 * np.pi * hz[keep])


def _acceleration(
    x: Floats,
    rate_hz: float,
    old: tuple[Floats, float] | None,
    envelope: EnvelopeSpectrum,
    order_hz: float,
) -> Plot:
    lo, hi = envelope.band_hz
    return Plot(
        "Acceleration spectrum",
        "Hz",
        "dB re 1 m/s²",
        _curves(_as_db(x, rate_hz), _as_db(*old) if old else None, rate_hz / 2.0),
        bands=[Band(lo, hi, "demod", f"demodulated band {lo:.0f} to {hi:.0f} Hz")],
        order_hz=order_hz,
        x_range=(0.0, rate_hz / 2.0),
        name="acceleration",
    )


def _as_db(x: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Power-averaged amplitude spectrum of quarter-second pieces, in dB."""
    n = min(len(x), round(0.25 * rate_hz))
    pieces = np.stack([x[i : i + n] for i in range(0, len(x) - n + 1, n // 2)])
    window = np.hanning(n)
    pieces = (pieces - pieces.mean(axis=1, keepdims=True)) * window
    power = (np.abs(np.fft.rfft(pieces, axis=1)) * 2.0 / window.sum()) ** 2
    level = 10.0 * np.log10(np.maximum(power.mean(axis=0), 1e-12))
    frequencies: Floats = np.fft.rfftfreq(n, 1.0 / rate_hz).astype(np.float64)
    return frequencies[1:], level[1:]


def _best_envelope(
    x: Floats, rate_hz: float, point: Point, rpm: float, diagnoses: Sequence[DiagnosisRow]
) -> EnvelopeSpectrum:
    """Envelope spectrum of the band that shows the diagnosed family, or any known one, best."""
    said = [
        float(e["found_hz"])
        for d in diagnoses[:1]
        for e in d.evidence
        if e.get("found_hz") and Fault(d.fault).family == "bearing"
    ]
    known = [line.order * rpm / 60.0 for line in envelope_lines(point)] if rpm > 0 else []
    return best_band(envelope_spectra(x, rate_hz), said or known)


def _envelope(
    spectrum: EnvelopeSpectrum,
    old: tuple[Floats, float] | None,
    point: Point,
    rpm: float,
    order_hz: float,
    diagnoses: Sequence[DiagnosisRow],
) -> Plot:
    lines = envelope_lines(point)
    highest = max((ln.order for ln in lines), default=10.0) * order_hz
    top = min(spectrum.top_hz, max(100.0, 1.08 * highest) if order_hz else 500.0)
    hz: Floats = np.arange(spectrum.depth.size, dtype=np.float64) * spectrum.resolution_hz
    before: tuple[Floats, Floats] | None = None
    if old is not None:
        (was,) = envelope_spectra(*old, bands=[spectrum.band_hz])
        was_hz: Floats = np.arange(was.depth.size, dtype=np.float64) * was.resolution_hz
        before = (was_hz[SLOWEST:], 100.0 * was.depth[SLOWEST:])
    marks = _marks(lines, rpm)
    for d in diagnoses[:1]:
        marks += [
            Mark(float(e["found_hz"]), "", "found", f"{e['line']} found at {e['found_hz']:.2f} Hz")
            for e in d.evidence
            if e.get("found_hz") and Fault(d.fault).family != "shaft"
        ]
    lo, hi = spectrum.band_hz
    return Plot(
        f"Envelope spectrum of {lo:.0f} to {hi:.0f} Hz",
        "Hz",
        "depth %",
        _curves((hz[SLOWEST:], 100.0 * spectrum.depth[SLOWEST:]), before, top),
        marks=marks,
        order_hz=order_hz,
        y_floor=0.0,
        x_range=(0.0, top),
        height=260.0,
        name="envelope",
    )
