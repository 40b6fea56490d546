"""One protocol: limits come from calibration, figures from the test, and nothing looks ahead."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vibro.evaluation import NamingTable, Round, Unit, judge, judge_run
from vibro.evaluation.naming import named
from vibro.faults import Fault, Severity
from vibro.records import Diagnosis


class Seen:
    """A method that remembers whom it was shown."""

    def __init__(self):
        self.fitted = []

    def fit(self, units):
        self.fitted = [float(u.fast[0, 0, 0]) for u in units]

    def statistic(self, unit):
        return float(unit.fast[0, 0, 0])


def units(*values):
    return [
        Unit(np.full((1, 1, 1), v, np.float32), np.zeros((0, 1, 1), np.float32)) for v in values
    ]


def test_figures_of_a_separable_group():
    method = Seen()
    found = judge(
        method, [Round(units(1, 2), units(0, 0.1, -0.1), units(0, 0.05))], units(9, 8, 0)
    ).figures
    assert method.fitted == [1.0, 2.0]
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["far"] == 0.0
    assert found["far_upper95"] == pytest.approx(1 - 0.05**0.5)
    assert found["auc"] == pytest.approx((2 + 2 + 0.5) / 6)
    assert (found["lead_s"], found["first_alarm"], found["false_early"]) == (None, None, None)


def test_without_faults_there_is_no_recall():
    found = judge(Seen(), [Round(units(1), units(0, 0.1, -0.1), units(0, 99))], []).figures
    assert (found["far"], math.isnan(found["recall"]), math.isnan(found["auc"])) == (
        0.5,
        True,
        True,
    )


def test_rounds_are_pooled():
    low, high = units(0, 0.1, -0.1), units(10, 10.1, 9.9)
    rounds = [Round(units(1), low, units(0, 5)), Round(units(2), high, units(9, 9.5))]
    method = Seen()
    found = judge(method, rounds, units(8)).figures
    assert method.fitted == [2.0]
    assert (found["far"], found["recall"], found["auc"]) == (1 / 4, 0.5, 0.5)


def test_a_run_is_judged_by_its_own_start():
    values = [1, 1, 0, 0.1, -0.1, 0, 50, 0, 0, 60, 70, 80, 90]
    times = [10.0 * i for i in range(len(values))]
    method = Seen()
    numbers = [100 + i for i in range(len(values))]
    found = judge_run(method, units(*values), times, numbers, (2, 5)).figures
    assert method.fitted == [1.0, 1.0]
    assert (found["first_alarm"], found["lead_s"], found["false_early"]) == (111, 10.0, 1)
    assert found["far"] == pytest.approx(1 / 4)
    never = judge_run(Seen(), units(*[0, 0.1] * 6), times[:12], numbers, (2, 5)).figures
    assert never["first_alarm"] is None
    assert math.isnan(never["lead_s"])


def test_intervals_count_recordings_and_not_their_blocks():
    rounds = [Round(units(1), units(0, 0.1, -0.1), units(*[0.05] * 20))]
    blocks = judge(Seen(), rounds, units(9, 8, 7)).figures
    one = judge(Seen(), rounds, units(9, 8, 7), 1).figures
    assert (blocks["far"], one["far"]) == (0.0, 0.0)
    assert blocks["far_upper95"] == pytest.approx(1 - 0.05 ** (1 / 20))
    assert one["far_upper95"] == pytest.approx(0.95)
    assert one["auc_interval"][0] < blocks["auc_interval"][0] < 1.0


def test_the_recalls_interval_spans_what_the_rounds_say():
    low, high = units(0, 0.1, -0.1), units(10, 10.1, 9.9)
    rounds = [Round(units(1), low, units(0)), Round(units(2), high, units(9))]
    found = judge(Seen(), rounds, units(*[8] * 30)).figures
    assert found["recall"] == 0.5  # all by the one limit, none by the other
    assert found["recall_interval"] == (0.0, 1.0)


def test_reaches_are_1_at_the_limit_and_tell_who_alarms():
    rounds = [Round(units(1), units(0, 0.1, -0.1), units(0, 5))]
    said = judge(Seen(), rounds, units(9, 0.05))
    assert said.calibrate.mean() == pytest.approx(0.0, abs=1e-6)
    assert (said.test > 1.0).tolist() == [False, True]
    assert (said.fault > 1.0).tolist() == [True, False]


def test_a_method_that_judges_many_at_once_says_the_same():
    class Many(Seen):
        def statistics(self, units):
            return [self.statistic(u) for u in units]

        def statistic(self, unit):
            return 2.0 * super().statistic(unit)

    rounds = [Round(units(1), units(0, 0.1, -0.1), units(0, 5))]
    one, many = (judge(m, rounds, units(9, 8)) for m in (Seen(), Many()))
    assert one.figures == many.figures
    assert many.fault == pytest.approx(one.fault)


def test_the_range_of_a_lead_tells_how_far_it_hangs_on_the_rule():
    values = [1, 1, 0, 0.1, -0.1, 0, 0.8, 0.8, 60, 70, 80, 90]
    times = [10.0 * i for i in range(len(values))]
    said = judge_run(Seen(), units(*values), times, list(range(12)), (2, 5))
    low, high = said.figures["lead_range_s"]
    assert said.figures["lead_s"] == 10.0
    assert low == 0.0  # five in a row never come
    assert high > 20.0  # at 3 % and two in a row the small step alarms
    assert said.began == 3
    assert len(said.test) == 7


def diagnosis(fault, probability):
    return Diagnosis(fault, probability, "de", Severity.ALERT, (), "")


def test_a_name_needs_probability():
    inner, outer = Fault.BEARING_INNER, Fault.BEARING_OUTER
    assert named(()) == "healthy"
    assert named((diagnosis(inner, 0.9), diagnosis(outer, 0.8))) == "bearing_inner"
    assert named((diagnosis(inner, 0.3),)) == "unknown"


def test_wrong_is_only_another_name():
    table = NamingTable()
    inner = Fault.BEARING_INNER
    for said in ("bearing_inner", "unknown", "healthy", "bearing_outer"):
        table.add(inner, said)
    table.add(None, "bearing_outer")
    facts = table.facts()
    assert {k: facts[k] for k in ("correct", "uncertain", "wrong", "total")} == {
        "correct": 1, "uncertain": 2, "wrong": 1, "total": 4,
    }  # fmt: skip
    assert facts["wrong_upper95"] == pytest.approx(0.7514, abs=1e-4)
    assert NamingTable().facts()["wrong_upper95"] is None
    assert facts["confusion"]["healthy"] == {"bearing_outer": 1}
