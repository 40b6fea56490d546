"""One channel of a recording on one page: waveform, spectra, and the envelope's lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vibro.assets import Point
from vibro.diagnosis.bearings import LINE_NAMES, families_hz
from vibro.diagnosis.envelope import EnvelopeSpectrum, best_band, envelope_spectra
from vibro.diagnosis.spectrum import (
    ISO_LOW_HZ,
    ISO_LOW_SLOW_HZ,
    SLOW_RPM,
    resolved,
    spectrum_of,
)
from vibro.faults import Fault
from vibro.records import Diagnosis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

INK, FAINT, FOUND, SHAFT = "#1f3b57", "#6d7b88", "#c0392b", "#2e7d5b"
HARMONICS = 6
PERIODS_SHOWN = 8.0
TOP_VELOCITY_HZ = 1000.0


@dataclass(frozen=True, slots=True)
class Story:
    """What a figure tells.

    Attributes
    ----------
    title : str
    x : ndarray, shape (n,), m/s2
    rate_hz, rpm : float
        Where ``rpm`` is NaN, or too slow for the recording to hold enough turns, nothing is marked.
    point : Point
    diagnosis : Diagnosis or None
        The best one of this channel.
    """

    title: str
    x: NDArray[np.floating]
    rate_hz: float
    rpm: float
    point: Point
    diagnosis: Diagnosis | None = None

    @property
    def shaft_hz(self) -> float:
        """Speed of this point's shaft in Hz; NaN when not known."""
        return self.point.shaft_ratio * self.rpm / 60.0

    @property
    def known(self) -> bool:
        """Whether the speed is known and the recording resolves the shaft's lines."""
        hz = self.shaft_hz
        return math.isfinite(hz) and resolved(hz, self.x.size / self.rate_hz)

    @property
    def families_hz(self) -> dict[str, float]:
        """Names and frequencies of the bearing's families; none where the speed is not known."""
        found = families_hz(self.point.lines, self.rpm / 60.0) if self.known else {}
        return {LINE_NAMES[fault]: hz for fault, hz in found.items()}

    @property
    def line(self) -> tuple[str, float, float] | None:
        """Name, expected and found frequency (Hz) of the diagnosed family's fundamental."""
        if self.diagnosis is None or not self.diagnosis.evidence:
            return None
        e = self.diagnosis.evidence[0]
        return e.line, e.expected_hz, e.found_hz


