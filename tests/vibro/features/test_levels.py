"""Blocks of raw samples against limits: slow sums tell the same, for every type of sample."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vibro.features.levels import exceed, levels_of

BLOCK, PER_S = 32, 50.0
SCALE = np.array([0.5, 0.25])


def slowly(block, scale, before):
    """Peak, RMS and slope of one channel's block, in plain Python."""
    values = [float(v) for v in block]
    rms = math.sqrt(math.fsum(v * v for v in values) / len(values)) * scale
    return max(map(abs, values)) * scale, rms, (rms - before) * PER_S


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
@pytest.mark.parametrize("pieces", [(32,), (1, 31), (7, 20, 5)])
def test_levels_are_those_of_plain_sums_however_a_block_is_cut(kind, pieces):
    stretch = np.random.default_rng(1).integers(-3000, 3000, (2, 200)).astype(kind)
    stretch[0, 3] = -32768
    levels = levels_of(SCALE, np.full((3, 2), np.inf))
    before = [math.nan, math.nan]
    for first in range(0, 96, BLOCK):
        at = first
        for n in pieces:
            whole = at + n == first + BLOCK
            assert not exceed(stretch, at, at + n, whole, BLOCK, PER_S, levels)
            at += n
        for c in range(2):
            wanted = slowly(stretch[c, first : first + BLOCK], SCALE[c], before[c])
            np.testing.assert_allclose(levels.found[:, c], wanted, rtol=1e-12)
            before[c] = wanted[1]


def test_each_limit_alone_is_seen_at_the_end_of_its_block_and_not_before():
    quiet, loud = np.zeros((2, BLOCK), np.int16), np.zeros((2, BLOCK), np.int16)
    loud[1] = 100
    for quantity in range(3):
        limits = np.full((3, 2), np.inf)
        limits[quantity, 1] = (24.9, 24.9, 1249.0)[quantity]
        levels = levels_of(SCALE, limits)
        assert not exceed(quiet, 0, BLOCK, True, BLOCK, PER_S, levels)
        assert not exceed(loud, 0, BLOCK // 2, False, BLOCK, PER_S, levels)
        assert exceed(loud, BLOCK // 2, BLOCK, True, BLOCK, PER_S, levels)
        limits = np.full((3, 2), np.inf)
        limits[quantity, 1] = (25.1, 25.1, 1251.0)[quantity]
        levels = levels_of(SCALE, limits)
        exceed(quiet, 0, BLOCK, True, BLOCK, PER_S, levels)
        assert not exceed(loud, 0, BLOCK, True, BLOCK, PER_S, levels)


def test_the_first_block_has_no_slope_and_what_is_not_finite_counts_as_nothing():
    levels = levels_of(SCALE, np.zeros((3, 2)))
    x = np.zeros((2, BLOCK), np.float32)
    x[0, :3] = np.nan, np.inf, -np.inf
    assert not exceed(x, 0, BLOCK, True, BLOCK, PER_S, levels)
    assert levels.found[:2].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert np.isnan(levels.found[2]).all()
