"""Whether all is well is judged by what happened, and each matter is one sentence."""

from __future__ import annotations

import pytest

from edge_node.service.live import COMMIT_S, LOOP_S, SILENT_S, ailments

WELL = {
    "node": "n1", "quiet_s": 0.4, "lag_s": 1.2, "patience_s": 2.0 + SILENT_S,
    "committing_s": 0.01, "spool_trouble": "", "unread": "",
}  # fmt: skip


def told(loop_age_s: float = 0.1, **facts: object) -> list[str]:
    return list(ailments(loop_age_s, [WELL | facts]).values())


def test_a_node_that_is_well_has_nothing_to_say():
    assert told() == []


def test_a_link_that_is_down_is_no_illness():
    assert told(last_error="log: no such folder") == []
    assert told(link={"state": "slow", "for_s": 3600.0, "deaf": "may not read"}) == []


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"quiet_s": 7.5}, "n1: the source has said nothing for 7.5 s"),
        ({"lag_s": 31.0}, "n1: samples are judged 31.0 s after they happened"),
        (
            {"committing_s": COMMIT_S + 2.0},
            "n1: a commit has been waiting for the disk for 12.0 s",
        ),
        (
            {"spool_trouble": "spool s.db: disk is full"},
            "n1: the spool refuses writes, memory stands in: spool s.db: disk is full",
        ),
        ({"unread": "spool s.db: cannot be read"}, "n1: spool s.db: cannot be read"),
    ],
)
def test_every_illness_is_one_sentence(facts, sentence):
    assert told(**facts) == [sentence]


def test_a_loop_that_hangs_explains_everything_else():
    assert told(LOOP_S + 1.0, quiet_s=99.0, lag_s=99.0, committing_s=99.0) == [
        "the loop has not gone round for 6.0 s"
    ]


def test_a_source_that_is_silent_is_not_late_as_well():
    assert told(quiet_s=99.0, lag_s=99.0) == ["n1: the source has said nothing for 99.0 s"]


def test_neither_silence_nor_lag_is_known_of_a_recording_at_full_speed():
    assert told(quiet_s=None, lag_s=None) == []


def test_matters_keep_their_names_while_their_figures_change():
    one, two = (ailments(0.1, [WELL | {"quiet_s": q}]) for q in (7.5, 8.5))
    assert one.keys() == two.keys() == {"n1: source"}
    assert one != two
