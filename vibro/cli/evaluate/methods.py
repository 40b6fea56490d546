"""Detectors under one protocol: ours as it is shipped, and peers on the same windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.bundle import PathModel
from vibro.evaluation import Method, Unit
from vibro.features.table import FAST_NAMES
from vibro.forest import Tail, score
from vibro.records import ChannelPath

Floats = NDArray[np.float32]

SEED = 0
STATE = "on"


class Ours:
    """The product's own training and scoring: forests on whitened features, both paths.

    A window's surprise is -ln of its p-value by the bundle's calibration, without the floor at
    which stored p-values end: how far out a recording is must not saturate; the larger of the
    forest's and the radius's counts. The statistic is the median surprise over windows, of the
    channel and path where it is largest, as a logarithm.
    """

    def fit(self, units: Sequence[Unit]) -> None:
        """Train one bundle, as the cloud does for a site and machine class."""
        from cloud_jobs.retrain.train import train  # noqa: PLC0415

        fast = np.concatenate([u.fast for u in units])
        long = np.concatenate([u.long for u in units])
        self._paths = [ChannelPath("evaluate", "machine", f"c{i}") for i in range(fast.shape[1])]
        vectors = {(p, STATE): (fast[:, i], long[:, i]) for i, p in enumerate(self._paths)}
        self._bundle = train("evaluate", "machine", vectors, seed=SEED, version="1", created_ns=0)

    def statistic(self, unit: Unit) -> float:
        """Logarithm of the largest median surprise."""
        worst = max(
            float(np.median(self._surprise(self._bundle.path(path), rows[:, c], channel)))
            for path, rows in (("fast", unit.fast), ("long", unit.long))
            for c, channel in enumerate(self._paths)
            if len(rows)
        )
        return float(np.log(max(worst, 1e-3)))

    @staticmethod
    def _surprise(model: PathModel, rows: Floats, channel: ChannelPath) -> NDArray[np.float64]:
        scaling = model.scaling[f"{channel}|{STATE}"]
        codes = model.geometry.codes(((rows - scaling.center) / scaling.scale).astype(np.float32))
        forest = _beyond(model.score_tail, score(model.forest, codes))
        radius = _beyond(model.radius_tail, codes[:, -1])
        return np.asarray(np.maximum(forest, radius))


def _beyond(tail: Tail, value: Floats) -> NDArray[np.float64]:
    """-ln p by a calibration's body and exponential tail."""
    v = value.astype(np.float64)
    body = -np.log(np.interp(v, tail.knots, tail.p))
    return np.asarray(body + np.maximum(v - tail.knots[-1], 0.0) / tail.scale)


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


def all_methods() -> dict[str, Method]:
    """Fresh detectors by name, ours first."""
    return {
        "vibro": Ours(),
        "rms": Level("rms"),
        "kurtosis": Level("kurtosis"),
        "isolation_forest": PerChannel(_isolation_forest, log=False),
        "mahalanobis": PerChannel(_ledoit_wolf, log=True),
    }


def _isolation_forest() -> Any:
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415

    return IsolationForest(n_estimators=100, random_state=SEED, n_jobs=1)


def _ledoit_wolf() -> Any:
    from sklearn.covariance import LedoitWolf  # noqa: PLC0415

    return LedoitWolf()