def draw(story: Story, file: Path) -> Path:
    """Draw a channel's four panels into a PNG file.

    Returns
    -------
    Path
        ``file``.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (slow to load)

    figure = Figure(figsize=(11.0, 12.0), layout="constrained")
    waveform, envelope, velocity, acceleration = figure.subplots(4, 1)
    spectrum = _envelope_of(story)
    figure.suptitle(story.title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK)
    _waveform(waveform, story)
    _envelope(envelope, story, spectrum)
    _velocity(velocity, story)
    _acceleration(acceleration, story, spectrum)
    for axes in (waveform, envelope, velocity, acceleration):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9, colors="#444444")
        axes.margins(x=0.0)
    figure.savefig(file, dpi=110)
    return file


def _envelope_of(story: Story) -> EnvelopeSpectrum:
    """Envelope spectrum of the band that shows the diagnosed family, or any known one, best."""
    x = np.asarray(story.x, np.float64)
    line = story.line
    if line is not None and line[0] in LINE_NAMES.values():
        wanted = [line[2]]
    else:
        wanted = list(story.families_hz.values())
    return best_band(envelope_spectra(x, story.rate_hz), wanted)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=10, color="#333333")


def _waveform(axes: Axes, story: Story) -> None:
    """A few periods of the defect (or turns of the shaft) around the highest peak."""
    n = story.x.size
    line, bearing = story.line, set(LINE_NAMES.values())
    shaft_hz = story.shaft_hz if story.known else 0.0
    base_hz = line[2] if line is not None and line[0] in bearing else shaft_hz
    shown_s = PERIODS_SHOWN / base_hz if base_hz > 0 else 0.1
    width = min(n, max(round(shown_s * story.rate_hz), 64))
    centre = int(np.abs(story.x - story.x.mean()).argmax())
    first = min(max(0, centre - width // 4), n - width)
    t = (first + np.arange(width)) / story.rate_hz
    axes.plot(t, story.x[first : first + width], color=INK, lw=0.8)
    if line is not None and line[0] in bearing:
        k = np.arange(-2, PERIODS_SHOWN + 2)
        beats = centre / story.rate_hz + k / line[2]
        for at in beats[(beats >= t[0]) & (beats <= t[-1])]:
            axes.axvline(at, color=FOUND, lw=0.8, ls=(0, (2, 3)))
        extra = f", dashed: one {line[0]} period ({1e3 / line[2]:.2f} ms) apart"
    else:
        extra = ""
    rms, peak = float(story.x.std()), float(np.abs(story.x).max())
    _title(axes, f"Waveform around its highest peak (RMS {rms:.3g}, peak {peak:.3g} m/s²){extra}")
    axes.set_xlabel("s", fontsize=9)
    axes.set_ylabel("m/s²", fontsize=9)


def _envelope(axes: Axes, story: Story, spectrum: EnvelopeSpectrum) -> None:
    hz = np.arange(spectrum.depth.size) * spectrum.resolution_hz
    line, named = story.line, story.families_hz
    found = line if line is not None and line[0] in named else None
    base = found[2] if found else max(named.values(), default=250.0)
    top = min(spectrum.top_hz, (HARMONICS + 0.5) * base if found else 3.3 * base)
    keep = (hz > 0.5 * spectrum.resolution_hz) & (hz <= top)
    axes.plot(hz[keep], 100.0 * spectrum.depth[keep], color=INK, lw=0.9)
    high = 100.0 * float(spectrum.depth[keep].max(initial=1e-3))
    axes.set_ylim(0.0, 1.32 * high)
    if found:
        _comb(axes, found, top, spectrum)
        if found[0] == LINE_NAMES[Fault.BEARING_INNER]:
            _sidebands(axes, found[2], story.shaft_hz, top)
    labels = [] if found else [(n, f, FAINT) for n, f in named.items()]
    if story.known:
        labels += [(f"{k}×", k * story.shaft_hz, SHAFT) for k in (1, 2, 3)]
    _labels(axes, [m for m in labels if m[1] <= top], top)
    lo, hi = spectrum.band_hz
    _title(axes, f"Squared envelope spectrum of {lo:.0f} to {hi:.0f} Hz")
    axes.set_xlabel("Hz", fontsize=9)
    axes.set_ylabel("modulation depth, %", fontsize=9)


def _comb(
    axes: Axes,
    found: tuple[str, float, float],
    top: float,
    spectrum: EnvelopeSpectrum,
) -> None:
    """Expected places dashed, found lines dotted on their tops, harmonics numbered."""
    name, expected, at = found
    for k in range(1, HARMONICS + 1):
        if k * at > 0.97 * top:
            break
        axes.axvline(k * expected, color=FOUND, lw=0.8, ls=(0, (4, 4)), alpha=0.55, zorder=0)
        bin_ = round(k * at / spectrum.resolution_hz)
        lo = max(0, bin_ - 2)
        level = 100.0 * float(spectrum.depth[lo : bin_ + 3].max(initial=0.0))
        axes.plot([k * at], [level], "o", ms=4, color=FOUND)
        text = f"{name} {at:.2f} Hz" if k == 1 else f"{k}×{name}"
        axes.annotate(
            text, (k * at, level), (4, 5), textcoords="offset points", fontsize=8.5, color=FOUND
        )
    axes.text(
        0.995, 0.97, f"dashed: {name} by geometry, {expected:.2f} Hz", transform=axes.transAxes,
        ha="right", va="top", fontsize=8.5, color=FOUND, bbox={"fc": "white", "ec": "none"},
    )  # fmt: skip


def _sidebands(axes: Axes, carrier_hz: float, shaft_hz: float, top: float) -> None:
    """Mark the shaft's sidebands: a defect that turns passes the load zone once a turn."""
    places = [k * carrier_hz + s * shaft_hz for k in (1, 2, 3) for s in (-1, 1)]
    inside = [f for f in places if f <= top]
    axes.plot(
        inside, [0.03] * len(inside), "^", ms=4, color=SHAFT,
        transform=axes.get_xaxis_transform(), clip_on=False,
    )  # fmt: skip
    axes.text(
        0.995, 0.86, "▲ 1× sidebands", transform=axes.transAxes, ha="right", va="top",
        fontsize=8.5, color=SHAFT, bbox={"fc": "white", "ec": "none"},
    )  # fmt: skip


