"""Detectors that ours is measured beside, each at its honest best on the same windows.

Each is given the standardised fast features, the logarithm of those that span decades (the
feature table says which) where that helps it, and a scale on which its healthy values are about
normal, as the alarm limit supposes. What was chosen helped the peer on real recordings: logarithms
raise the isolation forest's recall on a fan from 0.89 to 0.92, but make the Mahalanobis distance
alarm later and more often for nothing; -ln of the kernels' sum instead of the sum itself raises the
one-class machine's recall on 45 kW motors from 0.67 to 0.92; neighbourhoods of 50 windows instead
of 20 lower the local outlier factor's false alarms on the fan from 6 % to 1 %. The long path's
features beside the fast ones gained none of them more than they lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vibro.cli.evaluate.ecod import Ecod
from vibro.evaluation import Unit
from vibro.features.table import FAST, FAST_NAMES

Floats = NDArray[np.float64]

SEED = 0
_LOG = np.array([f.scale == "log" for f in FAST])
FLOOR = 1e-12
"""Below it a value of a logarithmic feature counts as this."""
NEIGHBOURS = 50
"""The largest that Breunig et al., "LOF" (SIGMOD 2000), recommend for the smallest of a range."""


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

    def _levels(self, unit: Unit) -> Floats:
        return np.log(np.maximum(unit.fast[:, :, self._column].astype(np.float64), FLOOR))


class Detector(Protocol):
    """What learns rows and scores others."""

    def fit(self, rows: Floats) -> Any:
        """Learn standardised rows, shape (n, features)."""

    def score(self, rows: Floats) -> Floats:
        """Larger is stranger; shape (m, features) -> (m,)."""


class PerChannel:
    """A detector a channel; the median over windows, of the worst channel."""

    def __init__(self, make: Callable[[], Detector], log: bool = True) -> None:
        self._make, self._log = make, log

    def fit(self, units: Sequence[Unit]) -> None:
        """Scaling and detector of each channel."""
        rows = self._rows(units)
        self._center, spread = rows.mean(axis=0), rows.std(axis=0)
        self._scale = np.where(spread > 0.0, spread, 1.0)
        self._detectors = [self._make() for _ in range(rows.shape[1])]
        for c, detector in enumerate(self._detectors):
            detector.fit(self._standard(rows, c))

    def statistic(self, unit: Unit) -> float:
        """Statistic of one unit."""
        return self.statistics([unit])[0]

    def statistics(self, units: Sequence[Unit]) -> list[float]:
        """Statistics of many units, their windows scored at once."""
        if not units:
            return []
        rows, ends = self._rows(units), np.cumsum([len(u.fast) for u in units])
        scores = [d.score(self._standard(rows, c)) for c, d in enumerate(self._detectors)]
        parts = np.split(np.stack(scores, axis=1), ends[:-1])
        return [float(np.median(p, axis=0).max()) for p in parts]

    def _standard(self, rows: Floats, channel: int) -> Floats:
        return np.asarray((rows[:, channel] - self._center[channel]) / self._scale[channel])

    def _rows(self, units: Sequence[Unit]) -> Floats:
        rows = np.concatenate([u.fast for u in units]).astype(np.float64)
        if self._log:
            rows[:, :, _LOG] = np.log(np.maximum(rows[:, :, _LOG], FLOOR))
        return rows


class Forest:
    """scikit-learn's isolation forest as it comes: Liu, Ting & Zhou, ICDM 2008."""

    def fit(self, rows: Floats) -> None:
        """Grow 100 trees of 256 samples."""
        from sklearn.ensemble import IsolationForest  # noqa: PLC0415

        self._model = IsolationForest(n_estimators=100, random_state=SEED, n_jobs=1).fit(rows)

    def score(self, rows: Floats) -> Floats:
        """2^(-E[h]/c)."""
        return np.asarray(-self._model.score_samples(rows))


class Mahalanobis:
    """Logarithm of the squared distance, by a covariance shrunk as Ledoit & Wolf (2004) do."""

    def fit(self, rows: Floats) -> None:
        """Mean and covariance."""
        from sklearn.covariance import LedoitWolf  # noqa: PLC0415

        self._model = LedoitWolf().fit(rows)

    def score(self, rows: Floats) -> Floats:
        """Ln d^2."""
        return np.asarray(np.log(np.maximum(self._model.mahalanobis(rows), FLOOR)))


class OneClass:
    """scikit-learn's one-class machine with its own nu and gamma: Schoelkopf et al. (2001).

    The score is -ln of the sum of kernels, which orders windows as the sum does, but goes on where
    the sum has come to 0.
    """

    def fit(self, rows: Floats) -> None:
        """Find the support vectors."""
        from sklearn.svm import OneClassSVM  # noqa: PLC0415

        # gamma="scale" is this, but would not tell it.
        self._gamma = 1.0 / (rows.shape[1] * max(float(rows.var()), FLOOR))
        model = OneClassSVM(kernel="rbf", gamma=self._gamma).fit(rows)
        self._support, self._weights = model.support_vectors_, model.dual_coef_[0]

    def score(self, rows: Floats) -> Floats:
        """-ln sum_i a_i exp(-gamma |x - v_i|^2)."""
        from scipy.spatial.distance import cdist  # noqa: PLC0415
        from scipy.special import logsumexp  # noqa: PLC0415

        exponents = -self._gamma * cdist(rows, self._support, "sqeuclidean")
        return np.asarray(-logsumexp(exponents, axis=1, b=self._weights))


class OutlierFactor:
    """Logarithm of the local outlier factor against the rows it learned: Breunig et al. (2000)."""

    def fit(self, rows: Floats) -> None:
        """Local density of each row."""
        from sklearn.neighbors import LocalOutlierFactor  # noqa: PLC0415

        near = min(NEIGHBOURS, len(rows) - 1)
        self._model = LocalOutlierFactor(n_neighbors=near, novelty=True).fit(rows)

    def score(self, rows: Floats) -> Floats:
        """Ln LOF."""
        return np.asarray(np.log(np.maximum(-self._model.score_samples(rows), FLOOR)))


def all_peers() -> dict[str, Level | PerChannel]:
    """Fresh peers by name."""
    return {
        "rms": Level("rms"),
        "kurtosis": Level("kurtosis"),
        "isolation_forest": PerChannel(Forest),
        "one_class_svm": PerChannel(OneClass),
        "lof": PerChannel(OutlierFactor),
        "mahalanobis": PerChannel(Mahalanobis, log=False),
        "ecod": PerChannel(Ecod),
    }
