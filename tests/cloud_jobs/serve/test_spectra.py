"""A clip's pictures: the lines stand where the machine's geometry says."""

from __future__ import annotations

import numpy as np
import pytest

from cloud_jobs.serve.plot import Line, Plot
from cloud_jobs.serve.spectra import amplitude_spectrum, clip_plots, envelope_lines, shaft_lines
from tests.cloud_jobs.builders import clip
from vibro.assets import Point
from vibro.kinematics import find_bearing
from vibro.records import Clip

RATE = 25600.0
RPM = 1500.0
POINT = Point("de-h", "DE", "H", bearing=find_bearing("6205"), gear_teeth=20, gear_mate_teeth=40)


def clip_of(x: np.ndarray) -> Clip:
    base = clip()
    counts = np.round(np.stack([x, x]) / 0.01).astype(np.int16)
    return Clip(
        base.id, base.origin, "event", "", 0, RATE, RPM, "run", ("de-h", "de-v"),
        np.full(2, 0.01, np.float32), counts,
    )  # fmt: skip


def impulses(hz: float, seconds: float = 3.0, seed: int = 3) -> np.ndarray:
    """Ringing at 4 kHz struck ``hz`` times a second, in noise."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    strikes = np.zeros(n)
    strikes[np.round(np.arange(0.01, seconds, 1 / hz) * RATE).astype(int)] = 40.0
    t = np.arange(400) / RATE
    ring = np.exp(-t * 800.0) * np.sin(2 * np.pi * 4000.0 * t)
    return np.convolve(strikes, ring)[:n] + rng.normal(0.0, 0.5, n)


def plots_of(found: Clip, reference: Clip | None = None) -> dict[str, Plot]:
    return {p.name: p for p in clip_plots(found, 0, POINT, [], reference)}


def peak_hz(line: Line, lo: float, hi: float) -> float:
    inside = (line.x > lo) & (line.x < hi)
    return float(line.x[inside][line.y[inside].argmax()])


def test_a_tone_has_its_amplitude_in_the_spectrum():
    t = np.arange(25600) / RATE
    hz, amplitude = amplitude_spectrum(3.0 * np.sin(2 * np.pi * 100.0 * t) + 7.0, RATE)
    assert amplitude.max() == pytest.approx(3.0, rel=1e-3)
    assert hz[amplitude.argmax()] == pytest.approx(100.0)


def test_the_velocity_spectrum_is_acceleration_over_omega_in_mm_s():
    t = np.arange(3 * 25600) / RATE
    x = 2.0 * np.sin(2 * np.pi * 125.0 * t)
    velocity = plots_of(clip_of(x))["velocity"].lines[-1]
    assert velocity.y.max() == pytest.approx(1e3 * 2.0 / (2 * np.pi * 125.0), rel=2e-3)


def test_the_envelope_spectrum_peaks_where_bpfo_is_marked():
    bpfo = POINT.lines.bpfo * RPM / 60.0
    plot = plots_of(clip_of(impulses(bpfo)))["envelope"]
    marked = [m.x for m in plot.marks if m.kind == "bpfo"]
    for k, mark in enumerate(marked, 1):
        assert mark == pytest.approx(k * bpfo)
        assert peak_hz(plot.lines[-1], mark - 8.0, mark + 8.0) == pytest.approx(mark, abs=0.5)


def test_the_commissioning_clip_is_drawn_beneath():
    quiet = clip_of(np.random.default_rng(1).normal(0.0, 0.5, 3 * 25600))
    plot = plots_of(clip_of(impulses(90.0)), quiet)["envelope"]
    before, now = plot.lines
    assert (before.name, now.name) == ("commissioning", "this clip")
    assert now.y.max() > 5.0 * before.y.max()


def test_lines_without_a_known_speed_are_not_marked():
    found = clip_of(impulses(90.0))
    unknown = Clip(*(getattr(found, f) if f != "rpm" else float("nan") for f in Clip.__slots__))
    assert not any(p.marks for p in clip_plots(unknown, 0, POINT, [], None))


def test_lines_are_those_of_the_points_geometry():
    bare = Point("de-h", "DE", "H")
    assert {ln.kind for ln in envelope_lines(bare)} == {"shaft"}
    names = {ln.name: ln.order for ln in envelope_lines(POINT)}
    assert names["BPFO"] == pytest.approx(3.5848, abs=1e-3)
    assert names["BPFI"] == pytest.approx(5.4152, abs=1e-3)
    mesh = [ln for ln in shaft_lines(POINT) if ln.kind in {"gear", "side"}]
    assert {round(ln.order, 6) for ln in mesh} == {20.0, 19.0, 21.0, 19.5, 20.5}
