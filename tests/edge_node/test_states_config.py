"""Options of states, limits and learning: defaults, what they become, and every mistake."""

from __future__ import annotations

import tomllib

import pytest

from edge_node.config import parse, sample_config
from edge_node.judging.states import StatesSection
from vibro.decide import Limit

LEAST = 'register = "assets.csv"\n[node]\nid = "n"\nsite = "s"\nmachine = "m"\n'


def test_states_become_rules_and_limits_limits():
    text = LEAST + "[states]\nrpm_edges = [1200, 2400.0]\nblanking_s = 10\n"
    text += '[[limits]]\nfeature = "rms"\nalert = 3\n'
    text += '[[limits]]\nfeature = "band_07"\nchannel = "de-h"\nalert = -40.0\ndanger = -30.0\n'
    sections, mistakes = parse(tomllib.loads(text))
    assert mistakes == []
    rules = sections["states"].rules
    assert rules.regimes() == ("r0", "r1200", "r2400")
    assert (rules.blanking_s, rules.speed_slope) == (10.0, StatesSection().speed_slope)
    first, second = (section.limit for section in sections["limits"])
    assert (first.channel, first.feature, first.alert) == ("*", "rms", 3.0)
    assert second == Limit("de-h", "band_07", -40.0, -30.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("limits = 3\n", "limits are not tables: write a line [[limits]]"),
        ("[[limits]]\nalert = 3.0\n", "limits[0].feature is missing"),
        ('[[limits]]\nfeature = "rms"\n', "limits[0] (rms): neither alert nor danger is given"),
        ('[[limits]]\nfeature = "rmss"\nalert = 1.0\n', "feature is not in the feature table"),
        ('[[limits]]\nfeature = "rms"\nalert = 2.0\ndanger = 1.0\n', "alert 2 is above danger 1"),
        ('[[limits]]\nfeature = "rms"\nalert = "x"\n', "limits[0].alert = 'x' is not a number"),
        ("[states]\nblanking_s = -1\n", "states.blanking_s = -1 is too small"),
        ("[states]\nrpm_edges = [0]\n", "states.rpm_edges[0] = 0 is too small"),
        ("[states]\nrpm_edges = [2400, 1200]\n", "states.rpm_edges must rise"),
        ("[learning]\nprior = 3\n", "learning.prior = 3 is not a text"),
    ],
)
def test_every_mistake_names_its_place_and_a_remedy(text, told):
    # A key of the document itself stands before its tables.
    _, mistakes = parse(tomllib.loads(text + LEAST if text.startswith("limits") else LEAST + text))
    assert [m for m in mistakes if told in m], mistakes


def test_the_sample_shows_how_a_limit_is_written():
    lines = sample_config().splitlines()
    shown = lines[lines.index("# [[limits]]") :]
    text = LEAST + "\n".join(line.removeprefix("# ") for line in shown)
    sections, mistakes = parse(tomllib.loads(text))
    assert mistakes == []
    assert sections["limits"][0].limit == Limit("*", "velocity_rms_mm_s", 4.5, 7.1)
