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
    found = judge(method, [Round(units(1, 2), units(0, 0.1, -0.1), units(0, 0.05))], units(9, 8, 0))
    assert method.fitted == [1.0, 2.0]
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["far"] == 0.0
    assert found["far_upper95"] == pytest.approx(1 - 0.05**0.5)
    assert found["auc"] == pytest.approx((2 + 2 + 0.5) / 6)
    assert (found["lead_s"], found["first_alarm"], found["false_early"]) == (None, None, None)


def test_without_faults_there_is_no_recall():
    found = judge(Seen(), [Round(units(1), units(0, 0.1, -0.1), units(0, 99))], [])
    assert (found["far"], math.isnan(found["recall"]), math.isnan(found["auc"])) == (
        0.5,
        True,
        True,
    )


def test_rounds_are_pooled():
    low, high = units(0, 0.1, -0.1), units(10, 10.1, 9.9)
    rounds = [Round(units(1), low, units(0, 5)), Round(units(2), high, units(9, 9.5))]
    method = Seen()
    found = judge(method, rounds, units(8))
    assert method.fitted == [2.0]
    assert (found["far"], found["recall"], found["auc"]) == (1 / 4, 0.5, 0.5)


def test_a_run_is_judged_by_its_own_start():
    values = [1, 1, 0, 0.1, -0.1, 0, 50, 0, 0, 60, 70, 80, 90]
    times = [10.0 * i for i in range(len(values))]
    method = Seen()
    numbers = [100 + i for i in range(len(values))]
    found = judge_run(method, units(*values), times, numbers, (2, 5))
    assert method.fitted == [1.0, 1.0]
    assert (found["first_alarm"], found["lead_s"], found["false_early"]) == (111, 10.0, 1)
    assert found["far"] == pytest.approx(1 / 4)
    never = judge_run(Seen(), units(*[0, 0.1] * 6), times[:12], numbers, (2, 5))
    assert never["first_alarm"] is None
    assert math.isnan(never["lead_s"])


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
    assert facts["confusion"]["healthy"] == {"bearing_outer": 1}
