"""Before a baseline exists, and where one does not apply: priors, limits, states never seen."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edge_node.judging.judge import Judge
from edge_node.judging.learning import PRIOR_LEAST_P
from edge_node.judging.prior import prior_of
from tests.edge_node.plants import (
    KEYS,
    MACHINE,
    RATE,
    SCALE,
    T0,
    bundle_of,
    config,
    facts_of,
    healthy,
)
from vibro.bundle import EVERY, encode
from vibro.decide import DecisionRules, Limit, StateRules
from vibro.errors import BadInputError
from vibro.faults import Severity
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.records import StreamInfo

pytestmark = pytest.mark.slow_nojit
INFO = StreamInfo(MACHINE.channels, float(RATE), np.full(2, SCALE, np.float32), 3, 2)
RULES = DecisionRules(fast_n=2, fast_m=3, long_n=2, long_m=3, clear_s=1.0)
V, RMS = LONG_NAMES.index("velocity_rms_mm_s"), FAST_NAMES.index("rms")


@pytest.fixture(scope="module")
def trained():
    return bundle_of(healthy(40.0, 5))


@pytest.fixture(scope="module")
def prior(trained):
    """A prior: the same model under the name that stands for every channel."""
    return keyed(trained, {f"{EVERY}|running": KEYS[0]}, version="p1", site="*")


@pytest.fixture(scope="module")
def rows():
    x = healthy(6.0, 8).astype(np.float32) * np.float32(SCALE)
    features = MachineFeatures(float(RATE), Judge(MACHINE, INFO, 10**9).setups)
    batch = features.push(x, 1480.0)
    return {"fast": batch.fast[3], "long": batch.long[0]}


def keyed(bundle, keys, **facts):
    """The bundle with other keys: new key by the key whose scaling it takes."""
    paths = {
        p: replace(
            bundle.path(p),
            scaling={new: bundle.path(p).scaling[old] for new, old in keys.items()},
        )
        for p in ("fast", "long")
    }
    return replace(bundle, **paths, **facts)


def judge_of(*bundles, **options) -> Judge:
    judge = Judge(MACHINE, INFO, 10**9, RULES, **options)
    for bundle in bundles:
        judge.use(bundle)
    return judge


def told(judge, path, values, k, rpm=1480.0):
    t0 = T0 + k * 10**8
    return judge.window(path, 128 * k, t0, t0 + 2 * 10**8, values, rpm)


def rough(rows, gain=20.0, channel=1):
    values = rows["fast"].copy()
    values[channel, RMS] *= gain
    return values


# -- a prior -----------------------------------------------------------------------------------


def test_from_the_first_minute_the_fleets_prior_judges_and_speaks_for_watch_at_most(rows, prior):
    judge = judge_of(prior)
    assert judge.bundle_version == ""
    assert judge.standing() == ["prior", "prior"]
    facts = facts_of(told(judge, "fast", rows["fast"], 0))
    assert np.isfinite(facts["score_fast"]).all()
    events = [e for k in range(1, 9) for e in told(judge, "fast", rough(rows), k).events]
    assert {e.severity for e in events} == {Severity.WATCH}
    assert (events[0].channel, events[0].bundle) == ("de-v", "p1")
    assert events[0].contributions[0][0] == "rms"
    assert min(e.p_value for e in events) == PRIOR_LEAST_P


def test_a_channels_own_baseline_is_asked_before_the_fleets(rows, trained, prior):
    own = keyed(trained, {KEYS[0]: KEYS[0]}, version="v1")
    for bundles in ((own, prior), (prior, own)):
        judge = judge_of(*bundles)
        assert judge.bundle_version == "v1"
        assert judge.standing() == ["proven", "prior"]
        facts = facts_of(told(judge, "fast", rows["fast"], 0))
        alone = facts_of(told(judge_of(own), "fast", rows["fast"], 0))
        np.testing.assert_array_equal(facts["p_fast"][0], alone["p_fast"][0])
        assert np.isnan(alone["p_fast"][1])
        assert facts["judged_share"].tolist() == [1.0, 1.0]


def test_a_baseline_that_is_not_trusted_yet_is_said_to_be_unproven(trained):
    meta = {"unproven": {KEYS[1]: ["0.2 of 3 days in this state were seen"]}}
    assert judge_of(replace(trained, meta=meta)).standing() == ["proven", "unproven"]
    assert judge_of(replace(trained, meta={"unproven": "?"})).standing() == ["proven", "proven"]
    assert judge_of().standing() == ["learning", "learning"]


def test_a_prior_is_verified_before_it_judges(tmp_path, prior, trained):
    def told_of(bundle) -> str:
        (tmp_path / "p.vbundle").write_bytes(encode(bundle))
        with pytest.raises(BadInputError) as caught:
            prior_of(given, MACHINE)
        return str(caught.value)

    plain = config(tmp_path)
    assert prior_of(plain, MACHINE) is None
    given = replace(plain, learning=replace(plain.learning, prior="p.vbundle"))
    with pytest.raises(BadInputError, match=r"learning.prior: .*p.vbundle: cannot be read"):
        prior_of(given, MACHINE)
    assert "not the prior of class motor" in told_of(trained)
    assert "not the prior of class motor" in told_of(replace(prior, machine_class="fan"))
    assert "golden" in told_of(replace(prior, golden_scores=trained_scores(prior)))
    (tmp_path / "p.vbundle").write_bytes(encode(prior))
    assert prior_of(given, MACHINE).version == "p1"
    (tmp_path / "p.vbundle").write_bytes(encode(replace(prior, schema_hash="0" * 16)))
    assert prior_of(given, MACHINE) is None


def trained_scores(bundle):
    return {path: scores + np.float32(0.1) for path, scores in bundle.golden_scores.items()}


# -- states ------------------------------------------------------------------------------------

TWO = StateRules(rpm_edges=(1200.0,))


def test_a_state_never_seen_has_no_score_and_raises_nothing(rows, trained):
    seen = keyed(trained, {k.replace("running", "r1200"): k for k in KEYS})
    judge = judge_of(seen, states=TWO)
    loud = rows["fast"] * 3.0
    for k in range(60):
        verdict = told(judge, "fast", loud, k, 900.0)
        assert (verdict.state, verdict.judged, verdict.events) == ("r0", False, ())
        assert np.isnan(facts_of(verdict)["score_fast"]).all()
    assert judge.standing() == ["learning", "learning"]
    assert judge.judged_share() == [0.0, 0.0]
    assert told(judge, "fast", rows["fast"], 60, 1480.0).judged
    assert judge.standing() == ["proven", "proven"]
    assert judge.judged_share() == pytest.approx([1 / 61] * 2)


def test_what_is_usual_is_the_states_own(rows, trained):
    """The reference of ISO's change follows the regime."""
    model = trained.long
    louder = replace(
        model.scaling[KEYS[0]], center=(model.scaling[KEYS[0]].center + 0).astype(np.float32)
    )
    louder.center[V] += 1.0
    keys = {f"{k.split('|')[0]}|{s}": model.scaling[k] for k in KEYS for s in ("r0", "r1200")}
    keys[KEYS[0].replace("running", "r1200")] = louder
    bundle = replace(trained, long=replace(model, scaling=keys))
    judge = judge_of(bundle, states=TWO)
    usual = rows["long"].copy()
    usual[:, V] = model.scaling[KEYS[0]].center[V] + 1.0
    found = {}
    for rpm, start in ((900.0, 0), (1480.0, 100)):
        told(judge, "fast", rows["fast"], start, rpm)
        events = [e for k in range(1, 4) for e in told(judge, "long", usual, start + k, rpm).events]
        found[rpm] = {e.channel for e in events if "iso_change" in e.causes}
    assert "de-h" in found[900.0]
    assert "de-h" not in found[1480.0]


