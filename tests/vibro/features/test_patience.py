"""Fast windows need not wait for long ones: those come later, and are the same."""

from __future__ import annotations

import numpy as np

from vibro.features.setup import ChannelSetup
from vibro.features.spans import spans_of
from vibro.features.stream import MachineFeatures

SETUPS = [ChannelSetup()] * 2
SPANS = spans_of(5000.0, SETUPS, fast_window=128, long_window=128)


def pushed(x, size, *, patient):
    """Batches of a stretch in pieces; the long windows of a patient push are looked at last."""
    machine = MachineFeatures(5000.0, SETUPS, spans=SPANS)
    batches = [
        machine.push(x[:, at : at + size], 1500.0 + at, patient=patient)
        for at in range(0, x.shape[1], size)
    ]
    machine.complete()
    return batches


def test_long_windows_that_are_put_off_are_those_that_are_not():
    x = np.random.default_rng(0).standard_normal((2, 6000)).astype(np.float32)
    # Shorter and longer than what may be fed before a long window must be taken.
    for size in (64, 500, 6000):
        at_once, later = (pushed(x, size, patient=patient) for patient in (False, True))
        assert sum(len(b.long) for b in at_once) > 10
        for a, b in zip(at_once, later, strict=True):
            np.testing.assert_array_equal(a.fast, b.fast)
            np.testing.assert_array_equal(a.long_first, b.long_first)
            np.testing.assert_array_equal(a.long, b.long)
