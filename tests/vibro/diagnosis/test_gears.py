"""Gears: one impact a turn for a tooth, grown mesh and sidebands for the whole of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vibro.diagnosis.machines import (
    RATE,
    RPM,
    damaged,
    defect_hz,
    noise,
    order_tone,
    point,
    ringing,
    strikes,
    tone,
)
from vibro.diagnosis import assess, reference_of
from vibro.diagnosis.reference import mesh_levels
from vibro.diagnosis.spectrum import spectrum_of
from vibro.faults import Fault
from vibro.kinematics import Bearing

TEETH, MATE = 29, 74
SHAFT_HZ = RPM / 60
MESH_HZ = TEETH * SHAFT_HZ
GEAR = point("gb-h", gear_teeth=TEETH, gear_mate_teeth=MATE)


def sound(seed: int, mesh: float = 0.8, sides: float = 0.05) -> np.ndarray:
    """A gear in good order: mesh harmonics with faint sidebands of both shafts."""
    x = noise(seed, 0.4) + order_tone(1, 0.4, seed)
    for h in (1, 2, 3):
        x += tone(h * MESH_HZ, mesh / h, h)
        for shaft in (SHAFT_HZ, MESH_HZ / MATE):
            for m in (-2, -1, 1, 2):
                x += tone(h * MESH_HZ + m * shaft, sides / h, m)
    return x


def struck(seed: int, size: float = 12.0, shaft_hz: float = SHAFT_HZ) -> np.ndarray:
    """One hit a turn; the shaft's speed wanders a little, as every shaft's does."""
    at = strikes(shaft_hz, np.random.default_rng(seed), jitter=2e-3)
    return ringing(at, np.full(at.size, size), hz=2700.0)


BEFORE = reference_of(sound(1)[None], RATE, RPM, [GEAR])


def named(x, reference=BEFORE, rpm=RPM, at=GEAR):
    found = assess(x[None], RATE, rpm, [at], reference=reference)
    return [d.fault for d in found.diagnoses], found


def test_a_sound_gear_is_left_alone():
    for seed in range(2, 8):
        for reference in (BEFORE, None):
            assert named(sound(seed), reference)[0] == []


@pytest.mark.parametrize("reference", [BEFORE, None])
@pytest.mark.parametrize("size", [12.0, 40.0])
def test_one_impact_a_turn_is_a_tooth(size, reference):
    faults, found = named(sound(2) + struck(2, size), reference)
    assert faults == [Fault.GEAR_TOOTH]
    (line,) = found.diagnoses[0].evidence
    assert line.line == "GMF"
    assert line.expected_hz == pytest.approx(MESH_HZ, abs=0.01)
    assert line.found_hz == pytest.approx(MESH_HZ, rel=2e-3)


def test_the_same_impacts_on_a_machine_without_a_gear_are_no_tooth():
    assert Fault.GEAR_TOOTH not in named(sound(2) + struck(2), None, at=point("gb-h"))[0]


def test_impacts_that_are_not_once_a_turn_are_no_tooth():
    x = sound(3) + struck(3, 30.0, 1.37 * SHAFT_HZ)
    assert Fault.GEAR_TOOTH not in named(x)[0]


@pytest.mark.parametrize("fault", ["bearing_outer", "bearing_inner"])
def test_a_bearing_beside_a_gear_is_still_a_bearing(fault):
    """Also one whose BPFO lies so near 3x that a comb of the shaft's holds it."""
    for bearing in (Bearing("6205", 9, 7.94, 39.04), Bearing("6311", 8, 20.638, 87.5)):
        geometry = {"z": bearing.elements, "d": bearing.ball_mm, "pitch": bearing.pitch_mm}
        x = 0.5 * sound(4) + damaged(fault, 4, size=14.0, **geometry)
        at = point("gb-h", gear_teeth=TEETH, gear_mate_teeth=MATE, bearing=bearing)
        faults, found = named(x, None, at=at)
        assert faults == [fault]
        found_hz = found.diagnoses[0].evidence[0].found_hz
        assert found_hz == pytest.approx(defect_hz(fault, **geometry), rel=0.01)


def test_a_mesh_whose_lines_have_grown_is_named_only_against_commissioning():
    worn = sound(5, mesh=2.4, sides=0.4)
    assert named(worn)[0] == [Fault.GEAR_MESH]
    assert named(worn, None)[0] == []


def test_a_mesh_that_only_carries_more_load_is_not_worn():
    """Load raises the mesh itself; wear raises its sidebands too."""
    assert named(sound(6, mesh=1.8))[0] == []
    assert named(sound(6, sides=0.075))[0] == []
    # Three times the level is worth a look, but by no name.
    assert named(sound(6, mesh=2.4))[0] == [Fault.UNKNOWN]


@pytest.mark.parametrize("rpm", [np.nan, 0.0])
def test_without_a_speed_no_gear_is_judged(rpm):
    x = sound(2, 3.0, 0.5) + struck(2, 40.0)
    assert all(f.family != "gear" for f in named(x, rpm=rpm)[0])


def test_mesh_levels_are_the_amplitudes_that_were_put_in():
    x = sound(7, mesh=2.0, sides=0.2)
    centre, sides = mesh_levels(spectrum_of(x, RATE), GEAR, RPM)
    harmonics = np.sqrt(1 + 1 / 4 + 1 / 9)
    # Lines between two bins lose up to 15 % in a Hann window.
    assert centre == pytest.approx(2.0 * harmonics, rel=0.15)
    assert sides == pytest.approx(0.2 * harmonics * np.sqrt(8), rel=0.2)
