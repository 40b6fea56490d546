"""How far a block of windows lies from healthy ones: what shows a fault that is small but stays.

Student's distribution is written out here because the edge has no scipy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 4
"""Sampled vectors, or at least so many windows, that make a block."""
LEAST_BLOCKS = 10
LEAST_SPREAD = 0.01
"""Least deviation of levels: one per cent of a distance, whatever the draw."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """How far healthy blocks of one channel in one state lie from its centre.

    A block is a stretch of several windows; its level the mean over them of ln(distance), the
    distance being the last feature code. Single windows scatter widely, means hardly: a small
    fault that stays shows in a block long before it shows in a window. Blocks rather than windows
    are what may be taken as nearly independent of each other.

    Attributes
    ----------
    center, scale : float
        Mean and standard deviation of the levels of healthy blocks that the geometry had not seen.
    effective_n : float
        Independent blocks these rest on: their number, less what neighbours share.
    """

    center: float
    scale: float
    effective_n: float

    def deviation(self, level: float) -> float:
        """How far a block's level lies above the usual, in standard deviations."""
        return (level - self.center) / self.scale

    def p_value(self, level: float) -> float:
        """P-value of one more block's level: Student's prediction of a normal variable.

        ``t = (level - mean) / (sd sqrt(1 + 1/n))`` with n - 1 degrees of freedom: with few blocks
        a deviation is believed less.
        """
        n = self.effective_n
        return student_tail(self.deviation(level) / math.sqrt(1.0 + 1.0 / n), n - 1.0)


def fit_lasting(levels: NDArray[np.floating]) -> Lasting | None:
    """Fit to the levels of healthy blocks in the order of time; None below 10 of them.

    What neighbours share is told by their correlation r: n blocks are worth n (1 - r) / (1 + r)
    independent ones (G. V. Bayley & J. M. Hammersley, J. R. Stat. Soc. Suppl. 8, 1946, for a
    first-order process), and the deviation is widened accordingly.
    """
    v = np.asarray(levels, np.float64)
    v = v[np.isfinite(v)]
    if v.size < LEAST_BLOCKS:
        return None
    d = v - v.mean()
    total = float(d @ d)
    r = max(0.0, float(d[1:] @ d[:-1]) / total) if total > 0.0 else 0.0
    n = max(3.0, v.size * (1.0 - r) / (1.0 + r))
    # The mean of a correlated series follows it, which hides part of its spread.
    spread = math.sqrt(total / v.size * n / (n - 1.0))
    return Lasting(float(v.mean()), max(spread, LEAST_SPREAD), n)


def student_tail(t: float, freedom: float) -> float:
    """P(T > t) of Student's distribution with any real degrees of freedom > 0.

    From the regularised incomplete beta function I_x(freedom / 2, 1 / 2) / 2 with
    x = freedom / (freedom + t^2) (Abramowitz & Stegun 26.7.1), by Lentz's continued fraction
    (26.5.8). NaN stays NaN.
    """
    if t != t:
        return math.nan
    whole = freedom + t * t
    half = 0.5 * _incomplete_beta(0.5 * freedom, 0.5, freedom / whole, t * t / whole)
    return half if t >= 0.0 else 1.0 - half


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """I_x(a, b); ``rest`` is 1 - x, which near 1 would be lost in x."""
    if x <= 0.0 or rest <= 0.0:
        return float(rest <= 0.0)
    front = math.exp(
        math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        + a * (math.log(x) if x < 0.5 else math.log1p(-rest))
        + b * math.log(rest)
    )
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, rest) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Continued fraction of the incomplete beta function, by Lentz's method."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / ((1.0 - (a + b) * x / (a + 1.0)) or tiny)
    found = d
    for m in range(1, 300):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / ((1.0 + term * d) or tiny)
            c = (1.0 + term / c) or tiny
            found *= c * d
        if abs(c * d - 1.0) < 1e-12:
            break
    return found
