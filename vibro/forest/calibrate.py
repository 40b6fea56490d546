"""From a statistic to a p-value: empirical in the body, exponential in the tail.

The tail beyond the 90 % quantile of held-out healthy values is an exponential fitted to the
exceedances, one a block of time (a generalised Pareto with shape 0; J. Pickands, Ann. Statist. 3,
1975), widened by one standard error of its scale: with few vectors a p-value is rather too large
than too small.
It falls for ever, so that what is farther out is always worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.jit import njit

TAIL_SHARE = 0.1
LEAST_P = 1e-30


@dataclass(frozen=True, slots=True)
class Tail:
    """Calibration of one statistic whose larger values are worse.

    Attributes
    ----------
    knots : ndarray, float64, shape (k,)
        Rising values of the statistic in the body.
    p : ndarray, float64, shape (k,)
        Share of healthy values at or above each knot, falling to ``TAIL_SHARE``.
    scale : float
        Mean exceedance beyond the last knot.
    effective_n : int
        Independent healthy values it rests on.
    """

    knots: NDArray[np.float64]
    p: NDArray[np.float64]
    scale: float
    effective_n: int

    @property
    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """What the kernels take of it, in their order."""
        return self.knots, self.p, self.scale

    def p_value(self, value: NDArray[np.floating]) -> NDArray[np.float64]:
        """P-value of a statistic, any shape; NaN gives 1 (nothing can be said)."""
        v = np.asarray(value, np.float64)
        out = np.empty(v.size)
        _tail_p_values(v.ravel(), *self.arrays, out)
        return out.reshape(v.shape)


@njit(error_model="numpy")
def tail_p(value: float, knots: Any, p: Any, scale: float) -> Any:
    """P-value of one statistic: between knots by straight lines, beyond the last by the tail."""
    last = knots.shape[0] - 1
    if not value > knots[0]:
        return 1.0 if value != value else min(p[0], 1.0)
    if value > knots[last]:
        return max(p[last] * np.exp(-(value - knots[last]) / scale), LEAST_P)
    lo, hi = 0, last
    while hi - lo > 1:
        middle = (lo + hi) // 2
        if knots[middle] < value:
            lo = middle
        else:
            hi = middle
    share = (value - knots[lo]) / (knots[hi] - knots[lo])
    return max(p[lo] + share * (p[hi] - p[lo]), LEAST_P)


@njit(cache=True, error_model="numpy")
def _tail_p_values(values: Any, knots: Any, p: Any, scale: float, out: Any) -> None:
    for i in range(values.shape[0]):
        out[i] = tail_p(values[i], knots, p, scale)


def fit_tail(values: NDArray[np.floating], blocks: NDArray[np.integer] | None = None) -> Tail:
    """Fit a calibration to held-out healthy values of a statistic.

    Parameters
    ----------
    values : ndarray, shape (n,), n >= 10
    blocks : ndarray of int, shape (n,), optional
        Number of the stretch of time that each value belongs to. Values of one block resemble
        each other (windows overlap, machines drift), so a block counts once: the tail is fitted
        to the largest of each (S. Coles, An Introduction to Statistical Modeling of Extreme
        Values, 2001, section 5.3.2), and their number is the effective sample size. By default
        every value is a block of its own.

    Raises
    ------
    ValueError
        With fewer than 10 finite values.
    """
    known = np.isfinite(values)
    v = np.asarray(values, np.float64)[known]
    if v.size < 10:
        raise ValueError(f"{v.size} healthy values are too few to calibrate on: at least 10")
    _, block = np.unique(
        np.arange(v.size) if blocks is None else blocks[known], return_inverse=True
    )
    levels = np.linspace(0.0, 1.0 - TAIL_SHARE, 19)
    knots = np.quantile(v, levels)
    knots = np.maximum.accumulate(knots + np.arange(knots.size) * 1e-12 * max(1.0, abs(knots[-1])))
    largest = np.full(block.max() + 1, -np.inf)
    np.maximum.at(largest, block, v)
    beyond = largest[largest > knots[-1]] - knots[-1]
    mean = float(beyond.mean()) if beyond.size else 0.0
    spread = float(knots[-1] - np.median(v))
    # A tail that is shorter than a tenth of the body's width is an accident of the draw.
    widened = mean * (1.0 + 1.0 / np.sqrt(max(1.0, TAIL_SHARE * largest.size)))
    return Tail(knots, 1.0 - levels, max(widened, 0.1 * spread, 1e-9), int(largest.size))
