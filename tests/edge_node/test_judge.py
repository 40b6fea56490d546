"""The judge of one machine: states, scores, severities and the facts of a status."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edge_node.judging.judge import Judge
from tests.edge_node.plants import KEYS, MACHINE, RATE, SCALE, T0, bundle_of, facts_of, healthy
from vibro.bundle import Scorer
from vibro.decide import DecisionRules
from vibro.faults import Severity
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.forest import Lasting
from vibro.records import StreamInfo

pytestmark = pytest.mark.slow_nojit
INFO = StreamInfo(MACHINE.channels, float(RATE), np.full(2, SCALE, np.float32), 3, 2)
BLOCK_NS = 8 * 10**9
RULES = DecisionRules(fast_n=2, fast_m=3, long_n=2, long_m=3, clear_s=1.0)
V, RMS = LONG_NAMES.index("velocity_rms_mm_s"), FAST_NAMES.index("rms")


@pytest.fixture(scope="module")
def trained():
    return bundle_of(healthy(40.0, 5))


@pytest.fixture(scope="module")
def rows():
    """Vectors of a healthy fast and long window, both channels."""
    judge = Judge(MACHINE, INFO, BLOCK_NS)
    x = healthy(6.0, 8).astype(np.float32) * np.float32(SCALE)
    batch = MachineFeatures(float(RATE), judge.setups).push(x, 1480.0)
    return {"fast": batch.fast[3], "long": batch.long[0]}


def told(judge, path, values, k, rpm=1480.0):
    t0 = T0 + k * 10**8
    return judge.window(path, 128 * k, t0, t0 + 2 * 10**8, values, rpm)


@pytest.mark.parametrize(
    ("rpm", "gain", "state"),
    [
        (1480.0, 1.0, "running"),
        (30.0, 1.0, "running"),
        (29.9, 1.0, "stopped"),
        (0.0, 1.0, "stopped"),
        (np.nan, 1.0, "running"),
        (np.nan, 1e-3, "stopped"),
    ],
)
def test_the_state_is_by_speed_or_by_loudness(rows, rpm, gain, state):
    judge = Judge(MACHINE, INFO, BLOCK_NS)
    values = rows["fast"].copy()
    values[:, RMS] *= gain
    verdict = told(judge, "fast", values, 0, rpm)
    assert verdict.state == judge.state == state


def test_one_loud_channel_is_enough_to_be_running(rows):
    judge = Judge(MACHINE, INFO, BLOCK_NS)
    values = rows["fast"].copy()
    values[0, RMS] = 0.0
    assert told(judge, "fast", values, 0, np.nan).state == "running"


def test_scores_are_the_scorers_and_facts_hold_the_last_long_window(rows, trained):
    judge = Judge(MACHINE, INFO, BLOCK_NS, RULES)
    judge.use(trained)
    assert judge.bundle_version == "v1"
    first = told(judge, "fast", rows["fast"], 0)
    assert np.isnan(facts_of(first)["score_long"]).all()
    assert facts_of(told(judge, "long", rows["long"], 1)) == {}
    facts = facts_of(told(judge, "fast", rows["fast"], 2))
    scorer = Scorer(trained, MACHINE.channels)
    for path in ("fast", "long"):
        score, p, _ = scorer.judge(path, rows[path], "running")
        np.testing.assert_array_equal(facts[f"score_{path}"], score)
        np.testing.assert_allclose(facts[f"p_{path}"], p, rtol=1e-6)
    np.testing.assert_array_equal(facts["velocity_rms_mm_s"], rows["long"][:, V])
    assert facts["rpm"].tolist() == [1480.0, 1480.0]


def test_an_event_says_who_when_and_why(rows, trained):
    judge = Judge(MACHINE, INFO, BLOCK_NS, RULES)
    judge.use(trained)
    odd = rows["fast"].copy()
    odd[1, RMS] *= 20
    events = [e for k in range(3) for e in told(judge, "fast", odd, k).events]
    (event,) = events
    assert event.channel == "de-v"
    assert str(event.id) == "event:harbour/motor-1/de-v:3:128:0"
    assert (event.t_onset_ns, event.bundle, event.state) == (T0 + 10**8, "v1", "running")
    assert event.severity is Severity.ALERT
    assert event.contributions[0][0] == "rms"
    assert event.contributions[0][1] > 10
    assert facts_of(told(judge, "fast", odd, 4))["severity"].tolist() == [0.0, 2.0]


def test_iso_zones_are_judged_without_any_bundle(rows):
    judge = Judge(MACHINE, INFO, BLOCK_NS, RULES)
    loud = rows["long"].copy()
    loud[0, V] = 5.0  # zone D of a medium machine on a rigid foundation
    (event,) = [e for k in range(3) for e in told(judge, "long", loud, k).events]
    assert (event.severity, event.causes) == (Severity.DANGER, ("iso_velocity",))
    assert (event.velocity_rms_mm_s, event.contributions) == (5.0, ())
    elsewhere = Judge(replace(MACHINE, iso_part="n/a"), INFO, BLOCK_NS, RULES)
    assert [e for k in range(3) for e in told(elsewhere, "long", loud, k).events] == []


def test_nothing_is_decided_while_the_machine_stands_still(rows, trained):
    judge = Judge(MACHINE, INFO, BLOCK_NS, RULES)
    judge.use(trained)
    for k in range(6):
        verdict = told(judge, "fast", rows["fast"] * 30, k, 0.0)
        assert verdict.events == ()
        assert np.isnan(facts_of(verdict)["score_fast"]).all()


def test_the_bundle_brings_the_reference_of_change(rows, trained):
    judge = Judge(MACHINE, INFO, BLOCK_NS, RULES)
    judge.use(trained)
    usual = [trained.long.scaling[k].center[V] for k in KEYS]
    moved = rows["long"].copy()
    moved[:, V] = usual
    moved[0, V] += 0.3 * 2.8
    causes = {e.channel: e.causes for k in range(3) for e in told(judge, "long", moved, k).events}
    assert "iso_change" in causes["de-h"]
    assert "iso_change" not in causes.get("de-v", ())


def drift(judge, rows, steps, gain):
    """Events over windows of 0.1 s, blocks lasting a second."""
    values = rows["fast"].copy()
    values[0, RMS] *= gain
    return [e for k in steps for e in told(judge, "fast", values, k).events]


def test_a_shift_too_small_for_any_window_is_an_event_when_it_stays(rows, trained):
    """One block alone is not: two of three must agree. One channel, not its neighbour."""
    calm = Judge(MACHINE, INFO, 10**9, RULES)
    calm.use(trained)
    level = np.log(radius_of(trained, rows["fast"][0]))
    lasting = {KEYS[0]: Lasting(level, 0.02, 60.0)}
    bundle = replace(trained, fast=replace(trained.fast, lasting=lasting))
    judge = Judge(MACHINE, INFO, 10**9, RULES)
    judge.use(bundle)
    assert drift(judge, rows, range(30), 1.0) == []
    gain = next(g for g in np.arange(1.0, 3.0, 0.01) if grown(trained, rows, g) > level + 0.25)
    assert drift(calm, rows, range(60), gain) == []
    (event,) = drift(judge, rows, range(30, 60), gain)
    assert (event.channel, event.causes) == ("de-h", ("lasting_shift",))
    assert event.severity in (Severity.WATCH, Severity.ALERT)
    assert event.t_onset_ns == T0 + 50 * 10**8  # the window that closed the second block


def grown(trained, rows, gain):
    row = rows["fast"][0].copy()
    row[RMS] *= gain
    return np.log(radius_of(trained, row))


def radius_of(trained, row):
    scaling = trained.fast.scaling[KEYS[0]]
    codes = trained.fast.geometry.codes(scaling.deviations(row[None], trained.fast.logs))
    return float(codes[0, -1])


def test_another_bundle_starts_another_block(rows, trained):
    """Levels of two bundles are not averaged; the same bundle after a restart goes on."""
    judge = Judge(MACHINE, INFO, 10**9, RULES)
    judge.use(trained)
    drift(judge, rows, range(5), 1.0)
    kept = json.dumps(judge.snapshot()["blocks"])
    judge.use(trained)
    assert json.dumps(judge.snapshot()["blocks"]) == kept
    judge.use(replace(trained, version="v2"))
    assert judge.snapshot()["blocks"] == {"fast": None, "long": None}


def test_no_bundle_is_no_change(trained):
    judge = Judge(MACHINE, INFO, BLOCK_NS, RULES)
    judge.use(None)
    assert judge.bundle_version == ""
    judge.use(trained)
    judge.use(None)
    assert judge.bundle_version == "v1"


def test_it_continues_from_its_snapshot(rows, trained):
    def one():
        judge = Judge(MACHINE, INFO, BLOCK_NS, RULES)
        judge.use(trained)
        return judge

    windows = [("fast", rows["fast"] * (8 if 4 < k < 9 else 1)) for k in range(24)]
    windows[6:6] = [("long", rows["long"])] * 2
    whole = one()
    expected = [told(whole, p, v, k) for k, (p, v) in enumerate(windows)]
    assert sum(len(v.events) for v in expected) >= 2
    for cut in (0, 5, 7, 8, 20):
        first, second = one(), one()
        for k in range(cut):
            told(first, *windows[k], k)
        second.restore(json.loads(json.dumps(first.snapshot())))
        found = [told(second, *windows[k], k) for k in range(cut, len(windows))]
        assert repr([v.events for v in found]) == repr([v.events for v in expected[cut:]])
        for a, b in zip(found, expected[cut:], strict=True):
            for name, value in facts_of(b).items():
                np.testing.assert_array_equal(facts_of(a)[name], value)
