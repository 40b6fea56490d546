"""Training and its gate: the same vectors give the same bundle, and a bad one is not published."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cloud_jobs.retrain import NotEnoughDataError, gate, train
from cloud_jobs.retrain.gate import MOST_BYTES
from cloud_jobs.retrain.job import enough, retrain, split
from cloud_jobs.retrain.train import LEAST_ROWS, robust_scaling, whitening
from vibro.bundle import Scorer, check_golden, decode, encode
from vibro.features.table import FAST_NAMES, LOG_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import ChannelPath

pytestmark = pytest.mark.slow_nojit
CHANNELS = tuple(ChannelPath("harbour", f"pump-{i}", "de-h") for i in (1, 2, 3))
NAMES = (FAST_NAMES, LONG_NAMES)
WIDTHS = tuple(map(len, NAMES))
OPTIONS = {"seed": 7, "version": "v1", "created_ns": 10**18}


def vectors(n: int = 150, seed: int = 0, shift: float = 0.0, channels=CHANNELS, state="running"):
    """Correlated vectors of healthy machines, each channel with its own level and spread."""
    made = {}
    for k, channel in enumerate(channels):
        paths = []
        for i, width in enumerate(WIDTHS):
            own = np.random.default_rng([k, i])
            mix = own.standard_normal((width, width)) / 4 + np.eye(width)
            level, spread = 10 * own.standard_normal(width), own.uniform(0.1, 5, width)
            z = np.random.default_rng([seed, k, i]).standard_normal((n, width))
            x = level + spread * (z @ mix + shift)
            logs = [name in LOG_NAMES for name in NAMES[i]]
            paths.append(np.where(logs, np.exp(x / 10), x).astype(np.float32))
        made[channel, state] = tuple(paths)
    return made


@pytest.fixture(scope="module")
def trained():
    return train("harbour", "pump", vectors(), **OPTIONS)


# -- training ----------------------------------------------------------------------------------


def test_the_same_vectors_give_the_same_bytes(trained):
    assert encode(train("harbour", "pump", vectors(), **OPTIONS)) == encode(trained)
    other = train("harbour", "pump", vectors(), **OPTIONS | {"seed": 8})
    assert encode(other) != encode(trained)


def test_a_bundle_says_what_it_is_and_survives_its_journey(trained):
    back = decode(encode(trained))
    check_golden(back)
    assert (back.site, back.machine_class, back.version) == ("harbour", "pump", "v1")
    assert (back.schema_hash, back.created_ns) == (SCHEMA_HASH, 10**18)
    assert back.metrics == {"fast_rows": 450, "long_rows": 450}
    assert back.lineage["seed"] == 7
    assert set(back.fast.scaling) == {f"{c}|running" for c in CHANNELS}
    assert len(encode(trained)) < MOST_BYTES


def p_values(bundle, given, path: str) -> np.ndarray:
    i = ("fast", "long").index(path)
    return np.array(
        [
            Scorer(bundle, [channel]).judge(path, row[None], state)[1][0]
            for (channel, state), rows in given.items()
            for row in rows[i]
        ]
    )


@pytest.mark.parametrize("path", ["fast", "long"])
def test_new_healthy_vectors_are_as_likely_as_their_p_values_say(trained, path):
    p = p_values(trained, vectors(80, seed=1), path)
    assert np.isfinite(p).all()
    # A doubled minimum of two p-values is conservative; below 0.1 it may not be too free.
    assert (p < 0.1).mean() < 0.2
    assert (p < 0.01).mean() < 0.04
    assert (p < 1e-6).mean() == 0.0


@pytest.mark.parametrize("path", ["fast", "long"])
def test_vectors_far_off_are_unlikely_and_farther_is_more_so(trained, path):
    medians = [np.median(p_values(trained, vectors(20, 2, shift), path)) for shift in (0, 3, 6, 12)]
    assert (np.diff(medians) < 0).all()
    assert medians[-1] < 1e-8


def test_a_bundle_is_not_trained_on_too_little():
    with pytest.raises(NotEnoughDataError, match=f"no channel has {LEAST_ROWS} sampled vectors"):
        train("harbour", "pump", vectors(LEAST_ROWS - 1), **OPTIONS)
    mixed = vectors(60, channels=CHANNELS[:2]) | vectors(LEAST_ROWS - 1, channels=CHANNELS[2:])
    bundle = train("harbour", "pump", mixed, **OPTIONS)
    assert set(bundle.fast.scaling) == {f"{c}|running" for c in CHANNELS[:2]}
    assert enough(mixed) == [f"{c}|running" for c in CHANNELS[:2]]


def test_states_have_baselines_of_their_own():
    both = vectors(60) | vectors(60, 4, shift=5.0, state="half-load")
    bundle = train("harbour", "pump", both, **OPTIONS)
    slow = vectors(20, 5, 5.0, state="half-load")
    assert np.median(p_values(bundle, slow, "fast")) > 0.05
    wrong = {(c, "running"): v for (c, _), v in slow.items()}
    assert np.median(p_values(bundle, wrong, "fast")) < 1e-4


def test_scaling_is_robust_and_never_infinitely_sensitive():
    rng = np.random.default_rng(0)
    rows = rng.normal(5.0, 2.0, (4000, 4)).astype(np.float32)
    rows[::50, 0] = 1e4  # two percent of nonsense
    rows[:, 1] = 100.0
    rows[:, 2] = 0.0
    rows[:, 3] = np.where(np.arange(4000) % 10 == 0, 1.0, 0.0)  # mad is zero
    scaling = robust_scaling(rows, np.zeros(4, np.bool_))
    assert scaling.center == pytest.approx([5.0, 100.0, 0.0, 0.0], abs=0.1)
    assert scaling.scale[1] == pytest.approx(0.01)
    assert scaling.scale[2] == 1.0
    assert scaling.scale[3] == pytest.approx(0.25 * 0.3, rel=0.01)


def test_logarithms_are_scaled_by_what_is_defined():
    """A line that is sometimes not defined (0) says nothing in those rows, then and later."""
    rows = np.exp(np.random.default_rng(1).normal(2.0, 0.1, (400, 2))).astype(np.float32)
    rows[::3, 1] = 0.0
    scaling = robust_scaling(rows, np.ones(2, np.bool_))
    assert scaling.center == pytest.approx([2.0, 2.0], abs=0.02)
    assert scaling.scale == pytest.approx([0.1, 0.1], rel=0.2)
    assert scaling.deviations(np.array([[0.0, 0.0]]), np.ones(2, np.bool_)).tolist() == [[0, 0]]
    assert scaling.usual(np.array([True, False])) == pytest.approx([np.exp(2.0), 2.0], abs=0.1)


# -- blocks ------------------------------------------------------------------------------------


def levels_of(bundle, given, path):
    i = ("fast", "long").index(path)
    return {
        f"{channel}|{state}": np.array(
            [Scorer(bundle, [channel]).judge(path, row[None], state).level[0] for row in rows[i]]
        )
        for (channel, state), rows in given.items()
    }


def test_healthy_blocks_are_usual_and_a_small_lasting_shift_is_not():
    """What hardly shows in a window shows in the mean of sixteen."""
    given = vectors(320)
    sixteens = np.arange(320) // 16
    bundle = train(
        "harbour", "pump", given, blocks=dict.fromkeys(given, (sixteens, sixteens)), **OPTIONS
    )
    for path in ("fast", "long"):
        healthy, shifted = (block_p_values(bundle, vectors(160, 11, s), path) for s in (0.0, 1.0))
        single = p_values(bundle, vectors(40, 12, 1.0), path)
        assert (healthy < 0.01).mean() < 0.1
        assert np.median(shifted) < 1e-3
        assert np.median(single) > 0.02


def block_p_values(bundle, given, path):
    found = []
    for key, levels in levels_of(bundle, given, path).items():
        lasting = bundle.path(path).lasting[key]
        found += [lasting.p_value(x) for x in levels.reshape(-1, 16).mean(axis=1)]
    return np.array(found)


def test_too_few_blocks_have_no_calibration():
    bundle = train("harbour", "pump", vectors(36), **OPTIONS)
    assert bundle.fast.lasting == bundle.long.lasting == {}


def test_recordings_are_blocks_of_their_own():
    given = vectors(60)
    blocks = {key: (np.arange(60) // 5, np.arange(60) // 6) for key in given}
    bundle = train("harbour", "pump", given, blocks=blocks, **OPTIONS)
    assert {round(v.effective_n) for v in bundle.fast.lasting.values()} <= set(range(3, 13))
    assert bundle.fast.score_tail.effective_n == 3 * 12
    assert bundle.long.score_tail.effective_n == 3 * 10


def test_whitening_makes_healthy_vectors_round():
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((6, 6)) / 2
    x = (rng.standard_normal((20_000, 6)) @ mix).astype(np.float32)
    geometry = whitening(x)
    codes = geometry.codes(x)
    assert codes.shape == (20_000, 7)
    np.testing.assert_allclose(np.cov(codes[:, :6], rowvar=False), np.eye(6), atol=0.1)
    assert np.median(codes[:, 6]) == pytest.approx(1.0, abs=0.1)


def test_with_few_rows_no_direction_is_believed_to_be_quiet():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 20)).astype(np.float32)
    new = rng.standard_normal((500, 20)).astype(np.float32)
    assert whitening(x).codes(new)[:, -1].max() < 4.0


# -- the gate ----------------------------------------------------------------------------------


def test_a_sound_bundle_passes(trained):
    verdict = gate(trained, vectors(60, seed=3))
    assert verdict.passed, verdict.reasons
    assert verdict.reasons == ()
    assert verdict == gate(trained, vectors(60, seed=3))
    assert verdict.metrics["bytes"] == len(encode(trained))
    assert verdict.metrics["fast_share_p01"] < 0.06


def too_keen(trained):
    """Its calibration was fitted to vectors far closer to the middle than healthy ones are."""
    tail = trained.fast.radius_tail
    narrow = replace(tail, knots=tail.knots * 0.7, scale=tail.scale * 0.1)
    return replace(trained, fast=replace(trained.fast, radius_tail=narrow))


def spoilt_golden(trained):
    scores = {n: s + np.float32(0.01) for n, s in trained.golden_scores.items()}
    return replace(trained, golden_scores=scores)


@pytest.mark.parametrize(
    ("spoil", "holdout", "said"),
    [
        (too_keen, vectors(60, seed=3), "of healthy fast vectors fall below p = 0.01"),
        (lambda b: b, vectors(60, seed=3, shift=4.0), "of healthy long vectors fall below"),
        (spoilt_golden, vectors(60, seed=3), "golden vectors of the fast path"),
        (lambda b: b, {}, "there are no held-out fast vectors to judge it on"),
        (lambda b: b, vectors(60, state="other"), "there are no held-out long vectors"),
        (
            lambda b: replace(b, meta={"noise": np.random.default_rng(0).bytes(200_000).hex()}),
            vectors(60, seed=3),
            "bytes are more than 250000",
        ),
    ],
)
def test_a_bundle_whose_alarms_or_size_are_off_is_refused(trained, spoil, holdout, said):
    verdict = gate(spoil(trained), holdout)
    assert not verdict.passed
    assert any(said in reason for reason in verdict.reasons), verdict.reasons


# -- the nightly job ---------------------------------------------------------------------------


def test_the_newest_vectors_are_kept_back():
    given = vectors(50)
    older, newer = split(given)
    for key, paths in given.items():
        for whole, old, new in zip(paths, older[key], newer[key], strict=True):
            assert (len(old), len(new)) == (40, 10)
            assert (np.concatenate([old, new]) == whole).all()


def test_a_night_trains_gates_and_trains_again_on_everything():
    bundle, verdict = retrain("harbour", "pump", vectors(), **OPTIONS, meta={"range": [1, 2]})
    assert verdict.passed, verdict.reasons
    assert bundle.metrics["fast_rows"] == 450
    assert bundle.meta == {"range": [1, 2], "gate": verdict.metrics}
    again, _ = retrain("harbour", "pump", vectors(), **OPTIONS, meta={"range": [1, 2]})
    assert encode(again) == encode(bundle)


def test_a_night_on_which_the_machines_changed_is_refused():
    """The newest fifth lies elsewhere: a model of the older ones would alarm all day."""
    given = {
        key: tuple(np.concatenate([old, new]) for old, new in zip(paths, moved, strict=True))
        for (key, paths), moved in zip(
            vectors(120).items(), vectors(30, 6, shift=4.0).values(), strict=True
        )
    }
    _, verdict = retrain("harbour", "pump", given, **OPTIONS)
    assert not verdict.passed
