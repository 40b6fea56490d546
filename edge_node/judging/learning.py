"""What judges a machine's windows: the bundle of its site, and the prior of the fleet beside it.

A *prior* is a bundle whose one key a state is `EVERY`: it was trained on machines of the class as
if they were one, so that their differences are part of its spread, and calibrated on machines that
it had not seen (`cloud_jobs/retrain/prior.py`). It is there from the first minute. As a stranger's
p-value is worth less than one's own, it is never told as smaller than `PRIOR_LEAST_P`: a prior
speaks for watch at most, and limits in absolute units for everything above.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.bundle import EVERY, Bundle, Judged, Scorer
from vibro.decide import UNJUDGED
from vibro.features.table import FAST_NAMES, LONG_NAMES

Floats = NDArray[np.float32]
Usual = tuple[Floats, Floats]
"""Centre and spread of each channel's envelope level, dB; NaN = not known."""
PRIOR_LEAST_P = 1e-6
_VELOCITY = LONG_NAMES.index("velocity_rms_mm_s")
_ENVELOPE = FAST_NAMES.index("envelope_level")
_NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES}

PROVEN, UNPROVEN, PRIOR, LEARNING = "proven", "unproven", "prior", "learning"
"""Standing of a channel in a state: a trusted baseline of its own, one that is not trusted yet,
none but the fleet's, or none at all."""


class Models:
    """The bundle of a site and class, and the fleet's prior, applied to the channels of a machine.

    Parameters
    ----------
    channels : sequence
        Channel paths.
    """

    def __init__(self, channels: Sequence[Any]) -> None:
        self._channels = [str(c) for c in channels]
        self._own: Scorer | None = None
        self._prior: Scorer | None = None
        self._strangers: dict[tuple[str, str], NDArray[np.bool_] | None] = {}

    @property
    def version(self) -> str:
        """Version of the site's bundle, empty while there is none."""
        return "" if self._own is None else self._own.bundle.version

    def use(self, bundle: Bundle) -> None:
        """Judge by a bundle of the site, or by a prior where the site's has no baseline."""
        if bundle.is_prior:
            self._prior = Scorer(bundle, [EVERY] * len(self._channels))
        else:
            self._own = Scorer(bundle, self._channels)
        self._strangers.clear()

    def judge(self, path: str, values: Floats, state: str) -> Judged:
        """Score one window of every channel; NaN in states that are not judged."""
        if self._own is None or state in UNJUDGED:
            n = len(self._channels)
            judged = Judged(np.full(n, np.nan, np.float32), *np.full((2, n), np.nan))
            if self._prior is None or state in UNJUDGED:
                return judged
        else:
            judged = self._own.judge(path, values, state)
            if self._prior is None:
                return judged
        strange = self._strange(path, state)
        if strange is not None and self._prior is not None:
            by_fleet = self._prior.judge(path, values, state)
            judged.score[strange] = by_fleet.score[strange]
            judged.p_value[strange] = np.maximum(by_fleet.p_value[strange], PRIOR_LEAST_P)
        return judged

    def _strange(self, path: str, state: str) -> NDArray[np.bool_] | None:
        """Channels without a baseline of their own; None where there is no such channel."""
        if (path, state) not in self._strangers:
            strange = np.array([self._scorer(path, c, state) is not self._own for c in self._range])
            none = self._own is not None and not strange.any()
            self._strangers[path, state] = None if none else strange
        return self._strangers[path, state]

    @property
    def _range(self) -> range:
        return range(len(self._channels))

    def _scorer(self, path: str, channel: int, state: str) -> Scorer | None:
        """Who judges a channel in a state: the site's bundle, else the prior, else nobody."""
        for scorer, name in ((self._own, self._channels[channel]), (self._prior, EVERY)):
            if scorer is not None and f"{name}|{state}" in scorer.bundle.path(path).scaling:
                return scorer
        return None

    def told_by(
        self, path: str, channel: int, row: Floats, state: str
    ) -> tuple[str, tuple[tuple[str, float], ...]]:
        """Version of the bundle that judges a window, and the features that stand out by it."""
        scorer = self._scorer(path, channel, state)
        if scorer is None:
            return self.version, ()
        names = _NAMES[path]
        return scorer.bundle.version, scorer.contributions(path, channel, row, state, names)

    def block_p_value(self, path: str, channel: int, level: float, state: str) -> float:
        """P-value of a block of one channel by the site's bundle; NaN without a baseline."""
        if self._own is None:
            return math.nan
        return self._own.block_p_value(path, channel, level, state)

    def usual_velocity_mm_s(self, state: str) -> list[float]:
        """Velocity of each channel that is usual in a state; NaN without a baseline."""
        if self._own is None:
            return [math.nan] * len(self._channels)
        model = self._own.bundle.long
        held = (model.scaling.get(f"{c}|{state}") for c in self._channels)
        return [math.nan if s is None else float(s.usual(model.logs)[_VELOCITY]) for s in held]

    def usual_envelope_db(self, state: str) -> Usual:
        """Centre and spread of each channel's envelope level in a state; NaN without a baseline."""
        found = np.full((2, len(self._channels)), np.nan, np.float32)
        if self._own is not None:
            for c, name in enumerate(self._channels):
                scaling = self._own.bundle.fast.scaling.get(f"{name}|{state}")
                if scaling is not None:
                    found[:, c] = scaling.center[_ENVELOPE], scaling.scale[_ENVELOPE]
        return found[0], found[1]

    def standing(self, state: str) -> list[str]:
        """Standing of each channel in a state: `PROVEN`, `UNPROVEN`, `PRIOR` or `LEARNING`."""
        unproven = {} if self._own is None else self._own.bundle.unproven
        found = []
        for c, name in enumerate(self._channels):
            scorer = self._scorer("fast", c, state)
            if scorer is None:
                found.append(LEARNING)
            elif scorer is self._prior:
                found.append(PRIOR)
            else:
                found.append(UNPROVEN if f"{name}|{state}" in unproven else PROVEN)
        return found


def fallen(
    values: Floats,
    usual: Usual,
    *,
    least_db: float,
    alone_db: float,
    spreads: float,
) -> NDArray[np.bool_]:
    """Tell which channels have fallen as that of a sensor does that came off its machine.

    A sensor that hangs on its cable hears little above the cable's own resonance, so the level of
    the envelope's band falls, whatever the low frequencies do; the other channels go on.

    Parameters
    ----------
    values : ndarray of float32, shape (channels, features)
        Fast vectors of one window.
    usual : (ndarray, ndarray), each of shape (channels,)
        Centre and spread of the envelope level in this state, dB; NaN = not known.
    least_db : float
        Fall against the reference, and against the median fall of the other channels.
    alone_db : float
        Fall of a channel that no other can be compared with; infinite to say nothing of it.
    spreads : float
        Fall in spreads.
    """
    center, spread = usual
    fall = center - values[:, _ENVELOPE]
    known = np.isfinite(fall)
    found = np.zeros(len(fall), np.bool_)
    for c in np.flatnonzero(known & (fall >= np.maximum(least_db, spreads * spread))):
        others = fall[known & (np.arange(len(fall)) != c)]
        found[c] = fall[c] - np.median(others) >= least_db if len(others) else fall[c] >= alone_db
    return found
