"""First lasting alarm, lead and early false alarms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.evaluation import run_figures


def said(flags):
    return run_figures([c == "x" for c in flags], [10.0 * i for i in range(len(flags))])


@pytest.mark.parametrize(
    ("flags", "first", "false", "quiet"),
    [
        ("......xxxxxx", 8, 0, 6),
        (".x....xxxx.xx", 8, 1, 6),
        ("xxx..........", None, 3, 13),  # three in a row that did not last
        ("...........xx", None, 2, 13),
        ("xxxxxxxx", 2, 0, 0),
        ("........", None, 0, 8),
        ("..", None, 0, 2),
    ],
)
def test_an_alarm_lasts_or_is_false(flags, first, false, quiet):
    found = said(flags)
    assert (found.first_alarm, found.false_early, found.quiet) == (first, false, quiet)
    if first is None:
        assert math.isnan(found.lead_s)
    else:
        assert found.lead_s == 10.0 * (len(flags) - 1 - first)  # from its confirmation


@settings(max_examples=60)
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_no_alarm_is_both_false_and_lasting(flags):
    found = run_figures(flags, list(range(len(flags))))
    assert 0 <= found.false_early <= found.quiet <= len(flags)
    if found.first_alarm is not None:
        assert all(flags[found.first_alarm - 2 : found.first_alarm + 1])
        assert found.quiet == found.first_alarm - 2
