"""`vibro evaluate --false-cases`: the same code in a small extent, and in full by `make prove`."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from cloud_jobs.retrain.train import train
from tests.vibro.cli.commands import refused, vibro
from vibro.cli.evaluate.false_cases import history, naming
from vibro.cli.evaluate.false_cases.detection import FAULTS, SIZES
from vibro.cli.evaluate.false_cases.figure import detection_svg
from vibro.cli.evaluate.false_cases.fleet import models, sites
from vibro.cli.evaluate.false_cases.history import BLOCK_S, SAMPLE_S, closely, month
from vibro.cli.evaluate.false_cases.intervals import median_delay, rate_interval
from vibro.cli.evaluate.false_cases.run import Extent, evaluate
from vibro.cli.evaluate.false_cases.signs import Signs
from vibro.cli.evaluate.false_cases.telling import lines, write_figure
from vibro.errors import BadInputError
from vibro.faults import Severity
from vibro.simulate import plant
from vibro.simulate.condition import FACTORS
from vibro.simulate.feature_level import PATHS
from vibro.simulate.plant_life import DAY_S, Life, LifeRules

pytestmark = pytest.mark.slow_nojit

MOTOR = plant().machine("hamburg/motor-1")
LEARN = 1.0
SMALL = Extent(
    months=2,
    learn_days=LEARN,
    runs=8,
    run_s=16.0,
    long_audits=1.0,
    fast_audits=0.0,
    stretches=2,
    blocks=2,
    healthy_clips=1,
    clips_a_unit=1,
    trials=1,
    controls=1,
    sizes=(0.4,),
    within_s=600.0,
)


def quiet(_: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def learned():
    """A motor at feature level with its life and bundle."""
    rng = np.random.default_rng(0)
    fitted = models(rng, quiet, [MOTOR], runs=6, run_s=16.0)
    rules = LifeRules(shift_share=0.0, stops_a_week=0.0)
    unit = sites(fitted, 1, LEARN + 2.0, rng, rules, 1)[0][0]
    vectors = history.sampled_vectors(unit, 0.0, LEARN, rng)
    return unit, train("site-1", "motor", vectors, seed=0, version="v", created_ns=0)


def changed(unit, factor: str, by: float, from_day: float):
    """The same machine, one factor of whose condition changes for good."""
    logs = unit.life.logs.copy()
    logs[round(from_day * DAY_S / unit.life.step_s) :, FACTORS.index(factor)] += by
    return replace(unit, life=Life(unit.life.step_s, logs, unit.life.speed))


def test_a_healthy_motor_has_no_event(learned):
    unit, bundle = learned
    seen = month(unit, bundle, LEARN, np.random.default_rng(1))
    assert seen.judged_s == pytest.approx(2.0 * DAY_S, rel=0.01)
    assert not seen.events


def test_friction_that_rises_by_half_for_good_is_an_event_that_stays(learned):
    unit, bundle = learned
    seen = month(changed(unit, "friction", 0.4, 2.8), bundle, LEARN, np.random.default_rng(1), 0)
    lasting = [e for e in seen.last if "lasting_shift" in e.causes]
    assert lasting
    first = min(e.t_onset_ns for e in lasting)
    assert (first - history.T0_NS) / 1e9 == pytest.approx(2.8 * DAY_S, abs=4 * BLOCK_S)


@pytest.mark.parametrize("by", [0.0, 0.05, 0.1, 0.15, 0.4])
def test_where_nothing_seems_possible_the_judge_finds_nothing(learned, by):
    unit, bundle = learned
    unit = changed(unit, "friction", by, 1.3)
    rng = np.random.default_rng(2)
    seconds = LEARN * DAY_S + (np.arange(300) + 0.3) * SAMPLE_S
    rows = {path: unit.windows(path, seconds, rng) for path in PATHS}
    signs = Signs(unit, bundle)
    judged = {path: signs.judged(path, rows[path]) for path in PATHS}
    possible = signs.possible(seconds, rows, judged)
    events = history._thinned_events(unit, bundle, seconds, rows)
    assert possible or not events
    assert possible == (by == 0.4) or by in {0.05, 0.1, 0.15}


def test_every_window_of_a_block_is_judged_where_something_stands_out(learned):
    unit, bundle = learned
    unit = changed(unit, "friction", 0.4, LEARN)
    events = closely(unit, bundle, "long", 1.5 * DAY_S, 60.0, np.random.default_rng(3))
    assert events
    assert events[0].causes == ("forest_long",)


def test_an_event_that_stays_asks_for_clips_and_a_lasting_alert_is_a_case(learned):
    unit, bundle = learned
    seen = month(changed(unit, "friction", 0.4, 2.8), bundle, LEARN, np.random.default_rng(1), 0)
    clips = naming.clips_of(seen.events, history.T0_NS + round(3.0 * DAY_S * 1e9))
    assert len(clips) > 1
    assert clips[1].at_s - clips[0].at_s >= 3600.0 / 4
    assert max(e.severity for e in seen.last) >= Severity.ALERT
    found, diagnosed, _ = naming.cases(unit, seen.events, 0)
    assert (len(found), diagnosed) == (1, 0)


def test_no_event_no_case_and_no_clip(learned):
    assert naming.cases(learned[0], [], 3) == ([], 0, 0)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (3, 0.6187, 8.767)]
)
def test_rates_have_the_interval_of_garwoods_table(count, low, high):
    assert rate_interval(count, 1.0) == pytest.approx((low, high), rel=1e-3, abs=1e-9)
    assert rate_interval(count, 10.0) == pytest.approx((low / 10, high / 10), rel=1e-3, abs=1e-9)


def test_nothing_heard_says_nothing():
    assert rate_interval(0, 0.0) == (0.0, math.inf)


def test_a_median_delay_counts_what_was_missed():
    assert median_delay([1.0, 2.0, math.inf]) == 2.0
    assert median_delay([1.0, math.inf, math.inf]) is None
    assert median_delay([]) is None


def rows():
    return [
        {
            "fault": fault.value,
            "size": size,
            "found": min(1.0, 2 * size),
            "low": 0.0,
            "high": 1.0,
            "median_delay_s": 10.0 if size > 0.2 else None,
        }
        for fault, _, _ in FAULTS
        for size in SIZES
    ]


def test_the_figure_is_plain_svg_that_names_every_fault_on_dark_and_on_light():
    text = detection_svg(rows(), "a < b")
    root = ET.fromstring(text)  # noqa: S314 (made here)
    words = "".join(root.itertext())
    assert all(fault.value.replace("_", " ") in words for fault, _, _ in FAULTS)
    assert "prefers-color-scheme:dark" in text
    assert not [e for e in root.iter() if "script" in e.tag or "href" in e.attrib]


def test_a_figure_that_cannot_be_written_is_one_clear_line(tmp_path):
    with pytest.raises(BadInputError, match="cannot be written"):
        write_figure(tmp_path, {"detection": rows()})


def test_a_figure_without_a_folder_is_refused_before_anything_runs(tmp_path):
    done = vibro("evaluate", "--false-cases", "--figure", tmp_path / "none" / "a.svg")
    refused(done, "its folder is not there")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((SMALL, [MOTOR]), id="two-months"),
        pytest.param((Extent(), None), id="thousand-months", marks=pytest.mark.prove),
    ],
)
def proof(request):
    extent, machines = request.param
    return extent, evaluate(extent, 0, quiet, machines)


def test_the_proof_accounts_for_every_machine_month(proof):
    extent, result = proof
    found = result["false_cases"]
    assert found["machine_months"] == extent.months
    # Machines on shifts run for half of the time.
    assert 0.4 * extent.months <= found["running_months"] <= 1.01 * extent.months
    assert found["low95"] <= found["per_running_month"] <= found["high95"]
    json.dumps(result)


def test_feature_level_agrees_with_waveforms(proof):
    extent, result = proof
    full = extent.stretches > 10
    for path in PATHS:
        found = result["validation"][path]
        typical, worst = found["quantile_gap"]["0.5"]
        assert typical < (0.1 if full else 0.5)
        real, made = found["blocks"]["waveform"], found["blocks"]["feature_level"]
        assert abs(real[0] - made[0]) < (0.3 if full else 2.0)
        if full:
            assert worst < 0.3
            assert found["correlation_gap"][1] < 0.25
            a, b = found["share_below"]["0.01"]
            assert b > 0.5 * a


def test_large_faults_are_found_and_small_ones_less_often(proof):
    _, result = proof
    for fault in {r["fault"] for r in result["detection"]}:
        mine = sorted(
            (r for r in result["detection"] if r["fault"] == fault), key=lambda r: r["size"]
        )
        assert mine[-1]["found"] == 1.0
        assert mine[0]["found"] <= mine[-1]["found"]


def test_healthy_machines_seldom_have_a_case(proof):
    extent, result = proof
    assert result["false_cases"]["low95"] <= 0.03
    assert result["targets"][0]["met"] == (result["false_cases"]["high95"] <= 0.03)
    assert result["healthy_trials"]["events"] <= 0.1 * result["healthy_trials"]["trials"] + 1
    if extent.months >= 1000:
        assert result["false_cases"]["per_running_month"] <= 0.03


def test_everything_that_was_found_is_told(proof):
    _, result = proof
    text = "\n".join(lines(result))
    assert "running machine-months" in text
    assert all(r["fault"] in text for r in result["detection"])
    assert "false_cases_per_machine_month_upper95" in text
