"""How far rounding may go, and that it is rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vibro.wire.precision import (
    MANTISSA_BITS,
    STEPS,
    round_mantissa,
    round_step,
    round_to_spread,
    status,
)

USUAL = st.floats(-1e6, 1e6, width=32)


@given(npst.arrays(np.float32, st.integers(1, 40)), st.integers(1, 22))
def test_rounding_is_to_the_nearest_number_of_that_many_bits(values, bits):
    got = round_mantissa(values, bits)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(values))
    np.testing.assert_array_equal(got[~np.isfinite(values)], values[~np.isfinite(values)])
    finite = np.isfinite(values) & np.isfinite(got)
    raw = got[finite].view(np.uint32)
    assert (raw % (1 << (23 - bits)) == 0).all()
    exact, near = values[finite].astype(np.float64), got[finite].astype(np.float64)
    normal = np.abs(exact) > 1e-37
    step = np.exp2(np.floor(np.log2(np.abs(exact[normal]))) - bits)
    assert (np.abs(near - exact)[normal] <= step / 2).all()


def test_eight_bits_are_kept():
    assert MANTISSA_BITS == 8
    one = np.array([1 + 2.0**-8, 1 + 2.0**-9 - 2.0**-12, 1 + 2.0**-9 + 2.0**-12], np.float32)
    assert round_mantissa(one).tolist() == [1 + 2.0**-8, 1.0, 1 + 2.0**-8]


@given(npst.arrays(np.float32, 30, elements=USUAL), st.integers(-12, 6))
def test_steps_are_powers_of_two_and_the_nearest(values, exponent):
    got = round_step(values, exponent)
    exact = values.astype(np.float64)
    assert (np.abs(got - exact) <= 2.0**exponent / 2 + np.abs(exact) * 2.0**-24).all()
    np.testing.assert_array_equal(round_step(got, exponent), got)
    assert not np.signbit(got[got == 0]).any()


@given(st.data(), st.sampled_from(sorted(STEPS)))
def test_the_error_is_bounded_by_how_much_windows_scatter(data, content):
    """Half a step at most; features that span decades are told in proportion to themselves."""
    n, steps = 12, STEPS[content]
    log = data.draw(npst.arrays(np.bool_, n))
    positive = st.floats(2.0**-10, 2.0**10, width=32)
    values = data.draw(npst.arrays(np.float32, n, elements=positive))
    mean = data.draw(npst.arrays(np.float64, n, elements=st.floats(0.01, 1e3)))
    spread = mean * data.draw(npst.arrays(np.float64, n, elements=st.floats(1e-3, 10.0)))
    error = np.abs(round_to_spread(values, mean, spread, steps, log).astype(np.float64) - values)
    most = np.where(log, spread / mean * values, spread) / (2 * steps)
    # One mantissa bit is always kept, and float32 has no more than 23.
    assert (error <= np.maximum(most, values * 2.0**-24) * (1 + 1e-6)).all()


def test_what_does_not_scatter_or_is_not_finite_is_left_alone():
    values = np.array([0.1, np.nan, np.inf, 0.1], np.float32)
    spread = np.array([0.0, 1.0, 1.0, np.nan])
    got = round_to_spread(values, np.ones(4), spread, 8, np.array([True, False, True, False]))
    assert got.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    ("name", "most"),
    [("p_fast", 0.25), ("p_long", 0.25), ("rpm", 0.0005), ("velocity_rms_mm_s", 0.002)],
)
def test_status_is_told_in_proportion(name, most):
    values = np.geomspace(1e-9, 3000.0, 999).astype(np.float32)
    assert (np.abs(status(name, values) / values.astype(np.float64) - 1.0) <= most).all()


def test_scores_are_told_to_the_256th_and_severities_exactly():
    scores = np.linspace(0.0, 1.0, 999).astype(np.float32)
    assert np.abs(status("score_fast", scores) - scores).max() <= 2.0**-9
    assert status("severity", np.arange(5, dtype=np.float32)).tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(status("score_long", np.array([np.nan], np.float32))).all()
