"""Which channels a window says anything of, and what their deciders are told of it.

A healthy window of a quiet channel is not worth asking a decider for: hundreds of channels share a
core. Scores of a channel whose sensor is at fault are taken out here, before anything is gathered
from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_node.judging.learning import Usual, fallen
from vibro.bundle import Judged
from vibro.decide import ChannelDecider, DecisionRules, FastSuspects, Limit, Window, most_crest
from vibro.features.table import FAST_NAMES, LONG_NAMES

Floats = NDArray[np.float32]
Head = tuple[str, int, int, int, float]
"""Path, first sample, start, end and speed of a window."""
_SIGNS = [FAST_NAMES.index(name) for name in ("rms", "peak", "mean", "repeat_share")]
_VELOCITY, _DISPLACEMENT = (
    LONG_NAMES.index(name) for name in ("velocity_rms_mm_s", "displacement_rms_um")
)


class Screen:
    """The windows of one machine's channels as its deciders see them.

    Parameters
    ----------
    deciders : sequence of ChannelDecider
        One a channel.
    rules : DecisionRules
    full_scale_m_s2 : sequence of float
    limits : sequence of tuple of Limit
        Limits set by hand, one tuple a channel.
    fast_samples : int
        Length of a fast window.
    """

    def __init__(
        self,
        deciders: Sequence[ChannelDecider],
        rules: DecisionRules,
        full_scale_m_s2: Sequence[float],
        limits: Sequence[tuple[Limit, ...]],
        fast_samples: int,
    ) -> None:
        self._deciders, self._rules, self._limits = deciders, rules, limits
        self._crest = most_crest(fast_samples)
        self._suspects = FastSuspects(rules, full_scale_m_s2, self._crest)
        self._fast_limits = _fast_limits(limits)
        self.blind_ns = -1
        """No channel is blind to windows that begin from here on."""
        self.restless: list[int] = []
        """Channels whose decider may change at a window without any sign."""

    def asked(
        self, head: Head, values: Floats, judged: Judged, usual: Callable[[], Usual], by_speed: bool
    ) -> dict[int, Window]:
        """Windows of the channels whose decider may change; for a fast one, seldom any.

        Scores of channels whose sensor is at fault are taken out of ``judged``.

        Parameters
        ----------
        usual : callable
            Gives the envelope levels that are usual in the present state.
        by_speed : bool
            Whether the state is known by the speed.
        """
        t0_ns = head[2]
        some: Sequence[int] = range(len(self._deciders))
        off = None
        if head[0] == "fast":
            some, strange = self._suspected(values, judged)
            if strange:
                off = self._fallen(values, usual(), by_speed)
        if t0_ns < self.blind_ns:
            _not_judged(judged, [c for c, d in enumerate(self._deciders) if t0_ns < d.blind_ns])
        if not some:
            return {}
        asked = {c: self.told(head, c, values, judged, off) for c in some}
        blind = [c for c, w in asked.items() if self._deciders[c].blind(w)]
        if blind:
            _not_judged(judged, blind)
            asked |= {c: replace(asked[c], score=np.nan, p_value=np.nan) for c in blind}
        return asked

    def _suspected(self, values: Floats, judged: Judged) -> tuple[Sequence[int], bool]:
        """Channels to ask of a fast window, and whether one of them is strange to its model."""
        found = self._suspects.of(values, judged.p_value)
        if self._fast_limits is not None:
            columns, least = self._fast_limits
            over = np.flatnonzero((values[:, columns] >= least).any(axis=1)).tolist()
            found = sorted({*found, *over})
        if self.restless:
            found = sorted({*found, *self.restless})
        strange = bool(found) and bool((judged.p_value[found] < self._rules.p_watch).any())
        return found, strange

    def settle(self) -> None:
        """Take note of what deciders have become: those with something open are always asked."""
        self.restless = [c for c, d in enumerate(self._deciders) if not d.quiet]
        self.blind_ns = max(d.blind_ns for d in self._deciders)

    def _fallen(self, values: Floats, usual: Usual, by_speed: bool) -> NDArray[np.bool_]:
        r = self._rules
        alone = r.fallen_alone_db if by_speed else np.inf
        return fallen(values, usual, least_db=r.fallen_db, alone_db=alone, spreads=r.fallen_spreads)

    def told(
        self,
        head: Head,
        c: int,
        values: Floats,
        judged: Judged,
        off: NDArray[np.bool_] | None = None,
    ) -> Window:
        """What a decider is told of a window of its channel."""
        path, first, t0_ns, end_ns, rpm = head
        row = values[c]
        common = (path, first, t0_ns, end_ns, float(judged.score[c]), float(judged.p_value[c]), rpm)
        limited = tuple(float(row[x.column]) for x in self._limits[c] if x.path == path)
        if path != "fast":
            return Window(
                *common,
                velocity_mm_s=float(row[_VELOCITY]),
                displacement_um=float(row[_DISPLACEMENT]),
                limited=limited,
            )
        rms, peak, mean, repeat_share = (float(v) for v in row[_SIGNS])
        return Window(
            *common,
            rms_m_s2=rms,
            peak_m_s2=peak,
            mean_m_s2=mean,
            repeat_share=repeat_share,
            crest_share=peak / rms / self._crest if rms > 0.0 else np.nan,
            fallen=off is not None and bool(off[c]),
            limited=limited,
        )


def _fast_limits(limits: Sequence[Sequence[Limit]]) -> tuple[NDArray[np.int64], Floats] | None:
    """Columns of fast features with a limit, and each channel's least value there."""
    fast = [{x.column: x.least for x in own if x.path == "fast"} for own in limits]
    columns = sorted({column for own in fast for column in own})
    if not columns:
        return None
    least = [[own.get(column, np.inf) for column in columns] for own in fast]
    return np.array(columns, np.int64), np.array(least, np.float32)


def _not_judged(judged: Judged, channels: Sequence[int]) -> None:
    """Take the scores of channels out of what a window came to."""
    for values in judged:
        values[channels] = np.nan
