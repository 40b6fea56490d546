"""Paired timing: everybody runs in every round, in turn, and is compared within the round.

Seconds are processor time of the whole process, so that what else the machine does in between
counts for nobody; all who race here compute, on one thread, and wait for nothing.
"""

from __future__ import annotations

import gc
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import VibroError

Work = Callable[[int], Any]
"""Does its item so many times."""

US = "us"
MOST_TIMES = 1 << 20
"""Repetitions in one timing, however short the work."""
SAMPLE_S = 2e-3
"""Aimed length of one timing: far above the clock's grain, far below a scheduler's slice."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who does the same job.

    Attributes
    ----------
    run : callable
        ``run(k)`` does ``k * items`` items.
    items : int
        Items (windows, rows) of one call, e.g. 64 for a batch of 64.
    """

    name: str
    run: Work
    items: int = 1


def repeated(call: Callable[[], Any]) -> Work:
    """Make work of a plain call."""

    def run(times: int) -> None:
        for _ in range(times):
            call()

    return run


def race(contenders: Iterable[Contender], rounds: int) -> dict[str, NDArray[np.float64]]:
    """Time every contender in every round, interleaved.

    Parameters
    ----------
    contenders : iterable of Contender
        The order is turned about every other round.
    rounds : int

    Returns
    -------
    dict of str to ndarray, float64, shape (rounds,)
        Seconds of processor time an item.
    """
    everybody = list(contenders)
    times = {c.name: _calibrated(c) for c in everybody}
    seconds: dict[str, list[float]] = {c.name: [] for c in everybody}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for i in range(rounds):
            for c in everybody if i % 2 == 0 else reversed(everybody):
                k = times[c.name]
                started = time.process_time()
                c.run(k)
                seconds[c.name].append((time.process_time() - started) / (k * c.items))
    finally:
        if collecting:
            gc.enable()
    return {name: np.array(values) for name, values in seconds.items()}


def _calibrated(c: Contender) -> int:
    """Repetitions that last about `SAMPLE_S`; the first calls also compile and warm up."""
    c.run(1)
    c.run(1)
    k = 1
    while True:
        started = time.process_time()
        c.run(k)
        took = time.process_time() - started
        if took >= SAMPLE_S / 4:
            return max(1, round(k * SAMPLE_S / took))
        if k >= MOST_TIMES:
            return k
        k *= 4


def case(
    name: str, seconds: Mapping[str, NDArray[np.float64]], unit: str = US, ours: str = "vibro"
) -> dict[str, Any]:
    """One entry of ``cases``: our figures, and each peer's with the paired ratio ours / theirs."""
    factor = {"us": 1e6, "ms": 1e3, "s": 1.0}[unit]
    peers = {}
    for peer, values in seconds.items():
        if peer == ours:
            continue
        paired = seconds[ours] / values
        lo, hi = np.quantile(paired, (0.1, 0.9))
        peers[peer] = {
            **spread(values * factor),
            "ratio": _round(float(np.median(paired))),
            "ratio_p10": _round(float(lo)),
            "ratio_p90": _round(float(hi)),
        }
    return {"case": name, "unit": unit, "vibro": spread(seconds[ours] * factor), "peers": peers}


def target(name: str, value: float, op: str, limit: float) -> dict[str, Any]:
    """One entry of ``targets``."""
    met = value <= limit if op == "<=" else value >= limit
    return {"name": name, "value": _round(value), "op": op, "target": limit, "met": bool(met)}


def agree(what: str, ours: Any, theirs: Any, tolerance: float) -> None:
    """Check that two results are the same before anybody is timed.

    Raises
    ------
    VibroError
        If the largest difference, relative to the largest magnitude, is above ``tolerance``.
    """
    a, b = np.asarray(ours, np.complex128), np.asarray(theirs, np.complex128)
    if a.shape != b.shape:
        raise VibroError(f"bench: {what}: results have shapes {a.shape} and {b.shape}")
    worst = float(np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-300))
    if not worst <= tolerance:
        raise VibroError(f"bench: {what}: results differ by {worst:.2g} of the largest: no race")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": _processor(),
        "python": platform.python_version(),
        "system": platform.system(),
        "threads": 1,
    }


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def spread(values: NDArray[np.float64]) -> dict[str, float]:
    """Median with the tenth and ninetieth percentile."""
    lo, mid, hi = np.quantile(values, (0.1, 0.5, 0.9))
    return {"median": _round(float(mid)), "p10": _round(float(lo)), "p90": _round(float(hi))}


def _round(value: float) -> float:
    return float(f"{value:.4g}")
