"""Our detector with one part left out or replaced: what each part is worth on real recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.cli.evaluate.ours import STATE, Ours
from vibro.evaluation import Method, Unit

FLOOR = 1e-3


class OnePath(Ours):
    """Blocks of one path only."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.paths = (path,)


class Windows(Ours):
    """No blocks: the median over windows of -ln p, as a logarithm, of the worst channel and path.

    The p-value is the shipped one of a window, the smaller of the forest's and the distance's.
    """

    def statistic(self, unit: Unit) -> float:
        """Logarithm of the largest median surprise."""
        worst = max(
            float(np.median(-np.log(self._judged(path, rows)[1]), axis=0).max())
            for path, rows in (("fast", unit.fast), ("long", unit.long))
            if len(rows)
        )
        return float(np.log(max(worst, FLOOR)))

    def _judged(self, path: str, rows: Any) -> list[NDArray[np.float64]]:
        judged = [self._scorer.judge(path, window, STATE) for window in rows]
        return [np.array(column) for column in zip(*judged, strict=True)]


class ForestBlocks(Windows):
    """Blocks judged by the mean score of the forest instead of the distance.

    What is usual is taken from the very units that the forest was fitted on.
    """

    def fit(self, units: Sequence[Unit]) -> None:
        """Train, then take mean and deviation of the blocks' scores."""
        super().fit(units)
        self._usual = {}
        for path in ("fast", "long"):
            means = np.array([self._means(path, u) for u in units if len(getattr(u, path))])
            self._usual[path] = means.mean(axis=0), means.std(axis=0) + FLOOR

    def _means(self, path: str, unit: Unit) -> NDArray[np.float64]:
        return np.asarray(self._judged(path, getattr(unit, path))[0].mean(axis=0), np.float64)

    def statistic(self, unit: Unit) -> float:
        """Largest deviation of the mean score, of the worst channel and path."""
        found = []
        for path in ("fast", "long"):
            if len(getattr(unit, path)):
                mean, deviation = self._usual[path]
                found.append(((self._means(path, unit) - mean) / deviation).max())
        return float(max(found))


def ablated_methods() -> dict[str, Method]:
    """Variants of our detector, the shipped one first."""
    from cloud_jobs.retrain.train import Recipe  # noqa: PLC0415 (scikit-learn)

    plain = Recipe(whitening=False)
    return {
        "vibro": Ours(),
        "single windows instead of blocks": Windows(),
        "forest's score in blocks (whitened: oblique splits)": ForestBlocks(),
        "forest's score in blocks, not whitened: axis-parallel splits": ForestBlocks(plain),
        "distance, not whitened": Ours(plain),
        "no logarithms": Ours(Recipe(logarithms=False)),
        "fast path only": OnePath("fast"),
        "long path only": OnePath("long"),
    }
