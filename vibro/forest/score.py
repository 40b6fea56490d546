"""Scoring in numba: several trees are walked at once, a fixed number of steps each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.forest.flat import FlatForest
from vibro.jit import njit, only


@njit(error_model="numpy", forceinline=True)
def _step(row, words, floats, root, at):  # type: ignore[no-untyped-def] # scalars
    """Go from a node to its child; NaN goes to the left."""
    word = words[2 * at + 1]
    return root + (word >> 16) + np.int32(row[word & 0xFFFF] > floats[2 * at])


@njit(error_model="numpy")
def total_length(row: Any, words: Any, floats: Any, length: Any, roots: Any, depth: int) -> float:
    """Sum over trees of the path lengths of one row; NaN goes to the left child everywhere."""
    trees = roots.shape[0]
    together = trees - trees % 8
    total = 0.0
    # Eight independent walks hide each other's memory latency.
    for t in range(0, together, 8):
        r0, r1, r2, r3 = roots[t], roots[t + 1], roots[t + 2], roots[t + 3]
        r4, r5, r6, r7 = roots[t + 4], roots[t + 5], roots[t + 6], roots[t + 7]
        a, b, c, d, e, f, g, h = r0, r1, r2, r3, r4, r5, r6, r7
        for _ in range(depth):
            a, b = _step(row, words, floats, r0, a), _step(row, words, floats, r1, b)
            c, d = _step(row, words, floats, r2, c), _step(row, words, floats, r3, d)
            e, f = _step(row, words, floats, r4, e), _step(row, words, floats, r5, f)
            g, h = _step(row, words, floats, r6, g), _step(row, words, floats, r7, h)
        total += (length[a] + length[b]) + (length[c] + length[d])
        total += (length[e] + length[f]) + (length[g] + length[h])
    for t in range(together, trees):
        a = roots[t]
        for _ in range(depth):
            a = _step(row, words, floats, roots[t], a)
        total += length[a]
    return total


@njit(error_model="numpy")
def as_score(total: float, normaliser: float) -> np.float32:
    """Anomaly score 2^(-E[h] / c) in (0, 1]; higher is worse (Liu et al., eq. 2)."""
    return np.float32(np.exp2(-total / normaliser))


@njit(variant=only, cache=True, error_model="numpy")
def _lengths(rows: Any, forest: Any, totals: Any, scores: Any) -> None:
    words, floats, length, roots, depth, normaliser = forest
    for i in range(rows.shape[0]):
        totals[i] = total_length(rows[i], words, floats, length, roots, depth)
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
