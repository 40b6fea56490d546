"""Ticks of an axis, and curves thinned to what a screen can show."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]


def ticks(lo: float, hi: float, most: int = 8) -> list[float]:
    """Round values in ``[lo, hi]``, at most ``most`` + 1 of them, 1-2-5 steps."""
    raw = (hi - lo) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1.0, 2.0, 5.0, 10.0) if s * power >= raw * (1 - 1e-9))
    first = math.ceil(lo / step - 1e-9)
    return [k * step for k in range(first, math.floor(hi / step + 1e-9) + 1)]


def clock_ticks(lo: float, hi: float, time0_ns: int) -> list[tuple[float, str]]:
    """Round instants in ``[lo, hi]`` (s after ``time0_ns``) with their clock times, UTC."""
    span = hi - lo
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
    step = next((s for s in steps if span / s <= 9), 86400 * math.ceil(span / 86400 / 9))
    start = time0_ns / 1e9
    first = math.ceil((start + lo) / step)
    at = [k * step for k in range(first, math.floor((start + hi) / step) + 1)]
    return [(t - start, _clock(t, step)) for t in at]


def _clock(seconds: float, step: float) -> str:
    stamp = np.datetime64(round(seconds), "s").item()
    form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86400 else "%d %b"
    return str(stamp.strftime(form))


def thinned(x: Floats, y: Floats, columns: int) -> tuple[Floats, Floats]:
    """Reduce a curve to the lowest and highest point of each of ``columns`` spans.

    No peak is lost; a curve of up to four points a column stays as it is.
    """
    if len(x) <= 4 * columns:
        return x, y
    edges = np.linspace(0, len(x), columns + 1).astype(int)[:-1]
    known = np.where(np.isfinite(y), y, 0.0)
    picked = []
    for lo, hi in zip(edges, [*edges[1:], len(x)], strict=True):
        picked += sorted({lo + int(known[lo:hi].argmin()), lo + int(known[lo:hi].argmax())})
    return x[picked], y[picked]
