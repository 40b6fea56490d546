"""Decimation by a rational factor with a polyphase FIR: finite memory, absolute output grid."""

from __future__ import annotations

import numpy as np

from vibro.dsp.flags import CALLED
from vibro.jit import njit


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
    for k in range(first, first + count):
        row = (k * down) % up
        i = (k * down) // up - offset
        # Slices: an index that might be negative would forbid vectors.
        inputs, weights = x[i : i + taps], bank[row]
        total = np.float32(0.0)
        for t in range(taps):
            total += weights[t] * inputs[t]
        out[at + k - first] = total