def _labels(axes: Axes, marks: Sequence[tuple[str, float, str]], top: float) -> None:
    """Faint lines with names at the top, in rows where they would run into each other."""
    ends = [-math.inf, -math.inf, -math.inf]
    for name, hz, colour in sorted(marks, key=lambda m: m[1]):
        half = 0.006 * top * len(name)
        row = next((i for i, end in enumerate(ends) if hz - half > end), None)
        axes.axvline(hz, color=colour, lw=0.7, alpha=0.6, zorder=0)
        if row is None:
            continue
        ends[row] = hz + half
        axes.text(
            hz, 0.99 - 0.075 * row, name, transform=axes.get_xaxis_transform(), ha="center",
            va="top", fontsize=8.5, color=colour, bbox={"fc": "white", "ec": "none", "pad": 0.6},
        )  # fmt: skip


def _velocity(axes: Axes, story: Story) -> None:
    spectrum = spectrum_of(np.asarray(story.x, np.float64), story.rate_hz)
    hz = np.arange(spectrum.lines.size) * spectrum.resolution_hz
    top = min(TOP_VELOCITY_HZ, story.rate_hz / 2.56)
    low = ISO_LOW_SLOW_HZ if story.rpm < SLOW_RPM else ISO_LOW_HZ
    keep = (hz >= low) & (hz <= top)
    mm_s = 1e3 * np.abs(spectrum.lines[keep]) / (np.sqrt(2.0) * 2.0 * np.pi * hz[keep])
    axes.plot(hz[keep], mm_s, color=INK, lw=0.9)
    axes.set_ylim(0.0, 1.25 * float(mm_s.max(initial=1e-6)))
    if story.known:
        orders = [(f"{k}×", k * story.shaft_hz, SHAFT) for k in (1, 2, 3, 4)]
        lines = story.point.lines
        others = [("mesh", lines.gear_mesh), ("blades", lines.blade_pass)]
        orders += [(n, o * story.rpm / 60.0, FAINT) for n, o in others if o == o]
        _labels(axes, [m for m in orders if low <= m[1] <= top], top)
    velocity, _ = spectrum.broad_band(story.rpm)
    reach = min(TOP_VELOCITY_HZ, story.rate_hz / 2.0)
    _title(axes, f"Velocity spectrum ({low:g} to {reach:g} Hz: {velocity:.3g} mm/s RMS)")
    axes.set_xlabel("Hz", fontsize=9)
    axes.set_ylabel("mm/s RMS", fontsize=9)


def _acceleration(axes: Axes, story: Story, envelope: EnvelopeSpectrum) -> None:
    x = np.asarray(story.x, np.float64)
    n = min(x.size, max(256, round(0.25 * story.rate_hz)))
    pieces = [x[i : i + n] for i in range(0, x.size - n + 1, max(1, n // 2))]
    power = np.mean([np.abs(spectrum_of(p, story.rate_hz).lines) ** 2 for p in pieces], axis=0)
    hz = np.arange(power.size) * story.rate_hz / n
    axes.plot(hz[1:], 10.0 * np.log10(np.maximum(power[1:], 1e-14)), color=INK, lw=0.9)
    axes.axvspan(*envelope.band_hz, color=FOUND, alpha=0.08, lw=0)
    _title(axes, "Acceleration spectrum (shaded: the demodulated band)")
    axes.set_xlabel("Hz", fontsize=9)
    axes.set_ylabel("dB re 1 m/s²", fontsize=9)
