"""Recordings as machines of a plant."""

from __future__ import annotations

import math

import numpy as np
import pytest

from datasets.replay import MOST, replay_machines
from tests.datasets.manifests import add, noise, write
from vibro.assets import Register, export, parse_register
from vibro.errors import BadInputError
from vibro.faults import Fault
from vibro.records import SLUG


def one_a_fault(folder):
    return write(
        folder,
        [
            add(folder, "97_Normal_0.npy", noise(6000, 2)),
            add(folder, "98_Normal_1.npy", noise(6000, 2), rpm=1772),
            add(folder, "IR/105_0.npy", noise(6000, 2), "fault", "inner_race", rpm=1775),
            add(folder, "IR/106_0.npy", noise(6000, 2), "fault", "inner_race"),
            add(folder, "OR/131_0.npy", noise(6000), "fault", "outer_race", sample_rate_hz=48000),
            add(folder, "fan.npy", noise(600), set="ceiling_fan"),
        ],
    )


def test_one_machine_a_fault_with_its_commissioning_recording(tmp_path):
    machines = {m.name: m for m in replay_machines(one_a_fault(tmp_path))}
    assert list(machines) == ["97-normal-0", "105-0-inner", "131-0-outer"]
    inner = machines["105-0-inner"]
    assert (inner.site, inner.expected_fault) == ("cwru", Fault.BEARING_INNER)
    assert inner.commissioning is not None
    assert inner.commissioning.file == "98_Normal_1.npy"  # the nearest speed
    assert machines["131-0-outer"].commissioning is None  # no normal one at 48 kHz
    assert machines["97-normal-0"].expected_fault is None
    assert inner.machine.rpm_nominal == 1775.0


def test_a_folder_will_do_and_missing_recordings_are_left_out(tmp_path):
    one_a_fault(tmp_path)
    (tmp_path / "OR" / "131_0.npy").unlink()
    assert [m.name for m in replay_machines(tmp_path)] == ["97-normal-0", "105-0-inner"]


def test_kinematics_are_the_manifests_where_the_catalogue_differs(tmp_path):
    told = {"BPFO": 7.0, "BPFI": 9.0, "BSF": 3.9375}  # Z = 16, g = 1/8, D/d = 8, phi = 0
    entry = add(tmp_path, "a.npy", noise(6000), fault_freq_multipliers=told)
    (machine,) = replay_machines(write(tmp_path, [entry]))
    (point,) = machine.machine.points
    assert point.bearing is not None
    assert (point.bearing.elements, point.bearing.contact_deg) == (16, 0.0)
    assert (point.lines.bpfo, point.lines.bsf2) == pytest.approx((7.0, 7.875), rel=1e-4)


@pytest.mark.parametrize(
    "told", [{}, {"BPFO": 1.0, "BPFI": 1.0}, {"BPFO": 9.0, "BPFI": 7.0}, {"BPFO": 0, "BPFI": 0}]
)
def test_multipliers_that_no_bearing_has_are_not_known(tmp_path, told):
    entry = add(tmp_path, "a.npy", noise(6000), fault_freq_multipliers=told, bearing="its own")
    (machine,) = replay_machines(write(tmp_path, [entry]))
    assert machine.machine.points[0].bearing is None


def test_runs_are_one_machine_in_order_of_time(tmp_path):
    run = {"set": "ims", "run": "set2", "rpm": 2000}
    entries = [
        add(
            tmp_path, f"{i}.npy", noise(3000, 4, i), "run_to_failure", "natural", index=9 - i, **run
        )
        for i in range(9)
    ]
    (machine,) = replay_machines(write(tmp_path, entries))
    assert machine.machine.path == "ims/set2"
    assert [e.index for e in machine.entries] == list(range(1, 10))
    assert machine.expected_fault is None  # the publisher does not say which part failed


def test_a_wider_recording_is_cut_to_the_machines_channels(tmp_path):
    normal = add(tmp_path, "n.npy", noise(6000, 4))
    fault = add(tmp_path, "f.npy", noise(6000), "fault", "ball")
    by_name = {m.expected_fault: m for m in replay_machines(write(tmp_path, [normal, fault]))}
    machine = by_name[Fault.BEARING_BALL]
    recording = machine.read(machine.commissioning)
    assert (recording.samples.shape, recording.names) == ((1, 6000), ("ch1",))
    wide = by_name[None]
    with pytest.raises(BadInputError, match="has 1 channels"):
        wide.read(machine.entries[0])


def test_names_that_clash_are_numbered(tmp_path):
    entries = [add(tmp_path, f"{folder}/97_0.npy", noise(6000)) for folder in ("a", "b", "c")]
    names = [m.name for m in replay_machines(write(tmp_path, entries))]
    assert names == ["97-0-normal", "97-0-normal-2", "97-0-normal-3"]


def test_real_recordings(data_dir):
    machines = replay_machines(data_dir / "manifest.json")
    assert 1 <= len(machines) <= MOST
    assert {"cwru", "mfpt", "ims"} >= {m.site for m in machines}
    register = Register({m.machine.path: m.machine for m in machines})
    assert len(register) == len(machines)
    back = parse_register(export(register), "replayed")
    for m in machines:
        assert all(SLUG.match(p.channel) for p in m.machine.points)
        assert [p.lines.bpfo for p in back.machine(m.machine.path).points] == pytest.approx(
            [p.lines.bpfo for p in m.machine.points], nan_ok=True
        )
        for entry in (*m.entries, *([m.commissioning] if m.commissioning else [])):
            recording = m.read(entry)
            assert recording.samples.shape[0] == len(m.machine.points)
            assert recording.rate_hz == m.machine.points[0].rate_hz
            assert math.isfinite(float(np.abs(recording.samples).max()))
        if m.expected_fault:
            assert math.isfinite(m.machine.points[0].lines.bpfo)
