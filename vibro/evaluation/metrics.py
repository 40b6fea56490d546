"""Figures of merit, and the limit above which a statistic alarms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FALSE_ALARM_SHARE = 0.01
"""Share of healthy recordings that the alarm limit aims at."""


def area_under_curve(normal: NDArray[np.floating], fault: NDArray[np.floating]) -> float:
    """Probability that a faulty value exceeds a normal one, ties counted half.

    Parameters
    ----------
    normal, fault : ndarray, shape (n,), (m,)
        Larger is worse. Infinities are ordered; NaN is not allowed.

    Returns
    -------
    float
        NaN when either is empty. It is the Mann-Whitney U over n m (Hanley & McNeil, Radiology
        143, 1982).
    """
    if not len(normal) or not len(fault):
        return math.nan
    n, f = np.sort(np.asarray(normal, float)), np.asarray(fault, float)
    below = np.searchsorted(n, f, "left")
    equal = np.searchsorted(n, f, "right") - below
    return float((below + 0.5 * equal).sum() / (n.size * f.size))


def prediction_limit(
    values: Sequence[float] | NDArray[np.floating], share: float = FALSE_ALARM_SHARE
) -> float:
    """Limit that one more healthy value exceeds with probability ``share``.

    Student's prediction limit ``mean + t sd sqrt(1 + 1/n)`` of a normal variable whose mean and
    deviation were estimated from these n values: with few values it moves out by itself.

    Raises
    ------
    ValueError
        With fewer than three values.
    """
    from scipy.stats import t  # noqa: PLC0415 (slow to import, and never needed at the edge)

    v = np.asarray(values, float)
    if v.size < 3:
        raise ValueError(f"{v.size} healthy values are too few for a limit: at least 3")
    reach = float(t.ppf(1.0 - share, v.size - 1)) * math.sqrt(1.0 + 1.0 / v.size)
    return float(v.mean() + reach * v.std(ddof=1))
