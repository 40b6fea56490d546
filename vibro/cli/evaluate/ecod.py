"""ECOD: unlikely is what lies in the tail of many features' empirical distributions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Ecod:
    """Outlier detection by empirical cumulative distributions, without a parameter.

    Li, Zhao, Hu, Botta, Ionescu & Chen, "ECOD: Unsupervised outlier detection using empirical
    cumulative distribution functions", IEEE TKDE 35 (2022), Algorithm 1: of every feature the left
    tail F_l(z) = share of X <= z and the right tail F_r(z) = share of X >= z; O_left and O_right
    sum -ln F over the features, O_auto takes the left tail where a feature's skewness is negative,
    else the right one; the score is the largest of the three.

    Notes
    -----
    The paper scores the samples it was given. A new sample is scored as one more of them, so that
    no tail is empty: F = (1 + count) / (n + 1).
    """

    def fit(self, rows: Floats) -> Ecod:
        """Keep each feature's sorted values.

        Parameters
        ----------
        rows : ndarray, shape (n, features), n >= 1
        """
        self._sorted = np.sort(rows, axis=0)
        d = rows - rows.mean(axis=0)
        # The sign of the third moment is that of the skewness.
        self._left = (d**3).mean(axis=0) < 0.0
        return self

    def score(self, rows: Floats) -> Floats:
        """Larger is stranger; shape (m, features) -> (m,)."""
        n = len(self._sorted)
        columns = list(zip(self._sorted.T, rows.T, strict=True))
        below = np.stack([np.searchsorted(s, z, "right") for s, z in columns], axis=1)
        above = n - np.stack([np.searchsorted(s, z, "left") for s, z in columns], axis=1)
        left, right = (-np.log((1.0 + k) / (n + 1.0)) for k in (below, above))
        auto = np.where(self._left, left, right)
        return np.asarray(np.max([t.sum(axis=1) for t in (left, right, auto)], axis=0))
