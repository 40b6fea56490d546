"""How far off a measured figure may be: 95 % intervals from few recordings.

Recordings, not windows, are what is counted: windows of one recording resemble each other.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95

Interval = tuple[float, float]
UNKNOWN: Interval = (math.nan, math.nan)


def share_interval(share: float, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """Two-sided interval of a share: Clopper & Pearson, Biometrika 26 (1934).

    Parameters
    ----------
    share : float
        What was seen, 0 to 1. A mean over rounds need not be a whole count of ``trials``: the
        bounds are quantiles of beta distributions, which do not ask for one.
    trials : int
        Recordings.

    Returns
    -------
    (float, float)
        NaN without trials.

    Raises
    ------
    ValueError
        If the share is not within 0 to 1.
    """
    tail = 0.5 * (1.0 - confidence)
    return _lower(share, trials, tail), upper_share(share, trials, 1.0 - tail)


def _lower(share: float, trials: int, tail: float) -> float:
    return 1.0 - upper_share(1.0 - share, trials, 1.0 - tail)


def upper_share(share: float, trials: int, confidence: float = CONFIDENCE) -> float:
    """One-sided upper bound of a share, as `share_interval`'s.

    Raises
    ------
    ValueError
        If the share is not within 0 to 1.
    """
    from scipy.special import betaincinv  # noqa: PLC0415 (slow to import)

    if not -1e-9 <= share <= 1.0 + 1e-9:
        raise ValueError(f"{share} is not a share")
    events = min(max(share, 0.0), 1.0) * trials
    if trials == 0:
        return math.nan
    if events >= trials:
        return 1.0
    return float(betaincinv(events + 1.0, trials - events, confidence))


def area_interval(area: float, normal: int, fault: int) -> Interval:
    """95 % interval of an area under the curve from ``normal`` and ``fault`` recordings.

    All areas that lie within 1.96 of their own standard errors of the one seen, so that an area of
    1 from few recordings does not claim to be certain. Newcombe, "Confidence intervals for an
    effect size measure based on the Mann-Whitney statistic. Part 2", Statistics in Medicine 25
    (2006) 559-573, method 5, on the variance of Hanley & McNeil, Radiology 143 (1982).

    Returns
    -------
    (float, float)
        NaN when the area is NaN or there is nothing of a kind.
    """
    if not (normal and fault) or math.isnan(area):
        return UNKNOWN
    return 1.0 - _highest(1.0 - area, normal, fault), _highest(area, normal, fault)


def _highest(area: float, normal: int, fault: int) -> float:
    """Largest area of which the one seen is within 1.96 standard errors."""
    low, high = area, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if middle - area <= 1.959964 * math.sqrt(_variance(middle, normal, fault)):
            low = middle
        else:
            high = middle
    return high


def _variance(area: float, normal: int, fault: int) -> float:
    """Hanley & McNeil's, the same for either class, at a true ``area``."""
    pairs = 0.5 * (normal + fault) - 1.0
    q = (1.0 - area) / (2.0 - area) + area / (1.0 + area)
    return area * (1.0 - area) * (1.0 + pairs * q) / (normal * fault)
