"""Figures of merit against plain counting, SciPy and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.evaluation import area_under_curve, prediction_limit

VALUES = st.lists(st.integers(-4, 4), max_size=12)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_area_counts_pairs_and_halves_ties(normal, fault):
    found = area_under_curve(np.array(normal, float), np.array(fault, float))
    if not normal or not fault:
        assert math.isnan(found)
        return
    wins = sum(1.0 if f > n else 0.5 if f == n else 0.0 for f in fault for n in normal)
    assert found == pytest.approx(wins / (len(normal) * len(fault)))


def test_area_orders_infinities():
    assert area_under_curve(np.array([0.0, 1.0]), np.array([np.inf])) == 1.0
    assert area_under_curve(np.array([np.inf]), np.array([np.inf])) == 0.5


@pytest.mark.parametrize("n", [3, 5, 20])
def test_one_in_a_hundred_new_healthy_values_exceeds_the_limit(n):
    rng = np.random.default_rng(n)
    draws = rng.normal(7.0, 0.3, (4000, n + 1))
    above = np.mean([row[-1] > prediction_limit(row[:-1]) for row in draws])
    assert above == pytest.approx(0.01, abs=0.005)


def test_a_limit_needs_three_values():
    with pytest.raises(ValueError, match="at least 3"):
        prediction_limit([1.0, 2.0])
