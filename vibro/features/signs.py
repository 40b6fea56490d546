"""Which fast windows stand out: every channel's vector against thresholds, in one call."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.flags import EXACT
from vibro.features.table import FAST_NAMES
from vibro.jit import njit, only

F64 = NDArray[np.float64]
_RMS, _PEAK, _MEAN, _REPEAT = (
    FAST_NAMES.index(name) for name in ("rms", "peak", "mean", "repeat_share")
)


class Thresholds(NamedTuple):
    """What a window is held against.

    Attributes
    ----------
    p : float
        A p-value below it stands out.
    rms : float
        So does an RMS below it, m/s2,
    repeat : float
        a share of repeated samples at or above it,
    crest : float
        and a crest factor at or above it; NaN = none does.
    top, offset : ndarray of float64, shape (channels,)
        Peak with offset, and offset, m/s2, at or above which a channel's window stands out.
    """

    p: float
    rms: float
    repeat: float
    crest: float
    top: F64
    offset: F64


@njit(variant=only, **EXACT)
def stands_out(values, p, thresholds, found):  # type: ignore[no-untyped-def]
    """Tell whether any channel's window stands out; NaN does not.

    Parameters
    ----------
    values : ndarray of float32, shape (channels, features)
        Fast vectors of one window, in rows without gaps.
    p : ndarray of float64, shape (channels,)
    thresholds : Thresholds
    found : ndarray of bool, shape (channels,)
        Receives which.
    """
    least_p, least_rms, repeat, crest, top, offset = thresholds
    some = False
    for c in range(values.shape[0]):
        rms, peak = np.float64(values[c, _RMS]), np.float64(values[c, _PEAK])
        mean = abs(np.float64(values[c, _MEAN]))
        found[c] = (
            p[c] < least_p
            or rms < least_rms
            or np.float64(values[c, _REPEAT]) >= repeat
            or peak + mean >= top[c]
            or mean >= offset[c]
            or peak >= crest * rms
        )
        some |= found[c]
    return some
