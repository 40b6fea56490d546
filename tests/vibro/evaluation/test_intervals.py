"""Intervals against SciPy and simulation: they cover the truth as often as they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, norm

from vibro.evaluation import area_interval, area_under_curve, share_interval, upper_share


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_shares_are_bounded_as_clopper_and_pearson_do(counts):
    k, n = counts
    low, high = share_interval(k / n, n)
    assert low == pytest.approx(0.0 if k == 0 else beta.ppf(0.025, k, n - k + 1), abs=1e-6)
    assert high == pytest.approx(1.0 if k == n else beta.ppf(0.975, k + 1, n - k), abs=1e-6)
    assert upper_share(k / n, n) <= high


def test_nothing_seen_bounds_little():
    assert upper_share(0.0, 5) == pytest.approx(1 - 0.05**0.2)  # the rule of three's exact form
    assert math.isnan(upper_share(0.0, 0))
    with pytest.raises(ValueError, match="not a share"):
        upper_share(1.5, 2)


def test_a_share_between_two_counts_is_bounded_between_theirs():
    bounds = [upper_share(k / 10, 10) for k in (3, 3.5, 4)]
    assert bounds == sorted(bounds)


@pytest.mark.parametrize(("normal", "fault"), [(3, 4), (8, 30), (40, 20)])
@pytest.mark.parametrize("shift", [0.3, 1.5, 3.0])
def test_the_true_area_lies_in_its_interval(normal, fault, shift):
    rng = np.random.default_rng(normal)
    true = norm.cdf(shift / math.sqrt(2.0))
    inside = 0
    for _ in range(600):
        area = area_under_curve(rng.normal(size=normal), rng.normal(shift, 1.0, fault))
        low, high = area_interval(area, normal, fault)
        inside += low <= true <= high
    assert inside / 600 >= 0.92


def test_a_perfect_area_of_few_recordings_claims_little():
    low, high = area_interval(1.0, 5, 4)
    assert high == 1.0
    assert 0.5 < low < 0.7
    assert area_interval(1.0, 200, 200)[0] > 0.98
    widths = [1.0 - area_interval(1.0, n, n)[0] for n in (2, 5, 20, 100)]
    assert widths == sorted(widths, reverse=True)


def test_an_area_and_its_mirror_image_have_mirrored_intervals():
    low, high = area_interval(0.8, 6, 9)
    assert area_interval(0.2, 6, 9) == pytest.approx((1.0 - high, 1.0 - low))


def test_without_recordings_nothing_is_known():
    assert all(math.isnan(v) for v in area_interval(math.nan, 3, 3))
    assert all(math.isnan(v) for v in area_interval(1.0, 0, 3))
