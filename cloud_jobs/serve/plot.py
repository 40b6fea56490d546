"""Line plots as SVG text: drawn by the server, coloured by the page's style sheet.

A plot says its scales in data attributes, so that the page's script can read values under the
pointer; it needs no library and no network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.serve.scales import clock_ticks, thinned, ticks

Floats = NDArray[Any]
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 920.0, 58.0, 12.0, 24.0, 30.0


@dataclass(frozen=True, slots=True)
class Line:
    """One curve; `style` picks its colour (0, 1, 2, ...)."""

    x: Floats
    y: Floats
    name: str = ""
    style: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at ``x`` with a label above; `kind` is a class of the style sheet."""

    x: float
    label: str
    kind: str = "line"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line at ``y``."""

    y: float
    label: str
    kind: str = "level"


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded span of ``x``."""

    lo: float
    hi: float
    kind: str = "watch"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """What to draw; NaN in a curve is a gap.

    Attributes
    ----------
    order_hz : float
        Where not zero, the pointer's readout also gives x as a multiple of it.
    time0_ns : int
        Where not zero, x is seconds since this instant (UTC) and ticks are clock times.
    name : str
        Name of the x axis: plots of one name are zoomed together.
    """

    title: str
    x_unit: str
    y_unit: str
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    levels: Sequence[Level] = ()
    bands: Sequence[Band] = ()
    height: float = 220.0
    x_range: tuple[float, float] | None = None
    y_floor: float | None = None
    order_hz: float = 0.0
    time0_ns: int = 0
    name: str = ""


def svg(plot: Plot) -> str:
    """Draw a plot; one SVG element without outer whitespace."""
    x0, x1 = plot.x_range or _x_range(plot)
    y0, y1 = _y_range(plot, x0, x1)
    frame = _Frame(x0, x1, y0, y1, plot.height)
    parts = [
        _open(plot, frame),
        *(_band(b, frame) for b in plot.bands if b.hi > x0 and b.lo < x1),
        *_grid(plot, frame),
        *(_level(v, frame) for v in plot.levels if y0 <= v.y <= y1),
        *_marks([m for m in plot.marks if x0 <= m.x <= x1], frame),
        *(_curve(line, frame) for line in plot.lines),
        *_legend(plot, frame),
        f'<line class="cursor" y1="{TOP}" y2="{plot.height - BOTTOM:.0f}"/>',
        "</svg>",
    ]
    return "".join(parts)


def sparkline(y: Floats, high: float, width: float = 120.0, height: float = 22.0) -> str:
    """Draw a curve without axes between 0 and ``high``."""
    y = np.asarray(y, float)
    if not np.isfinite(y).any():
        return ""
    x = np.linspace(1.0, width - 1.0, max(2, len(y)))[: len(y)]
    level = height - 2.0 - np.clip(y / high, 0.0, 1.0) * (height - 4.0)
    return (
        f'<svg class="spark" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" aria-hidden="true"><path d="{_path(x, level)}"/></svg>'
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    x0: float
    x1: float
    y0: float
    y1: float
    height: float

    def x(self, value: Any) -> Any:
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: Any) -> Any:
        span = self.height - TOP - BOTTOM
        return self.height - BOTTOM - (value - self.y0) / (self.y1 - self.y0) * span


def _x_range(plot: Plot) -> tuple[float, float]:
    ends = [v for line in plot.lines if len(line.x) for v in (line.x[0], line.x[-1])]
    lo, hi = (float(min(ends)), float(max(ends))) if ends else (0.0, 1.0)
    return (lo, hi) if hi > lo else (lo - 0.5, lo + 0.5)


def _y_range(plot: Plot, x0: float, x1: float) -> tuple[float, float]:
    values = [line.y[(line.x >= x0) & (line.x <= x1)] for line in plot.lines]
    seen = np.concatenate([v[np.isfinite(v)] for v in values]) if values else np.empty(0)
    lo, hi = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
    # A limit just above the data belongs in the picture, one far away would flatten it.
    near = [v.y for v in plot.levels if v.y <= hi + 1.5 * max(hi - lo, 0.3 * abs(hi))]
    hi = max([hi, *near])
    if plot.y_floor is not None:
        lo = min(plot.y_floor, lo)
    pad = 0.06 * (hi - lo) if hi > lo else 0.5 * abs(hi) + 0.5
    return (lo if lo == plot.y_floor else lo - pad), hi + pad


