"""The condition of a simulated machine: each factor moves what it says and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from vibro.simulate import Condition, Scenario, SimulatedMachine, plant

RATE = 25600
MOTOR = plant().machine("hamburg/motor-1")
SCENARIO = Scenario(1e6, 1e6, 3)


def heard(condition: Condition | None = None, n: int = 2 * RATE) -> np.ndarray:
    given = () if condition is None else (condition,)
    source = SimulatedMachine(MOTOR, SCENARIO, *given)
    counts, _ = source.render(5 * RATE, n)
    return counts[0] * float(source.info.scale[0])


def power(x: np.ndarray, low_hz: float, high_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft((x - x.mean()) * np.hanning(x.size))) ** 2
    f = np.fft.rfftfreq(x.size, 1 / RATE)
    return float(spectrum[(f >= low_hz) & (f < high_hz)].sum())


def test_a_machine_as_made_is_the_same_with_and_without_a_condition():
    assert np.array_equal(heard(), heard(Condition()))


def test_the_sensors_gain_is_on_everything():
    # The quantisation of 16 bits stays as it is.
    assert np.abs(heard(Condition(gain=1.1)) - 1.1 * heard()).max() < 0.04


def test_the_line_at_shaft_speed_changes_alone():
    plain, changed = heard(), heard(Condition(one_x=1.5))
    assert power(changed, 20, 30) / power(plain, 20, 30) == pytest.approx(2.25, rel=0.05)
    assert power(changed, 40, 12_000) == pytest.approx(power(plain, 40, 12_000), rel=1e-3)


def test_friction_lifts_the_resonances_and_not_the_shafts_lines():
    plain, changed = heard(), heard(Condition(friction=1.5))
    assert power(changed, 2000, 8000) / power(plain, 2000, 8000) == pytest.approx(2.1, abs=0.25)
    assert power(changed, 20, 30) == pytest.approx(power(plain, 20, 30), rel=0.1)


def test_a_stiffer_structure_rings_higher():
    def centre(x: np.ndarray) -> float:
        bands = np.arange(1500, 4000, 50)
        levels = [power(x, b, b + 50) for b in bands]
        return float(np.average(bands, weights=levels))

    long = 4 * RATE
    shift = centre(heard(Condition(stiffness=1.03), long)) / centre(heard(None, long))
    assert 1.005 < shift < 1.05


def test_logarithms_and_back():
    condition = Condition(load=0.8, friction=1.1, stiffness=0.99)
    assert Condition.of(condition.logs).logs == pytest.approx(condition.logs)