def test_a_long_window_over_a_change_of_state_is_transient(rows, trained):
    judge = judge_of(trained)
    told(judge, "fast", rows["fast"], 0, 0.0)
    told(judge, "fast", rows["fast"], 40, 1480.0)
    astride = judge.window("long", 0, T0, T0 + 42 * 10**8, rows["long"] * 9.0, 1480.0)
    assert (astride.state, astride.judged, astride.events) == ("transient", False, ())
    inside = judge.window("long", 0, T0 + 40 * 10**8, T0 + 72 * 10**8, rows["long"], 1480.0)
    assert (inside.state, inside.judged) == ("running", True)


# -- limits ------------------------------------------------------------------------------------


def test_limits_by_hand_need_no_bundle(rows):
    limits = [Limit("de-v", "rms", 2.0, 8.0), Limit("*", "velocity_rms_mm_s", alert=20.0)]
    judge = judge_of(limits=limits)
    assert [e for k in range(9) for e in told(judge, "fast", rows["fast"], k).events] == []
    (event,) = [e for k in range(10, 14) for e in told(judge, "fast", rough(rows, 6.0), k).events]
    assert (event.channel, event.severity) == ("de-v", Severity.ALERT)
    assert event.causes == ("limit:rms",)
    with pytest.raises(BadInputError, match="nde"):
        judge_of(limits=[Limit("nde-a", "rms", 2.0)])


def test_it_continues_from_its_snapshot_and_from_one_of_before(rows, trained, prior):
    first = judge_of(trained, prior, states=TWO, limits=[Limit("*", "rms", 2.0)])
    for k in range(6):
        told(first, "fast", rough(rows, 6.0), k, 900.0)
    held = json.loads(json.dumps(first.snapshot()))
    second = judge_of(states=TWO, limits=[Limit("*", "rms", 2.0)])
    second.restore(held)
    second.use(trained)
    second.use(prior)
    assert json.dumps(second.snapshot()) == json.dumps(first.snapshot())
    old = {k: held[k] for k in ("state", "blocks", "levels_of", "last")}
    hits = {"fast": [0] * 6, "long": [0] * 7, "block": [0] * 2}
    decider = {"hits": hits, "event": None, "reference_mm_s": 1.0}
    third = judge_of(trained, states=TWO)
    third.restore(old | {"deciders": [decider, decider]})
    assert third.state == "r0"
    assert told(third, "fast", rows["fast"], 9, 1480.0).state == "r1200"
