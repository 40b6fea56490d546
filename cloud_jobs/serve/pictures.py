"""The plots of a clip and of a machine's trends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.lake import Lake
from cloud_jobs.serve.plot import Band, Level, Line, Mark, Plot
from cloud_jobs.store.tables import DiagnosisRow, EventRow
from vibro.assets import Machine, Point
from vibro.diagnosis.envelope import EnvelopeSpectrum, envelope_spectra
from vibro.faults import Fault
from vibro.iso10816 import IsoLimits
from vibro.records import ChannelPath, Clip

Floats = NDArray[np.float64]


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
    window: Floats = np.hanning(len(x)).astype(np.float64)
    lines = np.abs(np.fft.rfft((x - x.mean()) * window)) * 2.0 / window.sum()
    frequencies: Floats = np.fft.rfftfreq(len(x), 1.0 / rate_hz).astype(np.float64)
    return frequencies, lines


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
    return Plot("Waveform", "s", "m/s²", [Line(time_s, x)], height=170.0)


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
    top = min(rate_hz / 2.56, max(1000.0, 1.3 * mesh * order_hz if math.isfinite(mesh) else 0.0))
    return Plot(
        "Velocity spectrum",
        "Hz",
        "mm/s",
        _curves(_as_velocity(x, rate_hz), _as_velocity(*old) if old else None, top),
        marks=_marks(lines, rpm),
        order_hz=order_hz,
        y_floor=0.0,
        x_range=(0.0, top),
    )


def _as_velocity(x: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Velocity amplitudes in mm/s from 2 Hz up; below it integration shows only drift."""
    hz, amplitude = amplitude_spectrum(x, rate_hz)
    keep = hz >= 2.0
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
    """Envelope spectrum of the band where the diagnosed line, or any fault line, is highest."""
    spectra = envelope_spectra(x, rate_hz)
    wanted = [float(e["found_hz"]) for d in diagnoses[:1] for e in d.evidence if e.get("found_hz")]
    if not wanted and math.isfinite(rpm):
        wanted = [line.order * rpm / 60.0 for line in envelope_lines(point)]

    def height(s: EnvelopeSpectrum) -> float:
        near = [_height_at(s, hz) for hz in wanted if 0.0 < hz < s.top_hz]
        return max(near, default=float(s.depth.max()))

    return max(spectra, key=height)


def _height_at(spectrum: EnvelopeSpectrum, hz: float) -> float:
    at, slack = hz / spectrum.resolution_hz, max(1.5, 0.01 * hz / spectrum.resolution_hz)
    lo, hi = max(1, math.floor(at - slack)), math.ceil(at + slack) + 1
    return float(spectrum.ratio[lo:hi].max(initial=0.0))


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
    hz: Floats = np.arange(spectrum.depth.size) * spectrum.resolution_hz
    before = None
    if old is not None:
        (was,) = envelope_spectra(*old, bands=[spectrum.band_hz])
        before = (np.arange(was.depth.size) * was.resolution_hz, 100.0 * was.depth)
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
        _curves((hz[1:], 100.0 * spectrum.depth[1:]), before, top),
        marks=marks,
        order_hz=order_hz,
        y_floor=0.0,
        x_range=(0.0, top),
        height=260.0,
    )


TRENDS = (
    ("velocity_rms_mm_s", "Velocity RMS 10 to 1000 Hz", "mm/s"),
    ("score_fast", "Anomaly score, fast path", ""),
    ("score_long", "Anomaly score, long path", ""),
    ("rms", "Acceleration RMS", "m/s²"),
    ("kurtosis", "Kurtosis", ""),
    ("order_1", "1× shaft", "m/s²"),
    ("order_2", "2× shaft", "m/s²"),
    ("ses_bpfo", "Envelope line BPFO", "dB"),
    ("ses_bpfi", "Envelope line BPFI", "dB"),
    ("gear_mesh_1", "Gear mesh", "m/s²"),
)


def trend_plots(lake: Lake, machine: Machine, events: Sequence[EventRow]) -> list[Plot]:
    """One plot a feature, one curve a channel, with events shaded and ISO limits drawn."""
    return [
        plot
        for feature, title, unit in TRENDS
        if (plot := _trend(lake, machine, events, feature, title, unit)) is not None
    ]


def _trend(
    lake: Lake, machine: Machine, events: Sequence[EventRow], feature: str, title: str, unit: str
) -> Plot | None:
    found = []
    for point in machine.points:
        channel = ChannelPath(machine.site, machine.machine, point.channel)
        times, values = lake.trend(channel, feature)
        found.append((point.channel, times, values.astype(np.float64)))
    known = [v for _, _, v in found if np.isfinite(v).any()]
    if not known or all(not v[np.isfinite(v)].any() for v in known):
        return None
    t0 = min(int(t[0]) for _, t, _ in found if len(t))
    end = max(float(t[-1] - t0) / 1e9 for _, t, _ in found if len(t))
    lines = [Line((t - t0) / 1e9, v, name, i) for i, (name, t, v) in enumerate(found)]
    return Plot(
        title,
        "UTC",
        unit,
        lines,
        levels=_levels(machine, feature),
        bands=[_event_band(e, t0, end) for e in events],
        time0_ns=t0,
        height=170.0,
        y_floor=0.0 if feature.startswith(("score", "velocity", "rms", "order")) else None,
    )


def _levels(machine: Machine, feature: str) -> list[Level]:
    limits = machine.iso_limits
    if feature != "velocity_rms_mm_s" or not isinstance(limits, IsoLimits):
        return []
    names = zip(limits.velocity_mm_s, ("A/B", "B/C", "C/D"), ("ok", "alert", "danger"), strict=True)
    return [Level(v, f"ISO 10816-3 {name}  {v:g}", kind) for v, name, kind in names]


def _event_band(event: EventRow, t0_ns: int, end_s: float) -> Band:
    last = end_s if event.t_clear_ns is None else (event.t_last_ns - t0_ns) / 1e9
    kinds = ("ok", "watch", "alert", "alarm", "danger")
    title = f"{event.channel}: {', '.join(event.causes)}"
    return Band((event.t_onset_ns - t0_ns) / 1e9, last, kinds[event.severity], title)
