"""Our own detector, as it is shipped, under the protocol of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vibro.bundle import PathModel
from vibro.evaluation import Unit
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
