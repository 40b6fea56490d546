"""What may become a baseline: not what is bad, and not as proven what was seen too short."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cloud_jobs.retrain.trust import TrustRules, weigh
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.iso10816 import limits
from vibro.records import ChannelPath

ISO = limits(45.0, 2, "rigid")
RULES = TrustRules(days=0.5, sample_s=300.0)
USUAL = {
    "kurtosis": 3.0,
    "crest_factor": 3.8,
    "rms": 2.0,
    "velocity_rms_mm_s": 1.0,
    "displacement_rms_um": 8.0,
    "envelope_depth": 0.9,
}
"""Medians of a sound machine: noise is Gaussian, the zone is A."""


def rows(n: int = 150, seed: int = 0, **facts: float):
    rng = np.random.default_rng(seed)
    made = []
    for names in (FAST_NAMES, LONG_NAMES):
        x = np.ones((n, len(names)), np.float32)
        for name, value in (USUAL | facts).items():
            if name in names:
                x[:, names.index(name)] = value * rng.normal(1.0, 0.05, n)
        made.append(x)
    return tuple(made)


def plant(machines: int = 5, state: str = "running", **facts: float):
    """Channel ``de-h`` of several machines, the first of which may be unlike the others."""
    return {
        (ChannelPath("harbour", f"m{i}", "de-h"), state): rows(seed=i, **(facts if i == 0 else {}))
        for i in range(machines)
    }


def weighed(vectors):
    iso = {f"harbour/m{i}": ISO for i in range(9)}
    return weigh(vectors, iso, RULES)


def test_sound_machines_are_learned_from_and_nothing_is_said():
    trust = weighed(plant())
    assert trust.vectors.keys() == plant().keys()
    assert trust.meta == {"unproven": {}, "refused": {}}


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"velocity_rms_mm_s": 3.0}, "zone C"),
        ({"velocity_rms_mm_s": 5.0}, "zone D"),
        ({"displacement_rms_um": 80.0}, "zone D"),
        ({"kurtosis": 12.0}, "kurtosis is usually 12"),
        ({"crest_factor": 11.0}, "crest_factor"),
        ({"envelope_depth": 2.0}, "envelope_depth"),
        ({"rms": 20.0}, "its 4 sisters' 2"),
    ],
)
def test_a_machine_that_is_bad_already_does_not_become_its_own_baseline(facts, why):
    trust = weighed(plant(**facts))
    assert list(trust.refused) == ["harbour/m0/de-h|running"]
    assert why in " ".join(trust.refused["harbour/m0/de-h|running"])
    assert len(trust.vectors) == 4
    assert why in trust.told[0]


def test_few_sisters_are_no_measure():
    assert weighed(plant(3, rms=20.0)).refused == {}


def test_a_state_seen_too_short_is_used_and_called_unproven():
    few = {key: tuple(x[:60] for x in paths) for key, paths in plant(1).items()}
    trust = weighed(few)
    assert trust.unproven == {
        "harbour/m0/de-h|running": ["0.21 of 0.5 days in this state were seen"]
    }
    assert trust.vectors.keys() == few.keys()
    long = replace(RULES, days=0.2)
    assert weigh(few, {}, long).unproven == {}


def test_states_are_weighed_apart_and_transients_never_learned():
    both = plant(4) | plant(4, "r1200", kurtosis=12.0) | plant(4, "transient") | plant(4, "stopped")
    trust = weighed(both)
    assert list(trust.refused) == ["harbour/m0/de-h|r1200"]
    assert {state for _, state in trust.vectors} == {"running", "r1200"}


def test_without_limits_of_the_standard_only_the_rest_is_asked():
    assert weigh(plant(1, velocity_rms_mm_s=9.0), {}, RULES).refused == {}
