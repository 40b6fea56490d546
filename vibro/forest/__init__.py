"""Isolation forests as flat arrays: exported, scored, explained and calibrated."""

from vibro.forest.calibrate import Tail, fit_tail
from vibro.forest.flat import FlatForest, average_path, from_estimator
from vibro.forest.lasting import BLOCK, Lasting, fit_lasting
from vibro.forest.score import path_lengths, score

__all__ = [
    "BLOCK",
    "FlatForest",
    "Lasting",
    "Tail",
    "average_path",
    "fit_lasting",
    "fit_tail",
    "from_estimator",
    "path_lengths",
    "score",
]
