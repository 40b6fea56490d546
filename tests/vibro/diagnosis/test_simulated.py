"""Faults of the plant's simulator: what was put into a machine is what is said of it."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from vibro.diagnosis import assess, reference_of
from vibro.faults import Fault, Severity
from vibro.iso10816 import IsoLimits
from vibro.simulate import Scenario, SimulatedMachine, Truth, plant

pytestmark = pytest.mark.slow_nojit

RATE = 25600
CLIP = 6 * RATE
BEARING_ORDERS = {
    Fault.BEARING_OUTER: "bpfo",
    Fault.BEARING_INNER: "bpfi",
    Fault.BEARING_BALL: "bsf",
    Fault.BEARING_CAGE: "ftf",
}


def clip(machine, fault=None, first=0, seed=5):
    truths = (Truth(machine.path, fault, -10.0, 1.0),) if fault else ()
    source = SimulatedMachine(machine, Scenario(600.0, 100.0, seed, truths))
    counts, rpm = source.render(first, CLIP)
    return counts * source.info.scale[:, None].astype(np.float64), rpm


@functools.cache
def commissioned(path, seed):
    """Reference of a machine in good order."""
    machine = plant().machine(path)
    x, rpm = clip(machine, seed=seed)
    return reference_of(x, RATE, rpm, machine.points)


def said(path, fault, seed=5):
    machine, reference = plant().machine(path), commissioned(path, seed)
    x, rpm = clip(machine, fault, CLIP, seed)
    iso = machine.iso_limits if isinstance(machine.iso_limits, IsoLimits) else None
    found = assess(x, RATE, rpm, machine.points, iso=iso, reference=reference)
    return machine, rpm, found


@pytest.mark.parametrize("fault", BEARING_ORDERS)
@pytest.mark.parametrize("path", ["hamburg/motor-1", "austin/pump-1", "porto/gearbox-1"])
def test_a_bearing_defect_is_named_at_its_line(path, fault):
    """All of these bearings have a BPFO within the slip of 3x; one stands beside a gear."""
    machine, rpm, found = said(path, fault)
    assert [d.fault for d in found.diagnoses] == [fault]
    line = found.diagnoses[0].evidence[0]
    order = getattr(machine.points[0].bearing.orders(), BEARING_ORDERS[fault])
    order *= 2 if fault is Fault.BEARING_BALL else 1
    assert line.expected_hz == pytest.approx(order * rpm / 60, rel=1e-3)
    assert 0.98 < line.found_hz / line.expected_hz < 1.0  # it slips
    assert line.snr_db > line.decoy_snr_db


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("porto/fan-1", Fault.IMBALANCE),
        ("hamburg/pump-1", Fault.MISALIGNMENT),
        ("hamburg/motor-1", Fault.LOOSENESS),
        ("porto/gearbox-1", Fault.GEAR_TOOTH),
        ("porto/gearbox-1", Fault.GEAR_MESH),
        ("austin/motor-1", Fault.FLATLINE),
        ("austin/motor-1", Fault.CLIPPING),
        ("austin/motor-1", Fault.DROPOUT),
        ("austin/motor-1", Fault.BIAS),
        ("austin/motor-1", Fault.SPIKE),
        ("austin/motor-1", Fault.DETACHED),
    ],
)
def test_every_other_fault_is_named_too(path, fault):
    found = said(path, fault)[2]
    assert [d.fault for d in found.diagnoses] == [fault]
    assert found.severity >= Severity.ALERT


def test_cavitation_is_noticed_as_noise_that_no_line_explains():
    found = said("austin/pump-1", Fault.CAVITATION)[2]
    assert [d.fault for d in found.diagnoses] == [Fault.UNKNOWN]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "path", ["hamburg/motor-1", "austin/pump-1", "porto/gearbox-1", "austin/fan-1"]
)
def test_a_sound_machine_is_left_alone(path, seed):
    found = said(path, None, seed)[2]
    assert found.diagnoses == ()
    assert found.severity is Severity.OK
