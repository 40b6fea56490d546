"""Decimation by a rational factor with a polyphase FIR: finite memory, absolute output grid."""

from __future__ import annotations

import numpy as np

from vibro.dsp.flags import CALLED
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
        last = first + p + (count - 1 - p) // up * up
        # Four outputs of one row share its loads. Beyond the last one it is computed again, so
        # that every output is summed in the same order in whatever company.
        for k in range(first + p, first + count, 4 * up):
            k1, k2, k3 = min(k + up, last), min(k + 2 * up, last), min(k + 3 * up, last)
            i, i1 = (k * down) // up - offset, (k1 * down) // up - offset
            i2, i3 = (k2 * down) // up - offset, (k3 * down) // up - offset
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
            out[at + k - first] = s0
            out[at + k1 - first] = s1
            out[at + k2 - first] = s2
            out[at + k3 - first] = s3
