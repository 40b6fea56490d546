"""The peers: ECOD as its paper reads, the others as their libraries score, all fit for a limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import skew

from vibro.cli.evaluate.ecod import Ecod
from vibro.cli.evaluate.peers import OneClass, OutlierFactor, PerChannel, all_peers
from vibro.evaluation import Unit
from vibro.features.table import FAST, FAST_NAMES

RNG = np.random.default_rng(4)


def ecod_by_the_paper(train, z):
    """Algorithm 1, one sample and one feature at a time; the sample is one more of the n."""
    n, left, right, auto = len(train), 0.0, 0.0, 0.0
    for j in range(train.shape[1]):
        values = [*train[:, j], z[j]]
        tail_l = sum(v <= z[j] for v in values) / (n + 1)
        tail_r = sum(v >= z[j] for v in values) / (n + 1)
        left -= math.log(tail_l)
        right -= math.log(tail_r)
        auto -= math.log(tail_l if skew(train[:, j]) < 0 else tail_r)
    return max(left, right, auto)


@pytest.mark.parametrize("seed", range(4))
def test_ecod_is_the_papers_three_sums(seed):
    rng = np.random.default_rng(seed)
    # Skewed either way and with ties, so that each of the three sums decides somewhere.
    train = np.column_stack(
        [rng.exponential(size=40), -rng.exponential(size=40), rng.integers(0, 4, 40)]
    )
    new = np.vstack([train[:10], rng.normal(0, 3, (30, 3)), [[9, -9, 9]], [[-9, 9, -9]]])
    found = Ecod().fit(train).score(new)
    assert found == pytest.approx([ecod_by_the_paper(train, z) for z in new])


def test_ecod_looks_where_a_feature_has_its_long_tail():
    train = np.column_stack([RNG.exponential(size=200), -RNG.exponential(size=200)])
    in_tails, out_of_bodies, middle = (
        Ecod().fit(train).score(np.array([[8.0, -8.0], [-0.1, 0.1], [0.7, -0.7]]))
    )
    assert in_tails == pytest.approx(2 * math.log(201))
    assert in_tails > out_of_bodies > middle


def test_a_lonely_far_point_is_far_to_the_one_class_machine_where_its_kernels_are_zero():
    from sklearn.svm import OneClassSVM  # noqa: PLC0415

    rows = RNG.normal(size=(120, 6))
    ours, theirs = OneClass(), OneClassSVM(gamma="scale").fit(rows)
    ours.fit(rows)
    near = RNG.normal(0, 2, (50, 6))
    assert ours.score(near) == pytest.approx(-np.log(theirs.score_samples(near)))
    far = np.array([[100.0] * 6, [1000.0] * 6])
    assert theirs.score_samples(far).tolist() == [0.0, 0.0]
    assert ours.score(far)[1] > 50 * ours.score(far)[0] > 0


def test_a_few_rows_are_enough_for_neighbours():
    model = OutlierFactor()
    model.fit(RNG.normal(size=(8, 3)))
    assert np.isfinite(model.score(RNG.normal(size=(2, 3)))).all()


def recordings(count, rng, shift=0.0, channels=2, windows=40):
    """Units whose features vary as healthy ones do: log-normal where they span decades."""
    log = np.array([f.scale == "log" for f in FAST])
    found = []
    for _ in range(count):
        x = rng.normal(shift, 1.0, (windows, channels, len(FAST)))
        x[:, :, log] = np.exp(0.3 * x[:, :, log])
        x[:, :, FAST_NAMES.index("repeat_share")] = 0.0  # constant, as on most recordings
        found.append(Unit(x.astype(np.float32), np.zeros((0, channels, 1), np.float32)))
    return found


@pytest.fixture(scope="module")
def fitted():
    peers, rng = all_peers(), np.random.default_rng(1)
    fit = recordings(4, rng)
    for peer in peers.values():
        peer.fit(fit)
    return peers


@pytest.mark.parametrize("name", all_peers())
def test_a_shifted_recording_is_stranger_than_healthy_ones(fitted, name):
    rng = np.random.default_rng(2)
    healthy = [fitted[name].statistic(u) for u in recordings(12, rng)]
    faulty = fitted[name].statistic(recordings(1, rng, shift=3.0)[0])
    assert faulty > max(healthy)


@pytest.mark.parametrize("name", all_peers())
def test_healthy_statistics_are_about_normal(fitted, name):
    rng = np.random.default_rng(3)
    values = [fitted[name].statistic(u) for u in recordings(150, rng)]
    assert abs(skew(values)) < 1.0


def test_units_at_once_score_as_one_by_one(fitted):
    rng = np.random.default_rng(5)
    units = [*recordings(2, rng), *recordings(1, rng, windows=7)]
    for peer in fitted.values():
        if isinstance(peer, PerChannel):
            assert peer.statistics(units) == pytest.approx([peer.statistic(u) for u in units])
            assert peer.statistics([]) == []
