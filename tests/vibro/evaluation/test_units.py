"""Units: every method is given the same rows, and what is not defined is 0 to all of them."""

from __future__ import annotations

import numpy as np
import pytest

from vibro.evaluation import Unit, unit
from vibro.features.setup import ChannelSetup
from vibro.features.spans import spans_of
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES, LONG_NAMES

RATE = 2560.0
SETUP = (ChannelSetup(), ChannelSetup())
SPANS = spans_of(RATE, SETUP, fast_window=256, long_window=256)


def features(x):
    found = MachineFeatures(RATE, SETUP, spans=SPANS).push(x.astype(np.float32), 1500.0)
    return found.fast, found.long


def noise(n=5120):
    return np.random.default_rng(3).normal(0, 1, (2, n))


def test_windows_that_move_are_all_there():
    fast, long = features(noise())
    found = unit(fast, long)
    assert (found.fast == fast).all()
    assert (found.long == long).all()
    assert (found.still, found.undefined, found.is_judgeable) == (0, (), True)


@pytest.mark.parametrize("level", [0.0, 0.25, -9.81])
def test_windows_in_which_one_channel_is_constant_are_left_out(level):
    x = noise()
    x[1, 1000:2000] = level
    fast, long = features(x)
    found = unit(fast, long)
    starts = np.arange(len(fast)) * SPANS.fast_hop
    constant = (starts >= 1000) & (starts + 256 <= 2000)
    assert constant.sum() > 4
    assert found.still == constant.sum()
    assert (found.fast == fast[~constant]).all()
    assert found.is_judgeable


def test_a_unit_that_mostly_stands_still_is_not_judged():
    x = noise()
    x[0, 1500:] = 1.0
    found = unit(*features(x))
    assert 0 < len(found.fast) < found.still
    assert not found.is_judgeable
    nothing = unit(*features(np.zeros((2, 5120))))
    assert (len(nothing.fast), len(nothing.long), nothing.is_judgeable) == (0, 0, False)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_the_tables_value_of_an_undefined_feature(odd):
    fast, long = features(noise())
    before = fast.copy()
    fast[3, 1, FAST_NAMES.index("spectral_kurtosis")] = odd
    fast[4, 0, FAST_NAMES.index("kurtosis")] = odd
    long[0, 0, LONG_NAMES.index("ses_bpfo")] = odd
    found = unit(fast, long)
    assert found.undefined == ("kurtosis", "spectral_kurtosis", "ses_bpfo")
    assert (len(found.fast), found.still) == (len(fast), 0)
    assert np.isfinite(found.fast).all()
    assert np.isfinite(found.long).all()
    changed = np.argwhere(found.fast != before)
    assert changed.tolist() == [
        [3, 1, FAST_NAMES.index("spectral_kurtosis")],
        [4, 0, FAST_NAMES.index("kurtosis")],
    ]
    assert found.fast[3, 1, FAST_NAMES.index("spectral_kurtosis")] == 0.0


def test_a_unit_without_windows_is_not_judged():
    empty = np.zeros((0, 1, len(FAST_NAMES)), np.float32)
    assert not Unit(empty, empty).is_judgeable
