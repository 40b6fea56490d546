"""Judging windows by a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.bundle.model import Bundle, PathModel
from vibro.forest.calibrate import tail_p
from vibro.forest.score import as_score, total_length
from vibro.jit import njit, only
from vibro.records import ChannelPath

Floats = NDArray[np.float32]


class Scorer:
    """A bundle applied to the channels of one machine.

    Parameters
    ----------
    bundle : Bundle
    channels : sequence of ChannelPath
    """

    def __init__(self, bundle: Bundle, channels: Sequence[ChannelPath]) -> None:
        self.bundle = bundle
        self._channels = [str(c) for c in channels]
        self._held: dict[tuple[str, str], tuple[PathModel, NDArray[np.int64], Floats, Floats]] = {}

    def judge(
        self, path: str, values: Floats, state: str
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Score one window of every channel.

        Parameters
        ----------
        path : {'fast', 'long'}
        values : ndarray, float32, shape (channels, features)
        state : str
            Operating state of the machine.

        Returns
        -------
        score, p_value : ndarray, shape (channels,)
            NaN for a channel that has no baseline in this state. The p-value is the smaller of
            the forest's and the radius's, doubled (Bonferroni): the forest sees odd combinations,
            the radius keeps falling where the forest can see no farther.
        """
        model, known, center, spread = self._baselines(path, state)
        scores = np.empty(len(self._channels), np.float32)
        p = np.empty(len(self._channels))
        _judge(
            values,
            known,
            center,
            spread,
            model.geometry.mean,
            model.geometry.matrix,
            model.forest.arrays,
            model.score_tail.arrays,
            model.radius_tail.arrays,
            np.empty(model.forest.features, np.float32),
            scores,
            p,
        )
        return scores, p

    def _baselines(
        self, path: str, state: str
    ) -> tuple[PathModel, NDArray[np.int64], Floats, Floats]:
        """Model of a path, and the channels with a baseline in a state: which, centre, scale."""
        if (path, state) not in self._held:
            model = self.bundle.path(path)
            scaling = [model.scaling.get(f"{c}|{state}") for c in self._channels]
            known = [(i, s) for i, s in enumerate(scaling) if s is not None]
            shape = (len(known), len(model.geometry.mean))
            self._held[path, state] = (
                model,
                np.array([i for i, _ in known], np.int64),
                np.array([s.center for _, s in known], np.float32).reshape(shape),
                np.array([s.scale for _, s in known], np.float32).reshape(shape),
            )
        return self._held[path, state]

    def deviations(self, model: PathModel, channel: int, row: Floats, state: str) -> Floats:
        """Deviation of every feature from the baseline in robust standard deviations."""
        scaling = model.scaling[f"{self._channels[channel]}|{state}"]
        return np.asarray((row - scaling.center) / scaling.scale, np.float32)

    def contributions(
        self, path: str, channel: int, row: Floats, state: str, names: Sequence[str], top: int = 5
    ) -> tuple[tuple[str, float], ...]:
        """Features that made a window stand out, with their deviation, the largest share first.

        The share of feature j in the squared radius is z_j times the gradient of the radius
        (the exact decomposition of a Mahalanobis distance into its features).
        """
        model = self.bundle.path(path)
        if f"{self._channels[channel]}|{state}" not in model.scaling:
            return ()
        deviation = self.deviations(model, channel, row, state)
        centred = deviation - model.geometry.mean
        share = centred * (model.geometry.matrix @ (centred @ model.geometry.matrix))
        order = np.argsort(-share)[:top]
        return tuple((names[j], round(float(deviation[j]), 2)) for j in order)


@njit(variant=only, cache=True, error_model="numpy")
def _judge(
    values: Any,
    known: Any,
    center: Any,
    spread: Any,
    mean: Any,
    matrix: Any,
    forest: Any,
    score_tail: Any,
    radius_tail: Any,
    codes: Any,
    scores: Any,
    p: Any,
) -> None:
    """Standardise, whiten (`Geometry.codes`), score and calibrate one window of every channel."""
    n = mean.shape[0]
    words, floats, length, roots, depth, normaliser = forest
    scores[:] = np.nan
    p[:] = np.nan
    for k in range(known.shape[0]):
        i = known[k]
        codes[:] = 0.0
        for j in range(n):
            deviation = (values[i, j] - center[k, j]) / spread[k, j] - mean[j]
            for m in range(n):
                codes[m] += deviation * matrix[j, m]
        squares = 0.0
        for m in range(n):
            squares += np.float64(codes[m]) * np.float64(codes[m])
        codes[n] = np.sqrt(squares / n)
        total = total_length(codes, words, floats, length, roots, depth)
        scores[i] = as_score(total, normaliser)
        by_score = tail_p(np.float64(scores[i]), *score_tail)
        by_radius = tail_p(np.float64(codes[n]), *radius_tail)
        p[i] = min(1.0, 2.0 * min(by_score, by_radius))
