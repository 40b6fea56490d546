"""How values are said on the page: times, ages, numbers, faults and severities."""

from __future__ import annotations

import math
import time

from vibro import text
from vibro.faults import Fault, Severity

FAULT_WORDS = {
    Fault.BEARING_OUTER: "bearing, outer race",
    Fault.BEARING_INNER: "bearing, inner race",
    Fault.BEARING_BALL: "bearing, rolling element",
    Fault.BEARING_CAGE: "bearing, cage",
    Fault.GEAR_MESH: "gear mesh wear",
    Fault.GEAR_TOOTH: "gear tooth",
    Fault.ONE_X_FAMILY: "1× family (imbalance, bend, resonance)",
    Fault.FLATLINE: "sensor flat line",
    Fault.CLIPPING: "sensor clipping",
    Fault.DROPOUT: "sensor dropouts",
    Fault.BIAS: "sensor bias",
    Fault.SPIKE: "sensor spikes",
    Fault.DETACHED: "sensor detached",
    Fault.UNKNOWN: "type uncertain",
}


def fault_words(fault: str) -> str:
    """Say a fault in the analyst's words."""
    known = Fault(fault)
    return FAULT_WORDS.get(known, known.value.replace("_", " "))


def severity_word(severity: float | None) -> str:
    """Return the ladder's word, ``none`` for an unknown severity."""
    if severity is None or not math.isfinite(severity):
        return "none"
    return Severity(round(severity)).word


def clock(t_ns: int | None) -> str:
    """UTC time of day."""
    return "–" if not t_ns else time.strftime("%H:%M:%S", time.gmtime(t_ns // 10**9))


def stamp(t_ns: int | None) -> str:
    """UTC date and time."""
    return "–" if not t_ns else text.stamp(t_ns)


def span(seconds: float) -> str:
    """Say a duration with the two units that matter."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    return f"{int(seconds // 86400)} d {int(seconds % 86400 // 3600)} h"


def number(value: float | None, digits: int = 3) -> str:
    """Say a number with so many significant digits; a dash for what was not measured."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"


def big(value: float) -> str:
    """Say a count with its SI prefix."""
    for limit, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g} {sign}"
    return f"{value:.0f} "


def tiny(p: float | None) -> str:
    """Say a p-value: small ones as a power of ten."""
    if p is None or not math.isfinite(p):
        return "–"
    if p < 1e-12:
        return "< 1e-12"
    return f"{p:.1e}" if p < 1e-3 else f"{p:.3f}"


def chance(p: float | None) -> str:
    """Say a probability; nothing is quite certain."""
    if p is None or not math.isfinite(p):
        return "–"
    return "> 0.99" if p > 0.99 else f"{p:.2f}"
