"""Judging windows by a bundle: which channels, which p-values, and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.vibro.bundle.bundles import bundle
from vibro.bundle import Scorer, decode, encode
from vibro.forest import score
from vibro.records import ChannelPath

CHANNELS = tuple(ChannelPath("harbour", "pump-1", c) for c in ("de-h", "de-v", "nde-h"))
BUNDLE = bundle()
LOGS = BUNDLE.fast.logs
ROWS = np.random.default_rng(5).standard_normal((3, 3)).astype(np.float32)


def test_a_channel_or_state_without_a_baseline_is_not_judged():
    scorer = Scorer(BUNDLE, CHANNELS)
    scores, p, levels = scorer.judge("fast", ROWS, "running")
    assert np.isfinite(scores[:2]).all()
    assert np.isnan([scores[2], p[2], levels[2]]).all()
    for told in scorer.judge("fast", ROWS, "half-load"):
        assert np.isnan(told).all()
    assert scorer.contributions("fast", 2, ROWS[2], "running", "abc") == ()


def test_scores_are_those_of_the_codes_and_p_values_are_bonferronis():
    model = BUNDLE.fast
    scores, p, levels = Scorer(BUNDLE, CHANNELS).judge("fast", ROWS, "running")
    for i, channel in enumerate(CHANNELS[:2]):
        scaling = model.scaling[f"{channel}|running"]
        # The second feature is a logarithm; what is not positive there is not defined.
        x = ROWS[i].astype(float)
        z = (np.where(LOGS, np.log(np.where(x > 0, x, 1)), x) - scaling.center) / scaling.scale
        z[LOGS & (x <= 0)] = 0.0
        white = (z - model.geometry.mean) @ model.geometry.matrix
        radius = np.sqrt(np.mean(white**2))
        codes = np.append(white, radius).astype(np.float32)
        assert scores[i] == score(model.forest, codes[None])[0]
        both = [model.score_tail.p_value(scores[i]), model.radius_tail.p_value(codes[-1])]
        assert p[i] == pytest.approx(min(1.0, 2 * min(both)), rel=1e-4)
        assert levels[i] == pytest.approx(np.log(radius), abs=1e-5)


def test_a_block_is_judged_where_it_has_a_baseline():
    scorer, lasting = Scorer(BUNDLE, CHANNELS), BUNDLE.fast.lasting[f"{CHANNELS[0]}|running"]
    assert scorer.block_p_value("fast", 0, 0.4, "running") == lasting.p_value(0.4) < 0.05
    assert np.isnan(scorer.block_p_value("fast", 1, 0.4, "running"))
    assert np.isnan(scorer.block_p_value("fast", 0, 0.4, "half-load"))


def test_a_channel_is_judged_alike_in_any_company():
    alone = [
        Scorer(BUNDLE, [c]).judge("fast", row[None], "running")
        for c, row in zip(CHANNELS[:2], ROWS[:2], strict=True)
    ]
    scores, p, _ = Scorer(BUNDLE, CHANNELS).judge("fast", ROWS, "running")
    assert [a[0][0] for a in alone] == scores[:2].tolist()
    assert [a[1][0] for a in alone] == p[:2].tolist()


def test_farther_out_is_ever_less_likely():
    """Beyond its training box the forest sees no farther; the radius does."""
    scaling = BUNDLE.fast.scaling[f"{CHANNELS[0]}|running"]
    p = [
        Scorer(BUNDLE, CHANNELS[:1]).judge("fast", (scaling.center + out)[None], "running")[1][0]
        for out in (2.0, 3.0, 4.0, 5.0)
    ]
    assert (np.diff(p) < 0).all()
    assert p[-1] < 1e-12


def test_the_feature_that_moved_is_named_first():
    model = BUNDLE.fast
    scaling = model.scaling[f"{CHANNELS[0]}|running"]
    plain = replace(BUNDLE, fast=replace(model, geometry=_unwhitened(model.geometry)))
    for moved in range(3):
        row = scaling.center.copy()
        row[moved] -= 9.0 * scaling.scale[moved]
        row = np.where(LOGS, np.exp(row), row)
        found = Scorer(plain, CHANNELS).contributions("fast", 0, row, "running", "abc", top=2)
        assert len(found) == 2
        assert found[0] == ("abc"[moved], pytest.approx(-9.0, abs=0.01))


def _unwhitened(geometry):
    return replace(geometry, mean=np.zeros_like(geometry.mean), matrix=np.eye(3, dtype=np.float32))


def test_contributions_share_out_the_whole_squared_radius():
    """The shares behind the order add up: nothing of the distance is left unexplained."""
    geometry = BUNDLE.fast.geometry
    z = np.array([[1.0, -2.0, 0.5]], np.float32)
    centred = z[0] - geometry.mean
    shares = centred * (geometry.matrix @ (centred @ geometry.matrix))
    radius = geometry.codes(z)[0, -1]
    assert shares.sum() == pytest.approx(3 * radius**2, rel=1e-5)


def test_a_share_is_what_taking_the_feature_back_to_usual_takes_from_the_distance():
    """Against brute force: with one deviation undone, d'Pd falls by 2 share - P_jj z_j^2."""
    geometry = BUNDLE.fast.geometry
    precision = geometry.matrix @ geometry.matrix.T
    rng = np.random.default_rng(3)
    for z in rng.normal(0.0, 4.0, (20, 3)).astype(np.float32):
        centred = z - geometry.mean
        shares = centred * (precision @ centred)
        whole = 3 * geometry.codes(z[None])[0, -1] ** 2
        for j in range(3):
            undone = z.copy()
            undone[j] = geometry.mean[j]
            left = 3 * geometry.codes(undone[None])[0, -1] ** 2
            fall = 2 * shares[j] - precision[j, j] * centred[j] ** 2
            assert whole - left == pytest.approx(fall, rel=1e-4, abs=1e-3)


def test_a_bundle_judges_alike_after_its_journey():
    sent = Scorer(decode(encode(BUNDLE)), CHANNELS).judge("long", ROWS[:, :2], "running")
    here = Scorer(BUNDLE, CHANNELS).judge("long", ROWS[:, :2], "running")
    np.testing.assert_array_equal(sent, here)


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (3, 4), (3,), (3, 3, 1)])
def test_values_of_another_shape_are_refused(shape):
    """The kernel tests no bounds: it must never see them."""
    with pytest.raises(ValueError, match="a fast window of shape"):
        Scorer(BUNDLE, CHANNELS).judge("fast", np.zeros(shape, np.float32), "running")
