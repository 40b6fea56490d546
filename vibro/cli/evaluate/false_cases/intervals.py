"""Intervals of rates: counts over an exposure, and shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vibro.evaluation.intervals import CONFIDENCE, Interval


def rate_interval(count: int, exposure: float, confidence: float = CONFIDENCE) -> Interval:
    """Two-sided exact interval of a Poisson rate: F. Garwood, Biometrika 28 (1936).

    Parameters
    ----------
    count : int
        What was seen.
    exposure : float
        Over how much, e.g. machine-months; infinite bounds without any.
    """
    from scipy.special import gammaincinv  # noqa: PLC0415 (slow to import)

    if exposure <= 0.0:
        return 0.0, math.inf
    tail = 0.5 * (1.0 - confidence)
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low / exposure, float(gammaincinv(count + 1.0, 1.0 - tail)) / exposure


def median_delay(delays: Sequence[float]) -> float | None:
    """Median of the delays, None where half or more are infinite (missed)."""
    ordered = sorted(delays)
    middle = ordered[len(ordered) // 2] if ordered else math.inf
    return None if math.isinf(middle) else middle
