"""Faults of a sensor, from simulated waveforms: told as such, and nothing is scored meanwhile."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from edge_node.judging.judge import Judge
from tests.edge_node.plants import MACHINE, SCALE, T0, S, bundle_of, facts_of
from vibro.decide import most_crest
from vibro.faults import SENSOR_FAULTS, Fault, Severity
from vibro.features.stream import MachineFeatures
from vibro.records import StreamInfo
from vibro.simulate import Scenario, SimulatedMachine, Truth

pytestmark = pytest.mark.slow_nojit
RATE, RPM, ONSET_S, END_S = 25600, 1480.0, 6.0, 16.0
PLANT = replace(MACHINE, points=tuple(replace(p, rate_hz=float(RATE)) for p in MACHINE.points))
INFO = StreamInfo(PLANT.channels, float(RATE), np.full(2, SCALE, np.float32), 0, 2)


@cache
def rendered(fault: Fault | None = None, seed: int = 1) -> np.ndarray:
    """Counts of both channels; the first one's sensor fails, the other hears the same machine."""
    truths = () if fault is None else (Truth(PLANT.path, fault, ONSET_S),)
    scenario = Scenario(END_S, 0.0, seed, truths)
    counts, _ = SimulatedMachine(PLANT, scenario).render(0, round(END_S * RATE))
    if fault is None:
        return counts
    return np.stack([counts[0], rendered(None, seed)[1]])


@cache
def baseline():
    return bundle_of(rendered(), rate_hz=float(RATE))


def judged(counts, bundle):
    """Events and facts of all windows in the order of their last samples."""
    judge = Judge(PLANT, INFO, 8 * S)
    judge.use(bundle)
    features = MachineFeatures(float(RATE), judge.setups)
    spans = features.spans
    batch = features.push(counts.astype(np.float32) * np.float32(SCALE), RPM)
    windows = [
        (int(f) + spans.fast_window, "fast", int(f), v)
        for f, v in zip(batch.fast_first, batch.fast, strict=True)
    ]
    windows += [
        (int(f) + spans.long_window_samples, "long", int(f), v)
        for f, v in zip(batch.long_first, batch.long, strict=True)
    ]
    events, facts = [], []
    for end, path, first, values in sorted(windows, key=lambda w: w[:2]):
        t0, t1 = (T0 + round(k * S / RATE) for k in (first, end))
        verdict = judge.window(path, first, t0, t1, values, RPM)
        events += verdict.events
        facts += [(t0, facts_of(verdict))] * (path == "fast")
    return judge, events, facts


@pytest.mark.parametrize("fault", sorted(SENSOR_FAULTS))
def test_a_failed_sensor_is_named_and_its_machine_is_not_blamed(fault):
    judge, events, facts = judged(rendered(fault), baseline())
    assert {e.channel for e in events} == {"de-h"}
    assert {e.sensor_fault for e in events} == {fault}
    assert f"sensor:{fault}" in events[-1].causes
    assert not [c for c in events[-1].causes if not c.startswith(("sensor:", "monitoring_lost"))]
    assert 0 <= (events[0].t_decided_ns - T0) / S - ONSET_S < 2.5
    assert events[0].contributions == ()
    lost = fault in (Fault.FLATLINE, Fault.CLIPPING)
    assert events[-1].severity is (Severity.ALARM if lost else Severity.ALERT)
    assert ("monitoring_lost" in events[-1].causes) == lost
    after = [f["judged_share"] for t, f in facts if t > T0 + (ONSET_S + 2.5) * S]
    np.testing.assert_array_equal(np.array(after), np.tile([0.0, 1.0], (len(after), 1)))
    assert judge.standing() == [f"sensor:{fault}", "proven"]


def test_a_sound_sensor_of_a_sound_machine_is_told_nothing_of():
    judge, events, facts = judged(rendered(None, 2), bundle_of(rendered(None, 2), rate_hz=RATE))
    assert events == []
    assert (np.array([f["judged_share"] for _, f in facts]) == 1.0).all()
    assert judge.judged_share() == [1.0, 1.0]


def test_one_clipped_blow_is_no_fault_of_the_sensor_and_blinds_only_its_own_windows():
    counts = rendered().copy()
    ring = np.exp(-np.arange(400) / 60.0) * np.cos(0.7 * np.arange(400))
    at = round(8.0 * RATE)
    counts[0, at : at + 400] = np.clip(ring * 60000, -32768, 32767)
    judge, events, facts = judged(counts, baseline())
    assert [e for e in events if e.sensor_fault] == []
    blind = [t for t, f in facts if f["judged_share"][0] == 0.0]
    assert 2 <= len(blind) <= 4
    assert all(abs(t - T0 - 8 * S) < 0.4 * S for t in blind)
    assert judge.state == "running"


def test_a_bump_that_rings_is_no_spike_and_one_sample_is():
    """At any size: what parts them is how long the energy lasts."""
    features = MachineFeatures(float(RATE), Judge(PLANT, INFO, S).setups)
    n = features.spans.fast_window
    noise = np.random.default_rng(0).standard_normal((2, n)).astype(np.float32)
    noise[0, n // 2] += 300.0
    ring = 300.0 * np.exp(-np.arange(400) / 40.0) * np.cos(0.9 * np.arange(400))
    noise[1, n // 2 : n // 2 + 400] += ring.astype(np.float32)
    row = features.push(noise, RPM).fast[0]
    share = row[:, 2] / row[:, 1] / most_crest(n)
    assert share[0] > 0.9
    assert share[1] < 0.4
    assert np.isnan(most_crest(256))


def test_all_channels_falling_together_is_the_machines_doing():
    """Unloaded at the same speed: the forest speaks, no sensor is blamed."""
    counts = rendered().copy()
    after = round(ONSET_S * RATE)
    counts[:, after:] = counts[:, after:] // 8
    _, events, _ = judged(counts, baseline())
    assert events
    assert {e.sensor_fault for e in events} == {None}
    assert {e.channel for e in events} == {"de-h", "de-v"}


def test_a_loose_mount_is_detached_though_its_cable_rings():
    """High frequencies are gone, a resonance of the cable at 60 Hz is louder than all before."""
    counts = rendered().astype(np.float64)
    after = round(ONSET_S * RATE)
    t = np.arange(counts.shape[1] - after) / RATE
    counts[0, after:] = 0.05 * counts[0, after:] + 1.5 / SCALE * np.cos(2 * np.pi * 60.0 * t)
    _, events, _ = judged(np.round(counts).astype(np.int16), baseline())
    assert {(e.channel, e.sensor_fault) for e in events} == {("de-h", Fault.DETACHED)}


def test_before_there_is_a_reference_nothing_has_come_off():
    _, events, _ = judged(rendered(Fault.DETACHED), None)
    assert events == []
