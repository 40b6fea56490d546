"""The block test: Student's prediction of one more healthy block, and what neighbours share."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from vibro.forest import Lasting, fit_lasting
from vibro.forest.lasting import student_tail


@example(1e-5, 5375.0)  # 1 - x is lost in x
@given(st.floats(-200, 200), st.floats(0.3, 1e5))
def test_students_tail_is_scipys(t, freedom):
    assert student_tail(t, freedom) == pytest.approx(stats.t.sf(t, freedom), rel=1e-8, abs=1e-300)


def test_nothing_is_said_of_nan():
    assert math.isnan(Lasting(0.0, 1.0, 20.0).p_value(math.nan))


@pytest.mark.parametrize("blocks", [10, 30])
@pytest.mark.parametrize("level", [0.05, 0.01, 0.001])
def test_one_more_healthy_block_falls_below_a_p_value_as_often_as_it_says(blocks, level):
    rng = np.random.default_rng(1)
    fitted = [fit_lasting(rng.normal(-3.0, 0.2, blocks)) for _ in range(600)]
    new = rng.normal(-3.0, 0.2, (600, 40))
    p = np.array([[f.p_value(x) for x in row] for f, row in zip(fitted, new, strict=True)])
    assert level / 3 < (p < level).mean() < 1.5 * level


def test_blocks_that_follow_each_other_count_for_less():
    """A slow wander of 30 blocks is not 30 pieces of evidence."""
    rng = np.random.default_rng(2)
    steps = rng.normal(0.0, 1.0, 300)
    slow = np.zeros(300)
    for i in range(1, 300):
        slow[i] = 0.9 * slow[i - 1] + steps[i]
    slow, quick = fit_lasting(slow), fit_lasting(steps)
    assert quick.effective_n > 200
    assert 8 < slow.effective_n < 40  # 300 * 0.1 / 1.9 is 16
    assert slow.p_value(slow.center + 4 * slow.scale) > quick.p_value(4 * quick.scale)


def test_no_draw_makes_it_infinitely_sensitive():
    assert fit_lasting(np.full(40, 0.3)).scale == 0.01


@pytest.mark.parametrize("n", [0, 9])
def test_too_few_blocks_are_not_judged_by(n):
    assert fit_lasting(np.append(np.arange(float(n)), [np.nan] * 30)) is None


def test_farther_out_is_ever_less_likely():
    lasting = Lasting(0.0, 0.1, 12.0)
    p = [lasting.p_value(x) for x in (0.0, 0.1, 0.5, 2.0, 10.0)]
    assert (np.diff(p) < 0).all()
    assert p[0] == pytest.approx(0.5)
