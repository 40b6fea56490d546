"""Judging windows by a bundle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibro.bundle.model import Bundle, PathModel
from vibro.dsp.decibel import ln
from vibro.forest.calibrate import tail_p
from vibro.forest.score import as_score, total_length
from vibro.jit import njit, only

if TYPE_CHECKING:  # records take longer to load than everything else here
    from vibro.records import ChannelPath

Floats = NDArray[np.float32]
Model = tuple[NDArray[np.bool_], Floats, Floats, tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]
"""Logarithms, mean, matrix, forest, tails of score and radius."""
Held = tuple[NDArray[np.int64], Floats, Floats, Model]
"""Channels with a baseline: which, centre, scale; and the model as the kernel takes it."""
_TINY = np.finfo(np.float32).tiny
_LEAST = 1e-12
"""Added to a squared distance, so that its logarithm is finite."""


class Judged(NamedTuple):
    """What one window of every channel came to; NaN without a baseline in its state.

    Attributes
    ----------
    score : ndarray of float32, shape (channels,)
        Of the forest, in (0, 1].
    p_value : ndarray of float64, shape (channels,)
        The smaller of the forest's and the distance's, doubled (Bonferroni): the forest sees odd
        combinations, the distance keeps rising where the forest can see no farther.
    level : ndarray of float64, shape (channels,)
        ln(distance), whose mean over a block `vibro.forest.Lasting` judges.
    """

    score: NDArray[np.float32]
    p_value: NDArray[np.float64]
    level: NDArray[np.float64]


class Scorer:
    """A bundle applied to the channels of one machine.

    Parameters
    ----------
    bundle : Bundle
    channels : sequence of ChannelPath or str
        In words ``site/machine/channel``.
    """

    def __init__(self, bundle: Bundle, channels: Sequence[ChannelPath | str]) -> None:
        self.bundle = bundle
        self._channels = [str(c) for c in channels]
        self._held: dict[tuple[str, str], Held] = {}

    def judge(self, path: str, values: Floats, state: str) -> Judged:
        """Score one window of every channel.

        Parameters
        ----------
        path : {'fast', 'long'}
        values : ndarray of float, shape (channels, features)
        state : str
            Operating state of the machine.

        Raises
        ------
        ValueError
            If the values are not of that shape: the kernel would read beyond them.
        """
        known, center, spread, model = self._baselines(path, state)
        n, wanted = len(self._channels), (len(self._channels), center.shape[1])
        if np.shape(values) != wanted:
            raise ValueError(f"a {path} window of shape {np.shape(values)} is not {wanted}")
        judged = Judged(np.empty(n, np.float32), np.empty(n), np.empty(n))
        _judge(
            # Code compiled ahead of time takes one type and layout, and does not look.
            np.ascontiguousarray(values, np.float32),
            known,
            center,
            spread,
            *model,
            np.empty(self.bundle.path(path).forest.features, np.float32),
            *judged,
        )
        return judged

    def block_p_value(self, path: str, channel: int, level: float, state: str) -> float:
        """P-value of a block of windows of one channel by its mean level; NaN without a baseline.

        Parameters
        ----------
        level : float
            Mean of `Judged.level` over at least `vibro.forest.BLOCK` windows.
        """
        lasting = self.bundle.path(path).lasting.get(f"{self._channels[channel]}|{state}")
        return math.nan if lasting is None else lasting.p_value(level)

    def _baselines(self, path: str, state: str) -> Held:
        """What the kernel needs to know of the channels with a baseline in a state."""
        if (path, state) not in self._held:
            model = self.bundle.path(path)
            scaling = [model.scaling.get(f"{c}|{state}") for c in self._channels]
            known = [(i, s) for i, s in enumerate(scaling) if s is not None]
            shape = (len(known), len(model.geometry.mean))
            self._held[path, state] = (
                np.array([i for i, _ in known], np.int64),
                np.array([s.center for _, s in known], np.float32).reshape(shape),
                np.array([s.scale for _, s in known], np.float32).reshape(shape),
                _for_kernel(model),
            )
        return self._held[path, state]

    def deviations(self, model: PathModel, channel: int, row: Floats, state: str) -> Floats:
        """Deviation of every feature from the baseline in robust standard deviations."""
        scaling = model.scaling[f"{self._channels[channel]}|{state}"]
        return scaling.deviations(row, model.logs)

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


def _for_kernel(model: PathModel) -> Model:
    """Arrays of a model, each of the one type and layout that compiled code takes."""
    score_tail, radius_tail = (
        (*(np.ascontiguousarray(a, np.float64) for a in (tail.knots, tail.p)), float(tail.scale))
        for tail in (model.score_tail, model.radius_tail)
    )
    return (
        np.ascontiguousarray(model.logs, np.bool_),
        np.ascontiguousarray(model.geometry.mean, np.float32),
        np.ascontiguousarray(model.geometry.matrix, np.float32),
        model.forest.arrays,
        score_tail,
        radius_tail,
    )


@njit(variant=only, cache=True, error_model="numpy")
def _judge(
    values: Any,
    known: Any,
    center: Any,
    spread: Any,
    logs: Any,
    mean: Any,
    matrix: Any,
    forest: Any,
    score_tail: Any,
    radius_tail: Any,
    codes: Any,
    scores: Any,
    p: Any,
    levels: Any,
) -> None:
    """Standardise, whiten (`Geometry.codes`), score and calibrate one window of every channel."""
    n = mean.shape[0]
    words, floats, length, roots, depth, normaliser = forest
    scores[:] = np.nan
    p[:] = np.nan
    levels[:] = np.nan
    for k in range(known.shape[0]):
        i = known[k]
        codes[:] = 0.0
        for j in range(n):
            level, deviation = values[i, j], -mean[j]
            if not logs[j]:
                deviation += (level - center[k, j]) / spread[k, j]
            elif level > 0.0:  # else it is not defined: as usual as can be
                deviation += (ln(max(level, _TINY)) - center[k, j]) / spread[k, j]
            for m in range(n):
                codes[m] += deviation * matrix[j, m]
        squares = 0.0
        for m in range(n):
            squares += np.float64(codes[m]) * np.float64(codes[m])
        codes[n] = np.sqrt(squares / n)
        levels[i] = 0.5 * np.log(squares / n + _LEAST)
        total = total_length(codes, words, floats, length, roots, depth)
        scores[i] = as_score(total, normaliser)
        by_score = tail_p(np.float64(scores[i]), *score_tail)
        by_radius = tail_p(np.float64(codes[n]), *radius_tail)
        p[i] = min(1.0, 2.0 * min(by_score, by_radius))
