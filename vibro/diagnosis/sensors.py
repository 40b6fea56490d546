"""Sensor faults: when it is the measurement that is broken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vibro.assets import Point
from vibro.diagnosis.findings import Finding
from vibro.diagnosis.reference import ChannelReference
from vibro.faults import Fault, Severity

Floats = NDArray[np.float64]

FLAT_M_S2 = 1e-3
CLIPPED_SHARE = 2e-3
LEAST_CLIPPED = 5
"""One sample is always the highest; a few may be so by chance."""
HEAP = 2.0
DROPOUT_SHARE = 0.1
LEAST_RUN = 50
LIVELY_STEPS = 5.0
"""A machine that stands still moves its signal by a few steps of the converter."""
BIAS_SHARE = 0.1
BIAS_M_S2 = 20.0
"""Twice gravity: a sensor that measures from 0 Hz may rightly stand at 9.8 m/s2."""
SPIKE_SIGMAS = 10.0
LEAST_SPIKES = 3
BESIDE_SPIKE = 0.2
"""What rings has neighbours; more than this beside a peak is an impact of the machine."""
BESIDE_SAMPLES = 3
DETACHED_SHARE = 0.2
SAME_SPEED = 0.1


def sensor_finding(x: Floats, point: Point) -> Finding | None:
    """Sensor fault of one channel; None when it is sound.

    Parameters
    ----------
    x : ndarray, float64, shape (n,), m/s2
        Samples that are not finite are lost ones.
    """
    found = _lost(x) or _flat(x) or _clipped(x) or _dropped_out(x)
    found = found or _biased(x, point.range_m_s2) or _spiked(x)
    if found is None:
        return None
    fault, probability, note = found
    return Finding(fault, probability, point.channel, Severity.ALERT, note=note)


def detached_finding(
    now: ChannelReference, before: ChannelReference, point: Point
) -> Finding | None:
    """Find a sensor that has come loose: all it hears has become far fainter at the same speed."""
    if not abs(now.rpm - before.rpm) <= SAME_SPEED * before.rpm:
        return None
    levels = zip((now.rms, *now.octaves), (before.rms, *before.octaves), strict=True)
    loudest = max(n / max(b, 1e-9) for n, b in levels)
    if loudest >= DETACHED_SHARE:
        return None
    note = f"at the same speed every level has fallen to {loudest:.0%} or less of commissioning"
    return Finding(Fault.DETACHED, 0.8, point.channel, Severity.ALERT, note=note)


_Found = tuple[Fault, float, str]


def _lost(x: Floats) -> _Found | None:
    lost = int((~np.isfinite(x)).sum())
    if lost == 0:
        return None
    return Fault.DROPOUT, 1.0, f"{lost} of {x.size} samples are not numbers"


def _flat(x: Floats) -> _Found | None:
    spread = float(x.std())
    if spread >= FLAT_M_S2:
        return None
    return Fault.FLATLINE, 1.0, f"the signal does not move (RMS {spread:.2g} m/s2)"


def _clipped(x: Floats) -> _Found | None:
    """Samples heaped at an end of the range, with far fewer in the nine times as much before it.

    A sine has fewer than half as many there, whatever its converter's step.
    """
    step = _step(x)
    width = max(5e-4 * float(x.max() - x.min()), step / 2.0)
    for side in (x, -x):
        top = float(side.max())
        at_top = int((side > top - width).sum())
        before = int((side > top - 10.0 * width).sum()) - at_top
        heaped = at_top >= max(LEAST_CLIPPED, CLIPPED_SHARE / 2.0 * x.size, HEAP * before)
        if heaped and float(x.std()) > LIVELY_STEPS * step:
            note = f"{at_top / x.size:.1%} of the samples stand at an end of the range"
            return Fault.CLIPPING, 0.95, note
    return None


def _dropped_out(x: Floats) -> _Found | None:
    lost = _stuck_share(x, LIVELY_STEPS * _step(x))
    if lost <= DROPOUT_SHARE:
        return None
    note = f"for {lost:.0%} of the time the signal stands still between lively stretches"
    return Fault.DROPOUT, 0.95, note


def _biased(x: Floats, full_scale_m_s2: float) -> _Found | None:
    level = float(np.median(x))
    if abs(level) < max(BIAS_SHARE * full_scale_m_s2, BIAS_M_S2, float(x.std())):
        return None
    return Fault.BIAS, 0.9, f"the signal stands at {level:.3g} m/s2, more than gravity explains"


def _spiked(x: Floats) -> _Found | None:
    """Single samples far out of the signal: a structure that is hit rings on for many samples."""
    size = np.abs(x - np.median(x))
    sigma = 1.4826 * float(np.median(size))
    padded = np.pad(size, BESIDE_SAMPLES)
    peaks = np.flatnonzero(size > SPIKE_SIGMAS * sigma) + BESIDE_SAMPLES
    reach = [k for k in range(-BESIDE_SAMPLES, BESIDE_SAMPLES + 1) if k != 0]
    beside = np.max([padded[peaks + k] for k in reach], axis=0)
    alone = int((beside < BESIDE_SPIKE * padded[peaks]).sum())
    if sigma == 0.0 or alone < LEAST_SPIKES or alone < 0.8 * peaks.size:
        return None
    return Fault.SPIKE, 0.9, f"{alone} single samples stand far out of the signal and do not ring"


def _step(x: Floats) -> float:
    """Least step between neighbours: the converter's, where the signal has come from one."""
    change = np.abs(np.diff(x))
    return float(change[change != 0.0].min(initial=np.inf))


def _stuck_share(x: Floats, lively: float) -> float:
    """Share of samples in long runs of one value that a lively signal breaks off into.

    A machine that stands still also repeats values, but there the signal before the run is
    quiet too: within a few steps of the converter.
    """
    still = np.diff(x) == 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(np.int8), [0]])))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    stuck = [
        n
        for start, n in zip(starts, lengths, strict=True)
        if n >= LEAST_RUN and x[max(0, start - LEAST_RUN) : start + 1].std() > lively
    ]
    return float(sum(stuck)) / x.size
