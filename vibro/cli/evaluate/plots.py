"""Figures of the report as SVG text, coloured by its style sheet.

Every method has a scale of its own, so statistics are drawn as reaches: 0 where the healthy units
lie that the limit comes from, 1 at the limit. The axis is an inverse hyperbolic sine: linear around
the limit, logarithmic far beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.serve.scales import ticks
from vibro.evaluation import Judgement

Floats = NDArray[np.float64]

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 980.0, 132.0, 16.0, 22.0, 34.0
LANE, GAP, PANEL = 13.0, 14.0, 62.0
LEAST_GAP = 34.0
"""Pixels between two ticks."""
_DECADES = tuple(float(k * 10**d) for d in range(1, 9) for k in (1, 3))
_TICKS = (0.0, 1.0, 2.0, 5.0, *_DECADES, -1.0, -2.0, -5.0, *(-v for v in _DECADES))
_LANES = (("calibrate", "cal"), ("test", "test"), ("fault", "fault"))


def strips(judgements: Mapping[str, Judgement]) -> str:
    """Draw what every method said of every unit: one row a method, one lane a role."""
    lo, hi = _range(judgements)
    row = LANE * len(_LANES) + GAP
    height = TOP + row * len(judgements) + BOTTOM
    bottom = height - BOTTOM

    def at(v: float) -> float:
        place = (math.asinh(v) - math.asinh(lo)) / (math.asinh(hi) - math.asinh(lo))
        return LEFT + place * (WIDTH - LEFT - RIGHT)

    parts = [_open(height, "statistics of all units by method"), *_axis(at, lo, hi, bottom)]
    for i, (name, said) in enumerate(judgements.items()):
        y = TOP + i * row + GAP / 2
        parts.append(_text("name", 8, y + 1.5 * LANE + 4, name))
        parts.append(_line("rule", LEFT, WIDTH - RIGHT, y - GAP / 2, y - GAP / 2))
        for k, (role, kind) in enumerate(_LANES):
            values = getattr(said, role)
            middle = y + (k + 0.5) * LANE
            parts += [
                _dot(kind, at(_clip(v, lo, hi)), middle + _jitter(j), v > 1.0)
                for j, v in enumerate(values.tolist())
            ]
    limit = at(1.0)
    parts.append(_upright("limit", limit, TOP, bottom))
    parts.append(_text("limit", limit, TOP - 7, "alarm limit", "middle"))
    parts.append(_text("unit", WIDTH - RIGHT, height - 4, "reach (0 healthy mean, 1 limit)", "end"))
    return "".join([*parts, "</svg>"])


def runs(judgements: Mapping[str, Judgement], times: Sequence[float], counted: bool) -> str:
    """Draw a run to failure: one panel a method, its limit and where its alarm came to stay.

    Parameters
    ----------
    times : sequence of float
        Of the snapshots that calibrate and test: seconds, or numbers where ``counted``.
    """
    factor, unit = (1.0, "snapshots") if counted else _time_unit(times[-1] - times[0])
    x = np.asarray(times) / factor
    height = TOP + PANEL * len(judgements) + BOTTOM
    span = float(x[-1] - x[0]) or 1.0

    def across(v: float) -> float:
        return LEFT + (v - float(x[0])) / span * (WIDTH - LEFT - RIGHT)

    parts = [_open(height, "statistic over time by method")]
    bottom = height - BOTTOM
    for v in ticks(float(x[0]), float(x[-1]) or 1.0, 10) if len(x) > 1 else []:
        parts.append(_upright("grid", across(v), TOP, bottom))
        parts.append(_text("tick", across(v), bottom + 14, f"{v:.6g}", "middle"))
    for i, (name, said) in enumerate(judgements.items()):
        parts += _panel(name, said, x, across, TOP + i * PANEL, _range({name: said}))
    parts.append(_text("unit", WIDTH - RIGHT, height - 4, f"{unit} of the run", "end"))
    return "".join([*parts, "</svg>"])


def _panel(
    name: str,
    said: Judgement,
    x: Floats,
    across: Callable[[float], float],
    top: float,
    ends: tuple[float, float],
) -> list[str]:
    """One method's run."""
    lo, hi = (math.asinh(e) for e in ends)
    inner = PANEL - GAP

    def up(v: float) -> float:
        return top + GAP / 2 + inner * (1.0 - (math.asinh(_clip(v, *ends)) - lo) / (hi - lo))

    healthy = len(said.calibrate)
    values = np.concatenate([said.calibrate, said.test]).tolist()
    edge = across(float(x[min(healthy, len(x) - 1)]))
    parts = [
        f'<rect class="calibrates" x="{LEFT:.1f}" y="{top:.1f}" width="{edge - LEFT:.1f}" '
        f'height="{PANEL:.1f}"/>',
        _line("rule", LEFT, WIDTH - RIGHT, top, top),
        _text("name", 8, top + PANEL / 2 + 4, name),
        _line("limit", LEFT, WIDTH - RIGHT, up(1.0), up(1.0)),
        *(
            _dot("cal" if j < healthy else "run", across(float(x[j])), up(v), v > 1.0)
            for j, v in enumerate(values)
        ),
    ]
    if said.began is not None:
        at = across(float(x[healthy + said.began]))
        left = at > WIDTH - 160.0
        parts.append(_upright("alarm", at, top + 2, top + PANEL - 2))
        parts.append(
            _text(
                "alarm",
                at - 5 if left else at + 5,
                top + 12,
                "alarm stays",
                "end" if left else "start",
            )
        )
    return parts


