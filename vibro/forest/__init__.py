"""Isolation forests as flat arrays: exported, scored, explained and calibrated."""

from vibro.forest.calibrate import Tail, fit_tail
from vibro.forest.flat import FlatForest, average_path, from_estimator
from vibro.forest.score import path_lengths, score

__all__ = [
    "FlatForest",
    "Tail",
    "average_path",
    "fit_tail",
    "from_estimator",
    "path_lengths",
    "score",
]
