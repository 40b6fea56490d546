"""Which channels a fast window gives the decider anything to do for: almost always none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vibro.decide.rules import DecisionRules

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
        self._p = max(rules.p_watch, rules.p_alert)
        self._flat = rules.flat_rms_m_s2
        self._repeat = min(rules.stuck_share, rules.dropout_share)
        self._crest = rules.spike_share * most_crest
        self._limits = [
            (rules.clip_share * full, rules.bias_share * full) for full in full_scale_m_s2
        ]

    def of(self, facts: Sequence[Sequence[float]], p: Sequence[float]) -> list[bool]:
        """Tell for each channel whether any sign stands in the window.

        Parameters
        ----------
        facts : sequence of (rms, peak, mean, repeat_share), one a channel
            m/s2 and the share of repeated samples; NaN is no sign.
        p : sequence of float
            P-values; NaN is no sign.
        """
        least_p, flat, most, crest = self._p, self._flat, self._repeat, self._crest
        return [
            p_value < least_p
            or rms < flat
            or repeat >= most
            or peak + abs(mean) >= clip
            or abs(mean) >= bias
            or peak >= crest * rms
            for (rms, peak, mean, repeat), p_value, (clip, bias) in zip(
                facts, p, self._limits, strict=True
            )
        ]
