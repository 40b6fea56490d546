"""The fleet's prior: as a machine of its class that it has never seen would be judged."""

from __future__ import annotations

import numpy as np
import pytest

from cloud_jobs.retrain import NotEnoughDataError
from cloud_jobs.retrain.prior import LEAST_MACHINES, MOST_ROWS, train_prior
from tests.cloud_jobs.test_retrain import NAMES, WIDTHS
from vibro.bundle import EVERY, Scorer, check_golden, decode, encode
from vibro.features.table import LOG_NAMES
from vibro.records import ChannelPath

pytestmark = pytest.mark.slow_nojit
OPTIONS = {"seed": 7, "version": "p1", "created_ns": 10**18}


def fleet(machines, n: int = 60, shift: float = 0.0, state: str = "running"):
    """Machines of one class: each has its own level, ten times as far apart as it wanders."""
    made = {}
    for m in machines:
        paths = []
        for i, width in enumerate(WIDTHS):
            mix = np.random.default_rng(i).standard_normal((width, width)) / 4 + np.eye(width)
            rng = np.random.default_rng([m, i])
            x = rng.standard_normal(width) + 0.1 * rng.standard_normal((n, width)) @ mix + shift
            logs = [name in LOG_NAMES for name in NAMES[i]]
            paths.append(np.where(logs, np.exp(x), x).astype(np.float32))
        made[ChannelPath(f"site-{m % 3}", f"m{m}", "de-h"), state] = tuple(paths)
    return made


@pytest.fixture(scope="module")
def prior():
    return train_prior("pump", fleet(range(12)), **OPTIONS)


def p_values(bundle, vectors, i: int = 0) -> np.ndarray:
    scorer = Scorer(bundle, [EVERY])
    return np.array(
        [
            scorer.judge(("fast", "long")[i], row[None], "running")[1][0]
            for paths in vectors.values()
            for row in paths[i]
        ]
    )


@pytest.mark.parametrize("i", [0, 1])
def test_machines_it_has_not_seen_raise_no_flood(prior, i):
    p = p_values(prior, fleet(range(100, 140), 5), i)
    assert np.isfinite(p).all()
    assert (p < 1e-4).mean() < 0.02


@pytest.mark.parametrize("i", [0, 1])
def test_a_machine_far_from_its_class_is_strange_from_the_first_window(prior, i):
    p = p_values(prior, fleet(range(100, 110), 5, shift=8.0), i)
    assert np.median(p) < 1e-4


def test_it_is_a_bundle_like_any_other_and_says_that_it_is_a_prior(prior):
    back = decode(encode(prior))
    check_golden(back)
    assert back.is_prior
    assert set(back.fast.scaling) == {f"{EVERY}|running"}
    assert back.metrics["fast_rows"] == 12 * 60


def test_it_needs_as_many_machines_as_there_are_folds():
    with pytest.raises(NotEnoughDataError, match=f"pump was seen at {LEAST_MACHINES} machines"):
        train_prior("pump", fleet(range(LEAST_MACHINES - 1)), **OPTIONS)
    both = (
        fleet(range(6), 40) | fleet(range(2), 40, state="r1200") | fleet([9], 40, state="stopped")
    )
    bundle = train_prior("pump", both, **OPTIONS)
    assert set(bundle.long.scaling) == {f"{EVERY}|running"}


def test_no_machine_is_heard_more_than_another():
    vectors = fleet([0], 400) | fleet(range(1, 6), 40)
    assert train_prior("pump", vectors, **OPTIONS).metrics["fast_rows"] == MOST_ROWS + 5 * 40
