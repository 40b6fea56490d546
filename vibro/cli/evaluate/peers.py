"""Detectors that ours is measured beside, on the same windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.evaluation import Unit
from vibro.features.table import FAST_NAMES

SEED = 0


class Level:
    """One feature against its healthy level: the threshold that every monitor has."""

    def __init__(self, feature: str) -> None:
        self._column = FAST_NAMES.index(feature)

    def fit(self, units: Sequence[Unit]) -> None:
        """Mean and deviation of the logarithm, a channel each."""
        levels = np.concatenate([self._levels(u) for u in units])
        self._mean, self._deviation = levels.mean(axis=0), levels.std(axis=0) + 1e-9

    def statistic(self, unit: Unit) -> float:
        """Deviation of the median window, of the worst channel."""
        z = (np.median(self._levels(unit), axis=0) - self._mean) / self._deviation
        return float(z.max())

    def _levels(self, unit: Unit) -> NDArray[np.float64]:
        return np.log(np.maximum(unit.fast[:, :, self._column].astype(np.float64), 1e-12))


class PerChannel:
    """A scikit-learn detector a channel, on the standardised fast features."""

    def __init__(self, make: Callable[[], Any], log: bool) -> None:
        self._make, self._log = make, log

    def fit(self, units: Sequence[Unit]) -> None:
        """Fit scaler and detector of each channel."""
        from sklearn.pipeline import make_pipeline  # noqa: PLC0415
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

        rows = np.concatenate([u.fast for u in units]).astype(np.float64)
        self._models = [
            make_pipeline(StandardScaler(), self._make()).fit(rows[:, c])
            for c in range(rows.shape[1])
        ]

    def statistic(self, unit: Unit) -> float:
        """Median over windows, of the worst channel."""
        rows = unit.fast.astype(np.float64)
        worst = max(float(np.median(self._score(m, rows[:, c]))) for c, m in self._each())
        return float(np.log(max(worst, 1e-9))) if self._log else worst

    def _each(self) -> list[tuple[int, Any]]:
        return list(enumerate(self._models))

    @staticmethod
    def _score(model: Any, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        last = model[-1]
        if hasattr(last, "mahalanobis"):
            return np.asarray(last.mahalanobis(model[:-1].transform(rows)))
        return np.asarray(-model.score_samples(rows))


def isolation_forest() -> Any:
    """scikit-learn's forest as it comes."""
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415

    return IsolationForest(n_estimators=100, random_state=SEED, n_jobs=1)


def ledoit_wolf() -> Any:
    """Shrunk covariance, whose distance is that of Mahalanobis."""
    from sklearn.covariance import LedoitWolf  # noqa: PLC0415

    return LedoitWolf()