def _open(plot: Plot, frame: _Frame) -> str:
    data = {
        "x0": frame.x0,
        "x1": frame.x1,
        "y0": frame.y0,
        "y1": frame.y1,
        "order": plot.order_hz,
        "time0": plot.time0_ns // 10**6,
    }
    said = "".join(f' data-{k}="{v:.10g}"' for k, v in data.items())
    said += f' data-xunit="{escape(plot.x_unit)}" data-yunit="{escape(plot.y_unit)}"'
    said += f' data-name="{escape(plot.name)}"'
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {plot.height:.0f}" role="img" '
        f'aria-label="{escape(plot.title)}"{said}>'
        f'<text class="title" x="{LEFT:.0f}" y="14">{escape(plot.title)}'
        f'<tspan class="unit" dx="8">{escape(plot.y_unit)}</tspan></text>'
        f'<text class="unit" x="{WIDTH - RIGHT:.0f}" y="{plot.height - 3:.0f}" '
        f'text-anchor="end">{escape(plot.x_unit)}</text>'
    )


def _grid(plot: Plot, frame: _Frame) -> list[str]:
    bottom = frame.height - BOTTOM
    parts = []
    for value, label in _x_ticks(plot, frame):
        x = frame.x(value)
        anchor = "end" if x > WIDTH - RIGHT - 3.2 * len(label) else "middle"
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom:.1f}"/>'
            f'<text class="tick" x="{x:.1f}" y="{bottom + 13:.1f}" text-anchor="{anchor}">'
            f"{label}</text>"
        )
    for value in ticks(frame.y0, frame.y1, 4):
        y = frame.y(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">'
            f"{value:.4g}</text>"
        )
    return parts


def _x_ticks(plot: Plot, frame: _Frame) -> list[tuple[float, str]]:
    if plot.time0_ns:
        return clock_ticks(frame.x0, frame.x1, plot.time0_ns)
    return [(v, f"{v:.6g}") for v in ticks(frame.x0, frame.x1, 10)]


def _curve(line: Line, frame: _Frame) -> str:
    inside = (line.x >= frame.x0) & (line.x <= frame.x1)
    x, y = thinned(np.asarray(line.x)[inside], np.asarray(line.y, float)[inside], 800)
    path = _path(frame.x(x), frame.y(y))
    return f'<path class="curve s{line.style}" d="{path}"><title>{escape(line.name)}</title></path>'


def _path(x: Floats, y: Floats) -> str:
    words, pen = [], "M"
    for px, py in zip(x.tolist(), y.tolist(), strict=True):
        if not math.isfinite(py):
            pen = "M"
            continue
        words.append(f"{pen}{px:.1f} {py:.1f}")
        pen = "L"
    return "".join(words)


def _band(band: Band, frame: _Frame) -> str:
    lo, hi = frame.x(max(band.lo, frame.x0)), frame.x(min(band.hi, frame.x1))
    return (
        f'<rect class="band {band.kind}" x="{lo:.1f}" y="{TOP}" width="{max(1.5, hi - lo):.1f}" '
        f'height="{frame.height - TOP - BOTTOM:.1f}"><title>{escape(band.title)}</title></rect>'
    )


def _level(level: Level, frame: _Frame) -> str:
    y = frame.y(level.y)
    return (
        f'<line class="level {level.kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" '
        f'y2="{y:.1f}"/><text class="levelname {level.kind}" x="{WIDTH - RIGHT - 3}" '
        f'y="{y - 3:.1f}" text-anchor="end">{escape(level.label)}</text>'
    )


def _marks(marks: Sequence[Mark], frame: _Frame) -> list[str]:
    """Vertical lines; labels that would run into each other go to a second or third row."""
    ends = [-1e9, -1e9, -1e9]
    parts = []
    for mark in sorted(marks, key=lambda m: m.x):
        x = frame.x(mark.x)
        width = 6.2 * len(mark.label)
        row = next((i for i, end in enumerate(ends) if x - width / 2 > end + 4), None)
        label = ""
        if row is not None and mark.label:
            ends[row] = x + width / 2
            label = (
                f'<text class="markname {mark.kind}" x="{x:.1f}" y="{TOP + 9 + 11 * row:.1f}" '
                f'text-anchor="middle">{escape(mark.label)}</text>'
            )
        parts.append(
            f'<line class="mark {mark.kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" '
            f'y2="{frame.height - BOTTOM:.1f}"><title>{escape(mark.title or mark.label)}</title>'
            f"</line>{label}"
        )
    return parts


def _legend(plot: Plot, frame: _Frame) -> list[str]:
    del frame
    parts, x = [], WIDTH - RIGHT
    for line in reversed([line for line in plot.lines if line.name]):
        parts.append(
            f'<text class="legend" x="{x:.0f}" y="14" text-anchor="end">{escape(line.name)}</text>'
        )
        x -= 6.2 * len(line.name) + 4
        parts.append(
            f'<line class="curve s{line.style}" x1="{x - 16:.0f}" x2="{x - 2:.0f}" y1="10" '
            'y2="10"/>'
        )
        x -= 26
    return parts
