"""Scoring against a slow twin and against scikit-learn."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from sklearn.ensemble import IsolationForest

from tests import naive_forest
from vibro.forest import average_path, from_estimator, path_lengths, score

ROWS = 40 if config.DISABLE_JIT else 400


def data(seed: int, n: int, features: int) -> np.ndarray:
    """Correlated columns of very different sizes, some of them rounded so that ties happen."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, features)) @ rng.standard_normal((features, features))
    x[:, ::3] = np.round(x[:, ::3], 1)
    return (x * 10.0 ** rng.integers(-3, 4, features)).astype(np.float32)


@cache
def fitted(trees: int = 21, features: int = 7, subsample: int = 64, share: float = 1.0, seed=0):
    model = IsolationForest(
        n_estimators=trees, max_samples=subsample, max_features=share, random_state=seed
    )
    return model.fit(data(seed, 300, features))


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"trees": 1},
        {"trees": 4},
        {"trees": 6, "features": 1},
        {"share": 0.5},
        {"subsample": 2},
        {"subsample": 256, "trees": 40},
    ],
    ids=str,
)
def test_agrees_with_scikit_learn_and_with_the_slow_twin(kind):
    model = fitted(**kind)
    forest = from_estimator(model)
    rows = data(99, ROWS, model.n_features_in_)
    rows[: ROWS // 4] *= 30  # far outside of what it was trained on
    found = score(forest, rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, -model.score_samples(rows), atol=1e-6)
    for row, value in zip(rows[:: ROWS // 20], found[:: ROWS // 20], strict=True):
        assert value == pytest.approx(naive_forest.score_fitted(model, row), abs=1e-6)
    walked = [naive_forest.walk_flat(forest, row) for row in rows[:20]]
    np.testing.assert_allclose(path_lengths(forest, rows)[:20], walked, rtol=1e-6)


@pytest.mark.parametrize("ulps", [-1, 0, 1])
def test_values_on_a_threshold_go_where_scikit_learn_sends_them(ulps):
    """Thresholds are rounded to float32; rows stand on them and one step to either side."""
    model = fitted(trees=12)
    forest = from_estimator(model)
    splits = forest.threshold[np.isfinite(forest.threshold)][:: 8 if config.DISABLE_JIT else 1]
    rows = np.repeat(splits[:, None], model.n_features_in_, axis=1)
    if ulps:
        rows = np.nextafter(rows, np.float32(ulps * np.inf))
    np.testing.assert_allclose(score(forest, rows), -model.score_samples(rows), atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 3, 4, 9]),
    st.integers(1, 5),
    st.sampled_from([2, 3, 17, 50]),
)
def test_any_forest(seed, trees, features, subsample):
    x = data(seed, 60, features)
    model = IsolationForest(n_estimators=trees, max_samples=subsample, random_state=seed).fit(x)
    forest = from_estimator(model)
    np.testing.assert_allclose(score(forest, x), -model.score_samples(x), atol=1e-6)
    assert len(forest.roots) == trees
    assert ((score(forest, x) > 0) & (score(forest, x) <= 1)).all()


def test_points_that_are_all_alike_are_not_anomalous():
    model = IsolationForest(n_estimators=5, random_state=0).fit(np.ones((50, 2), np.float32))
    forest = from_estimator(model)
    rows = np.array([[1, 1], [99, -99]], np.float32)
    np.testing.assert_allclose(score(forest, rows), -model.score_samples(rows), atol=1e-6)


def test_farther_out_is_never_less_anomalous():
    forest = from_estimator(fitted())
    ray = np.linspace(0, 50, 60, dtype=np.float32)[:, None] * np.ones((1, 7), np.float32)
    # A single ray may dip between boxes; from beyond the data on, nothing changes any more.
    far = score(forest, 1e6 * ray[1:])
    assert np.ptp(far) == 0.0
    assert far[0] > np.median(score(forest, data(5, ROWS, 7)))


def test_order_and_company_of_rows_do_not_matter():
    forest, rows = from_estimator(fitted()), data(3, ROWS, 7)
    one_by_one = np.concatenate([score(forest, row[None]) for row in rows[:30]])
    assert (one_by_one == score(forest, rows)[:30]).all()
    assert (score(forest, np.asfortranarray(rows)) == score(forest, rows)).all()
    assert score(forest, rows[:0]).shape == (0,)


def test_nan_goes_left_and_gives_a_score():
    forest, rows = from_estimator(fitted()), data(3, 8, 7)
    low = rows.copy()
    low[:, 2] = -np.inf
    rows[:, 2] = np.nan
    assert (score(forest, rows) == score(forest, low)).all()


@pytest.mark.parametrize("shape", [(7,), (3, 6), (3, 8), (2, 3, 7)])
def test_rows_of_the_wrong_width_are_refused(shape):
    with pytest.raises(ValueError, match="do not have 7 features"):
        score(from_estimator(fitted()), np.zeros(shape, np.float32))


def test_average_path_is_that_of_random_binary_search_trees():
    """c(n) against the definition by harmonic numbers, whose logarithm is an approximation."""
    n = np.array([0, 1, 2, 3, 10, 100, 256, 5000])
    found = average_path(n)
    assert found[:3].tolist() == [0.0, 0.0, 1.0]
    np.testing.assert_allclose(found, [naive_forest.expected_path(int(k)) for k in n], rtol=1e-12)
    exact = [2 * math.fsum(1 / k for k in range(1, m)) - 2 * (m - 1) / m for m in (100, 256, 5000)]
    np.testing.assert_allclose(found[5:], exact, rtol=2e-3)