def _range(judgements: Mapping[str, Judgement]) -> tuple[float, float]:
    """Reaches that the axis shows: the middle 99 % of each method, and the limit."""
    known = [np.concatenate([j.calibrate, j.test, j.fault]) for j in judgements.values()]
    finite = [v[np.isfinite(v)] for v in known]
    ends = [np.quantile(v, (0.005, 0.995)) for v in finite if v.size]
    lo = min([-1.0, *(float(e[0]) for e in ends)])
    hi = max([2.0, *(float(e[1]) for e in ends)])
    return max(lo, -1e6) * 1.1, min(hi, 1e8) * 1.15


def _clip(value: float, lo: float, hi: float) -> float:
    return min(max(value, lo), hi) if math.isfinite(value) else hi


def _jitter(i: int) -> float:
    """Pixels off the lane's middle, so that equal values are seen side by side."""
    return ((i * 7) % 5 - 2) * 1.1


def _axis(at: Callable[[float], float], lo: float, hi: float, bottom: float) -> list[str]:
    parts: list[str] = []
    taken: list[float] = []
    for value in _TICKS:
        if not lo <= value <= hi or any(abs(at(value) - t) < LEAST_GAP for t in taken):
            continue
        taken.append(at(value))
        parts.append(_upright("grid", at(value), TOP, bottom))
        parts.append(_text("tick", at(value), bottom + 14, f"{value:g}", "middle"))
    return parts


def _time_unit(span_s: float) -> tuple[float, str]:
    """Seconds of the unit that a run is best told in, and its name."""
    for seconds, word in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if span_s >= 2.0 * seconds:
            return seconds, word
    return 1.0, "seconds"


def _open(height: float, label: str) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(label)}">'
    )


def _text(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {where}>{escape(words)}</text>'


def _line(kind: str, x0: float, x1: float, y0: float, y1: float) -> str:
    return f'<line class="{kind}" x1="{x0:.1f}" x2="{x1:.1f}" y1="{y0:.1f}" y2="{y1:.1f}"/>'


def _upright(kind: str, x: float, y0: float, y1: float) -> str:
    return _line(kind, x, x, y0, y1)


def _dot(kind: str, x: float, y: float, alarmed: bool) -> str:
    """Filled where it alarms, hollow where not."""
    return f'<circle class="{kind}{" on" if alarmed else ""}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
