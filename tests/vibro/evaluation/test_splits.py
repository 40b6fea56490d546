"""Nobody has two roles."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.evaluation import split_normals, split_rounds, split_run
from vibro.evaluation.splits import GUARD, ROTATED, UNITS


@settings(max_examples=80)
@given(st.lists(st.integers(1000, 5000), min_size=3, max_size=40))
def test_recordings_have_one_role_in_the_order_of_time(lengths):
    split = split_normals(lengths)
    roles = [
        sorted({p.recording for p in pieces}) for pieces in (split.fit, split.calibrate, split.test)
    ]
    assert roles[0] + roles[1] + roles[2] == list(range(len(lengths)))
    assert all(roles)
    assert len(split.calibrate) >= UNITS
    assert len(split.test) >= UNITS
    for p in (*split.fit, *split.calibrate, *split.test):
        assert 0 <= p.start < p.stop <= lengths[p.recording]
    whole = all(p.samples == lengths[p.recording] for p in (*split.calibrate, *split.test))
    assert whole != bool(split.caution)  # cutting into blocks is said


@given(st.integers(2000, 10**6))
def test_a_single_recording_is_divided_with_guards(n):
    split = split_normals([n])
    pieces = (*split.fit, *split.calibrate, *split.test)
    assert [p.start for p in pieces] == sorted(p.start for p in pieces)
    assert all(a.stop <= b.start for a, b in itertools.pairwise(pieces))
    guard = round(GUARD * n)
    assert split.calibrate[0].start - split.fit[0].stop == guard
    assert split.test[0].start - split.calibrate[-1].stop >= guard
    assert (len(split.calibrate), len(split.test)) == (UNITS, UNITS)
    assert "one normal recording" in split.caution


def test_two_recordings_test_on_one_that_nothing_was_learnt_from():
    split = split_normals([9000, 9000])
    assert {p.recording for p in (*split.fit, *split.calibrate)} == {0}
    assert {p.recording for p in split.test} == {1}
    assert split.fit[0].stop <= split.calibrate[0].start
    assert split.calibrate[-1].stop <= 9000


def test_none_is_said():
    split = split_normals([])
    assert (split.fit, split.calibrate, split.test) == ((), (), ())
    assert "no normal recording" in split.caution


@settings(max_examples=40)
@given(st.integers(1, 90))
def test_rounds_test_every_recording_once_and_never_on_what_they_learnt(n):
    rounds = split_rounds([1000] * n)
    assert rounds[0].test[-1].recording == n - 1
    if n < ROTATED:
        assert rounds == (split_normals([1000] * n),)
        return
    assert len(rounds) == 4
    assert sorted(p.recording for s in rounds for p in s.test) == list(range(n))
    for s in rounds:
        roles = [{p.recording for p in role} for role in (s.fit, s.calibrate, s.test)]
        assert sum(map(len, roles)) == len(set.union(*roles)) == n
        assert min(len(roles[1]), len(roles[2])) >= UNITS
        assert [p.recording for p in s.fit] == sorted(p.recording for p in s.fit)


def test_a_run_is_learnt_from_its_start():
    assert split_run(48) == (10, 15)
    assert split_run(20) == (4, 7)
    with pytest.raises(ValueError, match="at least 20"):
        split_run(19)
