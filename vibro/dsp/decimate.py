"""Decimation by a rational factor with a polyphase FIR: finite memory, absolute output grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.flags import CALLED
from vibro.dsp.memory import aligned
from vibro.jit import njit

_0 = np.float32(0)


@njit(**CALLED)
def decimate(x, offset, first, count, up, down, bank, out, at):  # type: ignore[no-untyped-def]
    """Compute outputs ``first .. first + count - 1`` of a decimator, into ``out[at:]``.

    Output k is the bank's row ``(k * down) % up`` applied to the inputs
    ``i .. i + taps - 1`` with ``i = (k * down) // up``: it depends on nothing else, so neither the
    start nor the chunking of a stream changes it.

    Parameters
    ----------
    x : ndarray of float32
        ``x[0]`` is input ``offset``.
    first, count, up, down : int
        Absolute index of the first output, number of outputs, and the rate ratio up / down.
    bank : ndarray of float32, shape (up, taps)
        From `vibro.dsp.design.lowpass_bank`; taps a multiple of 16.
    out : ndarray of float32
        Receives the outputs from index ``at``.
    """
    taps = bank.shape[1]
    for p in range(min(up, count)):
        weights = bank[((first + p) * down) % up]
        begin, outputs = ((first + p) * down) // up - offset, (count - 1 - p) // up + 1
        end = begin + (outputs - 1) * down
        # Four outputs of one row share its loads. Beyond the last one it is computed again, so
        # that every output is summed in the same order in whatever company.
        for j in range(0, outputs, 4):
            i = begin + j * down
            i1, i2, i3 = min(i + down, end), min(i + 2 * down, end), min(i + 3 * down, end)
            # Slices: an index that might be negative would forbid vectors.
            x0, x1 = x[i : i + taps], x[i1 : i1 + taps]
            x2, x3 = x[i2 : i2 + taps], x[i3 : i3 + taps]
            s0, s1, s2, s3 = _0, _0, _0, _0
            for t in range(taps):
                w = weights[t]
                s0 += w * x0[t]
                s1 += w * x1[t]
                s2 += w * x2[t]
                s3 += w * x3[t]
            k, final = at + p + j * up, at + p + (outputs - 1) * up
            out[k] = s0
            out[min(k + up, final)] = s1
            out[min(k + 2 * up, final)] = s2
            out[min(k + 3 * up, final)] = s3


GROUP = 8
"""Outputs that `decimate_groups` computes at once."""
_HALF = GROUP // 2


def delayed_pair(taps: NDArray[np.float32], down: int) -> NDArray[np.float32]:
    """Taps between as many zeros as `decimate_groups` delays them by, shape (taps + 8 down,)."""
    padded = aligned(len(taps) + 2 * _HALF * down)
    padded[_HALF * down : len(taps) + _HALF * down] = taps
    return padded


@njit(**CALLED)
def decimate_groups(x, offset, first, count, down, padded, out, at):  # type: ignore[no-untyped-def]
    """Do what `decimate` does with one row of taps, for whole groups of outputs.

    Output k + 4 reads what output k reads, 4 down inputs later: so one load of an input serves
    both, and one of a tap serves four. An output's place in its group depends on its index alone,
    so that it is always summed in the same order.

    Parameters
    ----------
    x, offset, down, out, at
        As `decimate` takes them.
    first, count : int
        Multiples of `GROUP`.
    padded : ndarray of float32
        From `delayed_pair`.
    """
    delay = _HALF * down
    size = padded.shape[0] - delay
    early, late = padded[delay:], padded[:size]
    for k in range(first, first + count, GROUP):
        i = k * down - offset
        # Slices: an index that might be negative would forbid vectors.
        x0, x1 = x[i : i + size], x[i + down : i + down + size]
        x2, x3 = x[i + 2 * down : i + 2 * down + size], x[i + 3 * down : i + 3 * down + size]
        a0, a1, a2, a3, b0, b1, b2, b3 = _0, _0, _0, _0, _0, _0, _0, _0
        for t in range(size):
            w, v = early[t], late[t]
            a0 += w * x0[t]
            a1 += w * x1[t]
            a2 += w * x2[t]
            a3 += w * x3[t]
            b0 += v * x0[t]
            b1 += v * x1[t]
            b2 += v * x2[t]
            b3 += v * x3[t]
        group = out[at + k - first : at + k - first + GROUP]
        group[0], group[1], group[2], group[3] = a0, a1, a2, a3
        group[4], group[5], group[6], group[7] = b0, b1, b2, b3
