"""Machines at feature level: windows as waveforms give them, and the life that machines lead."""

from __future__ import annotations

import numpy as np
import pytest

from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.simulate import Condition, Scenario, plant
from vibro.simulate.condition import FACTORS
from vibro.simulate.feature_level import (
    PATHS,
    REACH,
    TERMS,
    fit,
    heard,
    levels_of,
    terms,
    values_of,
)
from vibro.simulate.plant_life import DAY_S, STOPPED, LifeRules, live

pytestmark = pytest.mark.slow_nojit

MOTOR = plant().machine("hamburg/motor-1")
SCENARIO = Scenario(1e9, 1e9, 0)
RMS = FAST_NAMES.index("rms")


@pytest.fixture(scope="module")
def motor():
    return fit(MOTOR, SCENARIO, np.random.default_rng(0), runs=12, run_s=20.0)


def test_levels_and_values_are_inverse_and_what_is_not_defined_is_zero():
    values = np.abs(np.random.default_rng(0).normal(size=(5, 2, len(LONG_NAMES)))) + 0.1
    values = values.astype(np.float32)
    values[:, :, LONG_NAMES.index("gear_mesh_1")] = 0.0
    assert values_of("long", levels_of("long", values)) == pytest.approx(values, rel=1e-5)


@pytest.mark.parametrize("path", PATHS)
def test_windows_lie_where_those_of_a_waveform_lie_that_was_not_fitted(motor, path):
    logs = np.array([0.1, -0.05, 0.05, 0.1, 0.01, 0.0])
    batch = heard(MOTOR, SCENARIO, Condition.of(logs), 3_000_000, 60.0)
    real = levels_of(path, getattr(batch, path))
    made = levels_of(
        path, motor.stretch(path, np.tile(logs, (len(real), 1)), np.random.default_rng(1))
    )
    real, made = (x[..., ~np.isnan(x).any(axis=(0, 1))] for x in (real, made))
    moving = real.std(axis=0) > 1e-6
    spread = real.std(axis=0)[moving]
    apart = np.abs(real.mean(axis=0) - made.mean(axis=0))[moving] / spread
    assert np.median(apart) < 0.35
    ratio = made.std(axis=0)[moving] / spread
    assert 0.7 < np.median(ratio) < 1.3


def test_a_more_sensitive_sensor_is_louder_by_its_gain(motor):
    gain = np.zeros((400, len(FACTORS)))
    plain = motor.draw("fast", gain, np.random.default_rng(2))[..., RMS]
    gain[:, FACTORS.index("gain")] = 0.03
    louder = motor.draw("fast", gain, np.random.default_rng(2))[..., RMS]
    assert np.log(louder / plain).mean() == pytest.approx(0.03, abs=0.01)


def test_successive_windows_resemble_each_other_and_single_draws_do_not(motor):
    logs = np.zeros((2000, len(FACTORS)))

    def neighbours(x: np.ndarray) -> float:
        return float(np.corrcoef(x[1:, 0, RMS], x[:-1, 0, RMS])[0, 1])

    rng = np.random.default_rng(3)
    real = heard(MOTOR, SCENARIO, Condition(), 3_000_000, 100.0).fast
    assert neighbours(motor.stretch("fast", logs, rng)) == pytest.approx(neighbours(real), abs=0.12)
    assert neighbours(real) > 0.2
    assert abs(neighbours(motor.draw("fast", logs, rng))) < 0.1


def test_the_same_seed_draws_the_same_windows(motor):
    logs = np.zeros((50, len(FACTORS)))
    one, two = (motor.draw("long", logs, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one, two)


def test_terms_are_as_many_as_they_say():
    assert terms(np.zeros((3, len(FACTORS)))).shape == (3, TERMS)


def lives(count: int, days: float = 14.0, **changed):
    rules = LifeRules(**changed)
    return [live(days, 3, np.random.default_rng(i), rules) for i in range(count)]


def test_a_machine_on_shifts_stands_at_night_and_at_weekends():
    life = lives(1, shift_share=1.0, stops_a_week=0.0)[0]
    t = np.arange(len(life.speed)) * life.step_s
    night = (t % DAY_S < 6 * 3600) | (t // DAY_S % 7 >= 5)
    assert (life.speed[night] == STOPPED).all()
    assert (life.speed[~night & (t % DAY_S < 21 * 3600)] != STOPPED).all()
    assert len(life.starts) == 10


def test_conditions_stay_within_what_responses_are_fitted_for():
    for life in lives(10, days=37.0):
        assert (np.abs(life.logs) <= REACH).all()


def test_a_machine_warms_up_after_its_start():
    cold = {"friction_per_k": (-0.005, -0.005), "diurnal_k": (0.0, 0.0), "weather_k": 0.0}
    still = {"friction_sd": 0.0, "running_in": (0.0, 0.0), "wear_a_month": (0.0, 0.0)}
    life = lives(1, shift_share=1.0, stops_a_week=0.0, load_sd=0.0, **cold, **still)[0]
    friction = life.logs[:, FACTORS.index("friction")]
    start = int(life.starts[1])
    # Cold oil is thick: a tenth more friction at first, hardly any after three hours.
    assert friction[start] > 0.08
    assert abs(friction[start + round(3 * 3600 / life.step_s)]) < 0.02


def test_some_machines_use_all_their_speeds_and_others_only_the_rated_one():
    used = [set(life.speed[life.speed != STOPPED].tolist()) for life in lives(20)]
    assert {0, 1, 2} in used
    assert {2} in used


def test_conditions_between_two_steps_lie_between_theirs():
    life = lives(1)[0]
    middle = life.at(np.array([life.step_s * 10.5]))[0]
    assert middle == pytest.approx((life.logs[10] + life.logs[11]) / 2)
