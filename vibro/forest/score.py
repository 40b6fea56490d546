"""Scoring in numba: several trees are walked at once, a fixed number of steps each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vibro.forest.flat import FlatForest


@njit(cache=True, error_model="numpy")
def _walk(
    rows: Any,
    feature: Any,
    threshold: Any,
    left: Any,
    length: Any,
    roots: Any,
    depth: int,
    out: Any,
) -> None:
    trees = roots.shape[0]
    paired = trees - trees % 4
    for i in range(rows.shape[0]):
        row = rows[i]
        total = 0.0
        # Four independent walks hide each other's memory latency.
        for t in range(0, paired, 4):
            a, b, c, d = roots[t], roots[t + 1], roots[t + 2], roots[t + 3]
            for _ in range(depth):
                a = left[a] + np.int32(row[feature[a]] > threshold[a])
                b = left[b] + np.int32(row[feature[b]] > threshold[b])
                c = left[c] + np.int32(row[feature[c]] > threshold[c])
                d = left[d] + np.int32(row[feature[d]] > threshold[d])
            total += length[a] + length[b] + length[c] + length[d]
        for t in range(paired, trees):
            a = roots[t]
            for _ in range(depth):
                a = left[a] + np.int32(row[feature[a]] > threshold[a])
            total += length[a]
        out[i] = total


def path_lengths(forest: FlatForest, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum over trees of the path lengths of rows, shape (n,).

    Parameters
    ----------
    rows : ndarray, float32, shape (n, features)
        NaN goes to the left child everywhere.
    """
    if rows.ndim != 2 or rows.shape[1] != forest.features:
        raise ValueError(f"rows of shape {rows.shape} do not have {forest.features} features")
    out = np.empty(rows.shape[0], np.float64)
    _walk(
        np.ascontiguousarray(rows, np.float32),
        forest.feature,
        forest.threshold,
        forest.left,
        forest.length,
        forest.roots,
        forest.depth,
        out,
    )
    return out


def score(forest: FlatForest, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Anomaly score 2^(-E[h] / c) in (0, 1], shape (n,); higher is worse (Liu et al., eq. 2)."""
    return np.exp2(-path_lengths(forest, rows) / forest.normaliser).astype(np.float32)
