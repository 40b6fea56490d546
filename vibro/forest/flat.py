"""An isolation forest as flat arrays of one fixed depth.

Children of a node stand side by side, so a node needs one child index; a leaf points to itself
with a threshold that is never exceeded, so that a walk of ``depth`` steps needs no test for a
leaf. F. T. Liu, K. M. Ting & Z.-H. Zhou, "Isolation Forest", ICDM 2008.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

EULER_GAMMA = 0.5772156649015329
MOST_NODES = 32767
"""Most nodes of a tree: a child is found by 15 bits from its root."""


def average_path(n: NDArray[Any] | float) -> NDArray[np.float64]:
    """c(n), the average path length of an unsuccessful search among ``n`` points (eq. 1)."""
    n = np.asarray(n, np.float64)
    safe = np.maximum(n, 2.0)
    c = 2.0 * (np.log(safe - 1.0 + (safe == 2.0)) + EULER_GAMMA) - 2.0 * (safe - 1.0) / safe
    return np.asarray(np.where(n <= 1.0, 0.0, np.where(n == 2.0, 1.0, c)))


@dataclass(frozen=True)
class FlatForest:
    """Flat arrays of a forest, trees one after the other, each breadth first.

    Attributes
    ----------
    feature : ndarray, int16, shape (nodes,)
        Column that a node looks at; 0 in a leaf.
    threshold : ndarray, float32, shape (nodes,)
        A value at or below it goes to ``left``, above it to ``left + 1``; +inf in a leaf.
    left : ndarray, int32, shape (nodes,)
        Index of the left child; a leaf's own index.
    length : ndarray, float32, shape (nodes,)
        In a leaf, its depth plus c(points in it); 0 elsewhere.
    roots : ndarray, int32, shape (trees,)
    depth : int
        Steps of a walk.
    features : int
        Columns of a row.
    normaliser : float
        trees x c(subsample): the score is 2^-(sum of lengths / normaliser).
    """

    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    length: NDArray[np.float32]
    roots: NDArray[np.int32]
    depth: int
    features: int
    normaliser: float

    @cached_property
    def arrays(self) -> tuple[Any, ...]:
        """What the kernels take of it: nodes (twice), length, roots, depth, normaliser.

        A node is two words of 32 bits that lie together: its threshold, and its feature with its
        left child's distance from the root above it. They are handed over twice, as unsigned
        integers and as floats, over the same memory.
        """
        sizes = np.diff(np.append(self.roots, self.left.size))
        from_root = self.left - np.repeat(self.roots, sizes)
        nodes = np.empty((self.left.size, 2), np.int32)
        nodes[:, 0] = self.threshold.view(np.int32)
        nodes[:, 1] = from_root << 16 | self.feature
        words = nodes.ravel().view(np.uint32)
        return (
            words,
            words.view(np.float32),
            self.length,
            self.roots.view(np.uint32),
            self.depth,
            self.normaliser,
        )


def left_children(threshold: NDArray[np.float32], roots: NDArray[np.int32]) -> NDArray[np.int32]:
    """Left child of every node of trees that stand breadth first, a leaf's own index.

    Parameters
    ----------
    threshold : ndarray, float32, shape (nodes,)
        +inf in a leaf.
    roots : ndarray, int32, shape (trees,)
        Rising from 0.

    Raises
    ------
    ValueError
        If the nodes between two roots are not one whole tree.
    """
    inner = threshold < np.inf
    ends = np.append(roots, threshold.size)
    sizes = np.diff(ends)
    if ends[0] != 0 or (sizes < 1).any() or (sizes > MOST_NODES).any():
        raise ValueError(f"roots do not rise from 0 in steps of 1 to {MOST_NODES} nodes")
    # The k-th inner node of a tree has children 2k + 1 and 2k + 2 from its root.
    before: NDArray[np.int64] = np.cumsum(inner) - inner
    rank: NDArray[np.int64] = before - np.repeat(before[roots], sizes)
    left = np.where(inner, np.repeat(roots, sizes) + 2 * rank + 1, np.arange(threshold.size))
    children = 2 * np.add.reduceat(inner.astype(np.int64), roots)
    if (children != sizes - 1).any():
        raise ValueError("the nodes between two roots are not one whole tree")
    return np.asarray(left, np.int32)


def from_estimator(model: Any) -> FlatForest:
    """Flatten a fitted scikit-learn ``IsolationForest`` (told by its attributes, not its type).

    Scores agree with ``-model.score_samples`` to 1e-6: scikit-learn compares float32 rows with
    float64 thresholds; a threshold is rounded down to float32, which decides every float32 value
    the same way.
    """
    parts: list[tuple[NDArray[Any], ...]] = []
    roots, base, deepest = [], 0, 1
    columns = zip(model.estimators_, model.estimators_features_, strict=True)
    for estimator, chosen in columns:
        arrays, depth = _flatten(estimator.tree_, np.asarray(chosen), base)
        roots.append(base)
        base += len(arrays[0])
        deepest = max(deepest, depth)
        parts.append(arrays)
    feature, threshold, left, length = (np.concatenate(a) for a in zip(*parts, strict=True))
    trees = len(roots)
    return FlatForest(
        feature.astype(np.int16),
        threshold.astype(np.float32),
        left.astype(np.int32),
        length.astype(np.float32),
        np.array(roots, np.int32),
        deepest,
        int(model.n_features_in_),
        float(trees * average_path(float(model.max_samples_))),
    )


def _flatten(tree: Any, chosen: NDArray[Any], base: int) -> tuple[tuple[NDArray[Any], ...], int]:
    """Renumber one tree breadth first, so that siblings stand side by side."""
    levels = [np.zeros(1, np.int64)]
    while (inner := levels[-1][tree.children_left[levels[-1]] >= 0]).size:
        pairs = np.stack([tree.children_left[inner], tree.children_right[inner]], axis=1)
        levels.append(pairs.ravel())
    nodes = np.concatenate(levels)
    depths = np.repeat(np.arange(len(levels)), [level.size for level in levels])
    leaf = tree.children_left[nodes] < 0
    child = np.where(leaf, np.arange(nodes.size), 2 * np.cumsum(~leaf) - 1)
    split = np.asarray(tree.threshold[nodes], np.float64)
    down = split.astype(np.float32)
    down = np.where(down > split, np.nextafter(down, np.float32(-np.inf)), down)
    return (
        (
            np.where(leaf, 0, chosen[np.where(leaf, 0, tree.feature[nodes])]),
            np.where(leaf, np.float32(np.inf), down),
            child + base,
            np.where(leaf, depths + average_path(tree.n_node_samples[nodes]), 0.0),
        ),
        int(depths.max()),
    )
