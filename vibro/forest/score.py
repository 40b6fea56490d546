"""Scoring in numba: several trees are walked at once, a fixed number of steps each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vibro.forest.flat import FlatForest


@njit(error_model="numpy")
def total_length(
    row: Any, feature: Any, threshold: Any, left: Any, length: Any, roots: Any, depth: int
) -> float:
    """Sum over trees of the path lengths of one row; NaN goes to the left child everywhere."""
    trees = roots.shape[0]
    paired = trees - trees % 4
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
    return total


@njit(error_model="numpy")
def as_score(total: float, normaliser: float) -> np.float32:
    """Anomaly score 2^(-E[h] / c) in (0, 1]; higher is worse (Liu et al., eq. 2)."""
    return np.float32(np.exp2(-total / normaliser))


@njit(cache=True, error_model="numpy")
def _lengths(rows: Any, forest: Any, totals: Any, scores: Any) -> None:
    feature, threshold, left, length, roots, depth, normaliser = forest
    for i in range(rows.shape[0]):
        totals[i] = total_length(rows[i], feature, threshold, left, length, roots, depth)
        scores[i] = as_score(totals[i], normaliser)


def path_lengths(forest: FlatForest, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum over trees of the path lengths of rows, shape (n,).

    Parameters
    ----------
    rows : ndarray, float32, shape (n, features)
        NaN goes to the left child everywhere.
    """
    return _run(forest, rows)[0]


def score(forest: FlatForest, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Anomaly score 2^(-E[h] / c) in (0, 1], shape (n,); higher is worse (Liu et al., eq. 2)."""
    return _run(forest, rows)[1]


def _run(
    forest: FlatForest, rows: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    if rows.ndim != 2 or rows.shape[1] != forest.features:
        raise ValueError(f"rows of shape {rows.shape} do not have {forest.features} features")
    totals = np.empty(rows.shape[0], np.float64)
    scores = np.empty(rows.shape[0], np.float32)
    _lengths(np.ascontiguousarray(rows, np.float32), forest.arrays, totals, scores)
    return totals, scores
