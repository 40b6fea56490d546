"""Public recordings of known faults: named at their lines, or honestly left unnamed."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from vibro.assets import Point
from vibro.diagnosis import assess
from vibro.faults import Fault, Severity
from vibro.files import read_manifest, read_recording
from vibro.kinematics import Bearing, find_bearing

# Multipliers as the publishers print them, beside the geometry that the code reads.
PRINTED = {
    "cwru": {"BPFO": 3.5848, "BPFI": 5.4152, "2xBSF": 4.7135, "FTF": 0.39828},
    "mfpt": {"BPFO": 3.245, "BPFI": 4.755},
    "ims": {"BPFO": 7.0921, "BPFI": 8.9079, "2xBSF": 8.395, "FTF": 0.44326},
}
BEARINGS = {
    "cwru": find_bearing("6205"),
    "mfpt": find_bearing("NICE"),
    "ims": Bearing("Rexnord ZA-2115", 16, 0.331, 2.815, 15.17),
}
RPM = {"3001_0.mat": 1797.0, "3002_1.mat": 1772.0, "3005_0.mat": 1797.0}


def entry_of(data_dir, name):
    found = [e for e in read_manifest(data_dir) if e.path.name == name]
    if not found or not found[0].path.is_file():
        pytest.skip(f"{name} is not among the recordings")
    return found[0]


@functools.cache
def said(data_dir, name, speed=1.0, bearing=None):
    entry = entry_of(data_dir, name)
    rpm = RPM.get(name, entry.rpm) * speed
    recording = read_recording(entry.path, rate_hz=entry.rate_hz, rpm=rpm, units="g")
    points = [
        Point(n, n.upper(), "H", bearing=bearing or BEARINGS[entry.set], rate_hz=entry.rate_hz)
        for n in recording.names
    ]
    return entry, rpm, assess(recording.samples, entry.rate_hz, rpm, points)


@pytest.mark.parametrize(
    ("name", "fault", "line"),
    [
        ("130at6_0.mat", Fault.BEARING_OUTER, "BPFO"),
        ("148_0.mat", Fault.BEARING_OUTER, "BPFO"),
        ("109_0.mat", Fault.BEARING_INNER, "BPFI"),
        ("OuterRaceFault_vload_7.mat", Fault.BEARING_OUTER, "BPFO"),
        ("InnerRaceFault_vload_1.mat", Fault.BEARING_INNER, "BPFI"),
        ("OF.mat", Fault.BEARING_OUTER, "BPFO"),
    ],
)
def test_a_known_defect_is_named_first_at_the_line_its_publisher_prints(
    data_dir, name, fault, line
):
    entry, rpm, found = said(data_dir, name)
    best = found.diagnoses[0]
    assert best.fault is fault
    assert best.probability > 0.75
    assert best.evidence[0].line == line
    printed = PRINTED[entry.set][line] * rpm / 60
    assert best.evidence[0].found_hz == pytest.approx(printed, rel=0.01)
    assert best.evidence[0].snr_db > best.evidence[0].decoy_snr_db + 3
    assert found.severity >= Severity.ALERT


def test_a_sound_bearing_recorded_at_48_khz_is_left_alone(data_dir):
    _, _, found = said(data_dir, "97_Normal_0.mat")
    assert found.diagnoses == ()
    assert found.severity is Severity.OK


def test_lines_that_do_not_stand_out_leave_the_type_uncertain(data_dir):
    """174 is an inner race of 1.3 s whose lines do not show: abnormal, and nothing surely wrong."""
    _, _, found = said(data_dir, "174_0.mat")
    assert found.severity >= Severity.WATCH
    assert found.diagnoses
    for d in found.diagnoses:
        assert d.fault in {Fault.UNKNOWN, Fault.BEARING_INNER} or d.probability < 0.6


@pytest.mark.parametrize(
    "name",
    ["122_0.mat", "3001_0.mat", "3002_1.mat", "3005_0.mat", "174_0.mat", "109_0.mat", "OF.mat"],
)
def test_no_recording_is_given_another_bearings_fault(data_dir, name):
    entry, _, found = said(data_dir, name)
    assert {d.fault for d in found.diagnoses} <= {entry.fault, Fault.UNKNOWN}


def test_the_first_snapshot_of_a_run_to_failure_accuses_no_bearing(data_dir):
    _, _, found = said(data_dir, "2004.02.12.10.32.39")
    assert all(d.fault.family != "bearing" for d in found.diagnoses)
    assert found.severity < Severity.ALERT


def test_a_snapshot_after_shutdown_is_a_machine_that_stands_still(data_dir):
    _, _, found = said(data_dir, "2004.02.19.06.22.39")
    assert found.stopped
    assert found.severity is Severity.OK


@pytest.mark.parametrize("speed", [0.7, 0.82, 1.08, 1.22])  # of no two families' ratio
@pytest.mark.parametrize("name", ["130at6_0.mat", "109_0.mat"])
def test_at_a_wrong_speed_nothing_is_named_with_confidence(data_dir, name, speed):
    _, _, found = said(data_dir, name, speed)
    assert all(d.fault.family != "bearing" or d.probability < 0.7 for d in found.diagnoses)


def test_with_another_bearings_geometry_the_lines_are_not_found(data_dir):
    _, _, found = said(data_dir, "130at6_0.mat", bearing=Bearing("other", 13, 7.94, 60.0))
    assert all(d.fault.family != "bearing" or d.probability < 0.7 for d in found.diagnoses)


@pytest.mark.parametrize("scale", [0.02, 30.0])
def test_wrong_units_change_levels_but_no_bearing_verdict(data_dir, scale):
    entry, rpm, one = said(data_dir, "130at6_0.mat")
    recording = read_recording(entry.path, rate_hz=entry.rate_hz, rpm=rpm, units="g")
    points = [Point(n, n, "H", bearing=BEARINGS["cwru"]) for n in recording.names]
    x = scale * np.asarray(recording.samples, float)
    other = assess(x, entry.rate_hz, rpm, points)
    assert other.diagnoses[0].fault is one.diagnoses[0].fault
    assert other.diagnoses[0].evidence[0].found_hz == one.diagnoses[0].evidence[0].found_hz
    assert other.velocity_mm_s[0] == pytest.approx(scale * one.velocity_mm_s[0], rel=1e-3, abs=1e-4)
