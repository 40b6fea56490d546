"""Plots as SVG: every peak is kept, every text escaped, every scale said."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cloud_jobs.serve.plot import LEFT, RIGHT, WIDTH, Band, Level, Line, Mark, Plot, sparkline, svg
from cloud_jobs.serve.scales import clock_ticks, thinned, ticks

FINITE = st.floats(-1e9, 1e9, allow_nan=False)


def drawn(plot: Plot) -> ET.Element:
    return ET.fromstring(svg(plot))  # noqa: S314 (our own text)


def classes(root: ET.Element, word: str) -> list[ET.Element]:
    return [e for e in root.iter() if word in e.get("class", "").split()]


@given(FINITE, st.floats(1e-3, 1e9))
def test_ticks_are_inside_evenly_spaced_and_neither_few_nor_many(lo, width):
    found = ticks(lo, lo + width)
    step = width / 8
    assert 3 <= len(found) <= 10
    assert min(found) >= lo - step
    assert max(found) <= lo + width + step
    assert np.ptp(np.diff(found)) <= 1e-6 * max(1.0, abs(lo))


@given(st.integers(801, 40_000), st.integers(0, 2**32 - 1))
def test_thinning_keeps_the_highest_and_lowest_point_in_order(n, seed):
    y = np.random.default_rng(seed).normal(size=n)
    x, kept = thinned(np.arange(n), y, 200)
    assert kept.max() == y.max()
    assert kept.min() == y.min()
    assert (np.diff(x) > 0).all()
    assert len(kept) <= max(800, 400)


def test_a_mark_stands_where_its_frequency_is():
    x = np.linspace(0.0, 500.0, 5001)
    plot = Plot("t", "Hz", "g", [Line(x, np.exp(-((x - 107.3) ** 2)))], marks=[Mark(107.3, "BPFO")])
    root = drawn(plot)
    (mark,) = classes(root, "mark")
    expected = LEFT + 107.3 / 500.0 * (WIDTH - LEFT - RIGHT)
    assert abs(float(mark.get("x1")) - expected) < 0.06
    points = re.findall(r"[ML]([\d.]+) ([\d.]+)", classes(root, "curve")[0].get("d"))
    peak_x = min(points, key=lambda p: float(p[1]))[0]
    assert abs(float(peak_x) - expected) < 0.2


def test_marks_bands_and_levels_outside_the_picture_are_not_drawn():
    line = Line(np.arange(10.0), np.arange(10.0))
    plot = Plot(
        "t", "s", "", [line], marks=[Mark(99.0, "out")], levels=[Level(1e6, "far")],
        bands=[Band(20.0, 30.0)],
    )  # fmt: skip
    root = drawn(plot)
    assert not classes(root, "mark")
    assert not classes(root, "level")
    assert not classes(root, "band")


def test_a_limit_just_above_the_data_belongs_in_the_picture():
    line = Line(np.arange(10.0), np.linspace(1.0, 1.2, 10))
    root = drawn(Plot("t", "s", "", [line], levels=[Level(1.4, "B")], y_floor=0.0))
    assert len(classes(root, "levelname")) == 1


def test_labels_that_would_run_into_each_other_take_rows():
    line = Line(np.arange(1000.0), np.zeros(1000))
    marks = [Mark(500.0 + i, f"label {i}") for i in range(4)]
    names = classes(drawn(Plot("t", "Hz", "", [line], marks=marks)), "markname")
    rows = [n.get("y") for n in names]
    assert len(rows) == len(set(rows)) == 3  # the fourth has its title only


def test_a_gap_in_the_data_breaks_the_curve():
    y = np.array([1.0, 2.0, np.nan, 3.0, 4.0])
    (curve,) = classes(drawn(Plot("t", "s", "", [Line(np.arange(5.0), y)])), "curve")
    assert curve.get("d").count("M") == 2


def test_every_text_is_escaped():
    nasty = "<script>&\"'"
    line = Line(np.arange(5.0), np.arange(5.0), nasty)
    plot = Plot(
        nasty, nasty, nasty, [line], [Mark(2.0, nasty, title=nasty)], [Level(1.0, nasty)],
        [Band(0.0, 1.0, title=nasty)], name=nasty,
    )  # fmt: skip
    assert "<script" not in svg(plot)
    drawn(plot)  # well-formed


def test_nothing_to_draw_is_an_empty_frame():
    empty = np.empty(0)
    assert drawn(Plot("t", "s", "", [])).get("data-x1") == "1"
    assert drawn(Plot("t", "s", "", [Line(empty, empty)])).get("data-x0") == "0"
    flat = drawn(Plot("t", "s", "", [Line(np.zeros(1), np.full(1, 5.0))]))
    assert float(flat.get("data-y0")) < 5.0 < float(flat.get("data-y1"))


def test_a_zoomed_plot_scales_y_to_what_it_shows():
    y = np.ones(1000)
    y[900] = 1e6
    root = drawn(Plot("t", "s", "", [Line(np.arange(1000.0), y)], x_range=(0.0, 100.0)))
    assert float(root.get("data-y1")) < 10.0


def test_clock_ticks_are_whole_steps_of_utc():
    t0 = 1_700_000_013 * 10**9
    for span in (5.0, 90.0, 3600.0, 86400.0, 40 * 86400.0):
        found = clock_ticks(0.0, span, t0)
        assert 1 <= len(found) <= 10
        assert all(0.0 <= at <= span for at, _ in found)
    (first, label), *_ = clock_ticks(0.0, 60.0, t0)
    assert (first, label) == (7.0, "22:13:40")


def test_a_sparkline_of_nothing_is_nothing():
    assert sparkline(np.array([np.nan, np.nan]), 1.0) == ""
    assert "M" in sparkline(np.array([0.2, np.nan, 0.4]), 1.0)
