"""From scores to p-values: uniform where the data are healthy, falling for ever beyond."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.forest import fit_tail

DRAWS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "exponential": lambda rng, n: rng.exponential(3.0, n),
    "chi": lambda rng, n: np.sqrt(rng.chisquare(30, n)),
    "uniform": lambda rng, n: rng.uniform(-2, 5, n),
}


@pytest.mark.parametrize("kind", DRAWS)
def test_p_values_of_healthy_values_are_uniform(kind):
    rng = np.random.default_rng(1)
    tail = fit_tail(DRAWS[kind](rng, 2000))
    p = np.sort(tail.p_value(DRAWS[kind](rng, 4000)))
    body = p[p > 0.1]
    # Kolmogorov's distance on the body: two samples of this size differ by 0.03 at p = 0.01.
    assert np.abs(body - np.searchsorted(p, body) / p.size).max() < 0.04


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize(("level", "most"), [(1e-2, 2.5), (1e-3, 6.0)])
def test_small_p_values_are_not_handed_out_too_freely(kind, level, most):
    """Over many calibrations, healthy values fall below a level little more often than it says."""
    rng = np.random.default_rng(2)
    shares = [
        (fit_tail(DRAWS[kind](rng, 300)).p_value(DRAWS[kind](rng, 2000)) < level).mean()
        for _ in range(40)
    ]
    assert np.mean(shares) < most * level


def test_an_exponential_tail_is_recovered():
    rng = np.random.default_rng(3)
    tail = fit_tail(rng.exponential(2.0, 20_000))
    value = 2.0 * np.log(1e6)  # p = 1e-6
    assert 1e-7 < tail.p_value(np.array(value)) < 1e-5


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=10, max_size=80),
    st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=20),
)
def test_larger_is_never_more_likely(healthy, values):
    tail = fit_tail(np.array(healthy))
    p = tail.p_value(np.sort(np.array(values)))
    assert (np.diff(p) <= 0).all()
    assert ((p > 0) & (p <= 1)).all()
    assert (np.diff(tail.knots) >= 0).all()
    assert tail.scale > 0


def test_few_values_are_trusted_less():
    rng = np.random.default_rng(4)
    x = rng.standard_normal(500)
    blocks = np.arange(500) // 25
    assert fit_tail(x, blocks).scale > fit_tail(x).scale
    assert (fit_tail(x, blocks).effective_n, fit_tail(x).effective_n) == (20, 500)


def test_repeats_within_a_block_are_no_new_evidence():
    """Overlapping windows say the same thing again: the tail stays as wide as without them."""
    rng = np.random.default_rng(6)
    x = rng.exponential(1.0, 400)
    repeated, blocks = np.repeat(x, 8), np.repeat(np.arange(400), 8)
    once, again = fit_tail(x), fit_tail(repeated, blocks)
    assert again.effective_n == once.effective_n
    assert again.scale == pytest.approx(once.scale, rel=0.02)
    assert fit_tail(repeated).scale < again.scale  # taken for independent they would narrow it


def test_values_that_never_varied_still_calibrate():
    tail = fit_tail(np.ones(50))
    assert tail.p_value(np.array([0.0, 1.0])).tolist() == pytest.approx([1.0, 0.1], abs=0.91)
    assert tail.p_value(np.array(2.0)) <= 1e-20


@pytest.mark.parametrize("n", [0, 9])
def test_too_few_are_refused(n):
    with pytest.raises(ValueError, match=f"{n} healthy values are too few"):
        fit_tail(np.r_[np.arange(float(n)), [np.nan] * 20, np.inf])


def test_nothing_is_said_of_nan():
    assert fit_tail(np.arange(20.0)).p_value(np.array([np.nan, 5.0]))[0] == 1.0
