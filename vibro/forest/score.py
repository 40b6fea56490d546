"""Scoring in numba: several trees are walked at once, a fixed number of steps each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.forest.flat import FlatForest
from vibro.jit import njit, only

# A signed index could count from an array's end: numba asks at every access. Unsigned ones cannot.
_1, _2, _16, _FEATURE = np.uint64(1), np.uint64(2), np.uint64(16), np.uint64(0xFFFF)
RUN = 64
"""Rows that go through all trees together."""


@njit(error_model="numpy", forceinline=True)
def _step(row, words, floats, root, at):  # type: ignore[no-untyped-def] # scalars
    """Go from a node to its child; NaN goes to the left."""
    word = np.uint64(words[_2 * at + _1])
    return root + (word >> _16) + np.uint64(row[word & _FEATURE] > floats[_2 * at])


@njit(error_model="numpy")
def total_length(row: Any, words: Any, floats: Any, length: Any, roots: Any, depth: int) -> float:
    """Sum over trees of the path lengths of one row; NaN goes to the left child everywhere.

    Path lengths are float32 and 0 or at least 1: their sum in float64 is exact in any order.
    """
    trees = roots.shape[0]
    together = trees - trees % 8
    total = 0.0
    # Eight independent walks hide each other's memory latency.
    for t in range(0, together, 8):
        r0, r1 = np.uint64(roots[t]), np.uint64(roots[t + 1])
        r2, r3 = np.uint64(roots[t + 2]), np.uint64(roots[t + 3])
        r4, r5 = np.uint64(roots[t + 4]), np.uint64(roots[t + 5])
        r6, r7 = np.uint64(roots[t + 6]), np.uint64(roots[t + 7])
        a, b, c, d, e, f, g, h = r0, r1, r2, r3, r4, r5, r6, r7
        for _ in range(depth):
            a, b = _step(row, words, floats, r0, a), _step(row, words, floats, r1, b)
            c, d = _step(row, words, floats, r2, c), _step(row, words, floats, r3, d)
            e, f = _step(row, words, floats, r4, e), _step(row, words, floats, r5, f)
            g, h = _step(row, words, floats, r6, g), _step(row, words, floats, r7, h)
        total += np.float64(length[a]) + np.float64(length[b])
        total += np.float64(length[c]) + np.float64(length[d])
        total += np.float64(length[e]) + np.float64(length[f])
        total += np.float64(length[g]) + np.float64(length[h])
    for t in range(together, trees):
        total += np.float64(length[_leaf(row, words, floats, np.uint64(roots[t]), depth)])
    return total


@njit(error_model="numpy", forceinline=True)
def _leaf(row, words, floats, root, depth):  # type: ignore[no-untyped-def]
    at = root
    for _ in range(depth):
        at = _step(row, words, floats, root, at)
    return at


@njit(error_model="numpy", forceinline=True)
def _add_lengths(rows, words, floats, length, root, depth, totals):  # type: ignore[no-untyped-def]
    """Add the path lengths of eight rows in one tree to their totals."""
    a = b = c = d = e = f = g = h = root
    r0, r1, r2, r3 = rows[0], rows[1], rows[2], rows[3]
    r4, r5, r6, r7 = rows[4], rows[5], rows[6], rows[7]
    for _ in range(depth):
        a, b = _step(r0, words, floats, root, a), _step(r1, words, floats, root, b)
        c, d = _step(r2, words, floats, root, c), _step(r3, words, floats, root, d)
        e, f = _step(r4, words, floats, root, e), _step(r5, words, floats, root, f)
        g, h = _step(r6, words, floats, root, g), _step(r7, words, floats, root, h)
    totals[0] += np.float64(length[a])
    totals[1] += np.float64(length[b])
    totals[2] += np.float64(length[c])
    totals[3] += np.float64(length[d])
    totals[4] += np.float64(length[e])
    totals[5] += np.float64(length[f])
    totals[6] += np.float64(length[g])
    totals[7] += np.float64(length[h])


@njit(error_model="numpy")
def as_score(total: float, normaliser: float) -> np.float32:
    """Anomaly score 2^(-E[h] / c) in (0, 1]; higher is worse (Liu et al., eq. 2)."""
    return np.float32(np.exp2(-total / normaliser))


@njit(variant=only, cache=True, error_model="numpy")
def _lengths(rows: Any, forest: Any, totals: Any, scores: Any) -> None:
    words, floats, length, roots, depth, normaliser = forest
    n = rows.shape[0]
    whole = n - n % 8
    # A tree stays in the first cache for all rows of a run, and the rows for all trees.
    for begin in range(0, whole, RUN):
        end = min(begin + RUN, whole)
        totals[begin:end] = 0.0
        for root in roots:
            for i in range(begin, end, 8):
                some, sums = rows[i : i + 8], totals[i : i + 8]
                _add_lengths(some, words, floats, length, np.uint64(root), depth, sums)
    for i in range(whole, n):
        totals[i] = total_length(rows[i], words, floats, length, roots, depth)
    for i in range(n):
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
