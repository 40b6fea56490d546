"""Sound machines are left alone: the count of false verdicts, and the bound it gives."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vibro.diagnosis.machines import RATE, healthy, noise, point, time_s
from vibro.diagnosis import assess, reference_of
from vibro.faults import Severity
from vibro.kinematics import find_bearing

BEARINGS = [find_bearing(name) for name in ("6205", "6208", "6309", "6310")]


def coloured(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Noise through a few resonances, shaft orders on it, its level swinging with the turn."""
    n = round(RATE * seconds)
    f = np.fft.rfftfreq(n, 1 / RATE)
    gain = np.full(f.size, 0.5)
    for centre in rng.uniform(500, 5500, 3):
        gain += rng.uniform(0.3, 3) / (1 + ((f - centre) / rng.uniform(20, 200)) ** 2)
    return np.fft.irfft(gain * np.fft.rfft(rng.standard_normal(n)), n)


def sound_machine(seed: int) -> tuple[np.ndarray, float]:
    rng = np.random.default_rng(seed)
    seconds, rpm = float(rng.choice([2.0, 3.0])), float(rng.uniform(700, 3600))
    turn = 2 * np.pi * rpm / 60 * time_s(seconds) + 0.05 * np.sin(time_s(seconds))
    x = coloured(rng, seconds) * (1 + rng.uniform(0, 0.3) * np.cos(turn))
    for order in range(1, 9):
        x += rng.uniform(0, 0.5) * np.cos(order * turn + rng.uniform(0, 6.28))
    return x, rpm


@pytest.mark.parametrize("trials", [40, pytest.param(120, marks=pytest.mark.prove)])
def test_no_sound_machine_gets_a_bearing_verdict(trials):
    """0 of 120: at 95 % confidence fewer than 2.5 % of such clips are accused (rule of three)."""
    accused = []
    for seed in range(trials):
        x, rpm = sound_machine(seed)
        found = assess(x[None], RATE, rpm, [point(bearing=BEARINGS[seed % len(BEARINGS)])])
        accused += [(seed, d.fault) for d in found.diagnoses]
    assert accused == []


@pytest.mark.parametrize("seed", range(4))
def test_a_sound_machine_is_still_sound_beside_its_own_commissioning(seed):
    points = [point("de-h", "H"), point("de-v", "V")]
    before = reference_of([healthy(seed), healthy(50 + seed)], RATE, 1480.0, points)
    now = np.array([healthy(seed) + noise(7, 0.3), healthy(50 + seed) + noise(8, 0.3)])
    found = assess(now, RATE, 1478.0, points, reference=before)
    assert found.diagnoses == ()
    assert found.severity is Severity.OK


def test_wear_in_of_a_fifth_in_level_is_no_fault():
    points = [point()]
    before = reference_of(healthy(3)[None], RATE, 1480.0, points)
    assert assess(1.2 * healthy(3)[None], RATE, 1480.0, points, reference=before).diagnoses == ()
