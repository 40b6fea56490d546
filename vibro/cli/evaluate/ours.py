"""Our detector under the protocol: the product's own training, scoring and block test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vibro.bundle import Bundle, Scorer
from vibro.evaluation import Unit
from vibro.records import ChannelPath

if TYPE_CHECKING:
    from cloud_jobs.retrain.train import Recipe

Ints = NDArray[np.int64]

SEED = 0
STATE = "on"
BLOCKS = 12
"""Blocks that the healthy units are cut into where there are fewer units than that."""
LEAST_UNITS = 8
STILL = 40


class Ours:
    """Bundle of two forests on whitened features; a unit is judged as a block of windows.

    The statistic is the block's deviation (`vibro.forest.Lasting`): how far the mean of
    ln(distance) over the unit's windows lies above that of held-out healthy blocks, in standard
    deviations, of the channel and path where it is largest. A path with too few healthy blocks is
    left out.

    Parameters
    ----------
    recipe : cloud_jobs.retrain.train.Recipe, optional
        Default: as shipped.
    """

    paths: tuple[str, ...] = ("fast", "long")

    def __init__(self, recipe: Recipe | None = None) -> None:
        self._recipe = recipe

    def fit(self, units: Sequence[Unit]) -> None:
        """Train one bundle, as the cloud does for a site and machine class."""
        from cloud_jobs.retrain.train import SHIPPED, train  # noqa: PLC0415 (scikit-learn)

        channels = range(units[0].fast.shape[1])
        self._channels = [ChannelPath("evaluate", "machine", f"c{i}") for i in channels]
        if not any(len(u.long) for u in units):
            # A bundle has two paths; one that is not judged learns from features that never move.
            still = np.zeros((STILL, *units[0].long.shape[1:]), np.float32)
            units = [replace(u, long=still) for u in units]
        rows = [np.concatenate([getattr(u, path) for u in units]) for path in ("fast", "long")]
        blocks = [_blocks([len(getattr(u, path)) for u in units]) for path in ("fast", "long")]
        self._bundle: Bundle = train(
            "evaluate",
            "machine",
            {(p, STATE): (rows[0][:, i], rows[1][:, i]) for i, p in enumerate(self._channels)},
            blocks={(p, STATE): (blocks[0], blocks[1]) for p in self._channels},
            seed=SEED,
            version="1",
            created_ns=0,
            recipe=self._recipe or SHIPPED,
        )
        self._scorer = Scorer(self._bundle, self._channels)

    def statistic(self, unit: Unit) -> float:
        """Largest deviation of the unit's windows, as one block."""
        found = [
            lasting.deviation(float(level))
            for path in self.paths
            if len(rows := getattr(unit, path))
            for channel, level in zip(self._channels, self._levels(path, rows), strict=True)
            if (lasting := self._bundle.path(path).lasting.get(f"{channel}|{STATE}"))
        ]
        return max(found)

    def _levels(self, path: str, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        judged = [self._scorer.judge(path, window, STATE).level for window in rows]
        return np.asarray(np.mean(judged, axis=0))


def _blocks(sizes: Sequence[int]) -> Ints:
    """Number of the block that each row belongs to: a unit, or a part of one where they are few."""
    parts = 1 if len(sizes) >= LEAST_UNITS else -(-BLOCKS // len(sizes))
    numbers, first = [], 0
    for size in sizes:
        each = max(1, min(parts, size))
        numbers.append(first + np.arange(size) * each // max(1, size))
        first += each
    return np.concatenate(numbers).astype(np.int64)
