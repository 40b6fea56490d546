"""Which channels a fast window gives the decider anything to do for: almost always none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vibro.decide.rules import DecisionRules
from vibro.features.signs import Thresholds, stands_out

LEAST_SPIKE_SAMPLES = 2048
"""In shorter windows (slower streams) an impact may look like a spike: one sample, then calm."""


def most_crest(window_samples: int) -> float:
    """Largest crest factor that a window can have; NaN where it does not tell a spike."""
    return math.sqrt(window_samples) if window_samples >= LEAST_SPIKE_SAMPLES else math.nan


class FastSuspects:
    """The signs of `ChannelDecider` for a fast window, without what follows from them.

    A quiet decider stays as it is at a window without a sign, so that it need not be asked: the
    result is the same, the time is not.

    Parameters
    ----------
    rules : DecisionRules
    full_scale_m_s2 : sequence of float
        Full scale of each channel.
    most_crest : float
        Largest crest factor of a window, see `most_crest`.
    """

    def __init__(
        self,
        rules: DecisionRules,
        full_scale_m_s2: Sequence[float],
        most_crest: float = math.nan,
    ) -> None:
        full = np.array(full_scale_m_s2, np.float64)
        self._thresholds = Thresholds(
            p=float(max(rules.p_watch, rules.p_alert)),
            rms=float(rules.flat_rms_m_s2),
            repeat=float(min(rules.stuck_share, rules.dropout_share)),
            crest=float(rules.spike_share * most_crest),
            top=rules.clip_share * full,
            offset=rules.bias_share * full,
        )
        self._found = np.zeros(len(full), np.bool_)

    def of(self, values: NDArray[np.float32], p: NDArray[np.float64]) -> list[int]:
        """Return the channels in whose window any sign stands.

        Parameters
        ----------
        values : ndarray of float32, shape (channels, features)
            Fast vectors of one window; NaN is no sign.
        p : ndarray of float64, shape (channels,)
            P-values; NaN is no sign.
        """
        # Code compiled ahead of time takes one type and layout, and does not look.
        values = np.ascontiguousarray(values, np.float32)
        if not stands_out(values, p, self._thresholds, self._found):
            return []
        return [int(c) for c in np.flatnonzero(self._found)]
