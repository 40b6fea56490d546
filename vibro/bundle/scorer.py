"""Judging windows by a bundle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vibro.bundle.model import Bundle, PathModel
from vibro.forest import score
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
        model = self.bundle.path(path)
        scores = np.full(len(self._channels), np.nan, np.float32)
        p = np.full(len(self._channels), np.nan)
        known = [i for i, c in enumerate(self._channels) if f"{c}|{state}" in model.scaling]
        if known:
            codes = np.concatenate([self._codes(model, i, values[i], state) for i in known])
            scores[known] = score(model.forest, codes)
            p_score = model.score_tail.p_value(scores[known])
            p_radius = model.radius_tail.p_value(codes[:, -1])
            p[known] = np.minimum(1.0, 2.0 * np.minimum(p_score, p_radius))
        return scores, p

    def _codes(self, model: PathModel, channel: int, row: Floats, state: str) -> Floats:
        return model.geometry.codes(self.deviations(model, channel, row, state)[None])

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
