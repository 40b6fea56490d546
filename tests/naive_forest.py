"""Slow, plain twins of isolation forest scoring; nothing of vibro is used here."""

from __future__ import annotations

import math


def expected_path(n: int) -> float:
    """c(n): mean depth of an unsuccessful search in a binary tree of n points (Liu et al.)."""
    if n <= 1:
        return 0.0
    if n == 2:
        return 1.0
    harmonic = math.log(n - 1) + 0.5772156649015329
    return 2 * harmonic - 2 * (n - 1) / n


def walk_flat(forest, row) -> float:
    """Sum of path lengths of one row, walking each tree until a leaf points to itself."""
    total = 0.0
    for root in forest.roots.tolist():
        node = root
        while True:
            child = int(forest.left[node])
            if child == node:
                break
            beyond = float(row[forest.feature[node]]) > float(forest.threshold[node])
            node = child + 1 if beyond else child
        total += float(forest.length[node])
    return total


def score_fitted(model, row) -> float:
    """Score of one float32 row by a fitted scikit-learn forest, from its trees alone."""
    total = 0.0
    for estimator, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        tree, node, depth = estimator.tree_, 0, 0
        while tree.children_left[node] >= 0:
            right = float(row[columns[tree.feature[node]]]) > tree.threshold[node]
            node = int((tree.children_right if right else tree.children_left)[node])
            depth += 1
        total += depth + expected_path(int(tree.n_node_samples[node]))
    mean = total / len(model.estimators_)
    return 2.0 ** (-mean / expected_path(int(model.max_samples_)))
