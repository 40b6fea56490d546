"""What a group can tell, in plain sentences."""

from __future__ import annotations

import math

from vibro.evaluation import best, broken_limits, labelled_limits, run_limits, ties


def figures(auc=None, low=0.0, high=1.0, far=0.0, far_low=0.0):
    return {
        "auc": auc, "auc_interval": (low, high), "recall": None, "recall_interval": None,
        "far": far, "far_interval": (far_low, 1.0), "lead_s": None, "lead_range_s": None,
    }  # fmt: skip


def test_ties_are_those_whose_interval_holds_the_best_value():
    methods = {
        "a": figures(0.95, 0.9, 0.985),
        "b": figures(0.99, 0.97, 1.0),
        "c": figures(0.97, 0.95, 0.995),
    }
    assert best(methods)["auc"] == ["b", "c"]
    assert ties(methods) == "not told apart by their area under the curve: b and c"
    assert "far" not in best(methods)  # who never alarms has the fewest
    assert "recall" not in best(methods)


def test_a_tie_of_all_methods_is_said_so():
    methods = {"a": figures(1.0, 0.3), "b": figures(0.9, 0.3), "c": figures(1.0, 0.3)}
    assert best(methods)["auc"] == ["a", "c", "b"]
    assert ties(methods).startswith("no method is told from another")
    assert ties({}) == ""
    assert ties({"a": figures(math.nan)}) == ""


def test_a_lead_that_false_alarms_bought_is_not_the_best():
    def run(lead, far_low):
        return figures(far=0.2, far_low=far_low) | {"lead_s": lead, "lead_range_s": (lead, lead)}

    methods = {"loud": run(900.0, 0.1), "calm": run(500.0, 0.0), "never": run(math.nan, 0.0)}
    assert best(methods)["lead_s"] == ["calm"]


def test_few_recordings_are_too_few_and_many_are_not():
    told = labelled_limits(5, 4)
    assert "5 healthy test recordings cannot bound the false-alarm rate below 45%" in told[0]
    assert "4 faulty recordings would not prove a recall above 40%" in told[1]
    assert labelled_limits(80, 40) == []
    assert len(labelled_limits(80, 5)) == 1
    assert "1 healthy test recording cannot" in labelled_limits(1, 40)[0]


def test_one_run_never_tells_lead_times_apart():
    assert len(run_limits(500)) == 1
    assert "one run has one lead time" in run_limits(500)[0]
    assert "8 snapshots before the alarm cannot" in run_limits(8)[0]


def test_limits_that_do_not_hold_are_named():
    methods = {"a": figures(far=0.3, far_low=0.15), "b": figures(far=0.02)}
    assert broken_limits(methods).startswith("a alarms on more healthy recordings than the 1%")
    assert broken_limits({"a": methods["a"]}).startswith("every method")
    assert broken_limits({"b": methods["b"]}) == ""
