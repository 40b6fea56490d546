"""The state of a link, from what became of the attempts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edge_node.service.diary import Diary
from edge_node.uplink.link import FAILING, SLOW_S, STATES, Link
from vibro.errors import VibroError
from vibro.log import TransportError


class Clock:
    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def link(clock):
    return Link(clock)


def attempt(link: Link, clock: Clock, took_s: float, error: Exception | None = None) -> None:
    link.began()
    clock.now_s += took_s
    if error is None:
        link.acknowledged()
    else:
        link.failed(error)


def test_before_the_first_attempt_nobody_knows(link):
    assert (link.facts().state, link.facts().error) == ("untried", "")


@pytest.mark.parametrize(
    ("took_s", "error", "state"),
    [
        (0.2, None, "connected"),
        (SLOW_S + 1, None, "slow"),
        (3.0, TransportError("no", "away"), "away"),
        (3.0, TransportError("no", "refused"), "refused"),
        (3.0, TransportError("no", "slow"), "slow"),
        (3.0, TransportError("no", "full"), "full"),
        (3.0, VibroError("no"), "away"),
    ],
)
def test_each_end_of_an_attempt_is_a_state(link, clock, took_s, error, state):
    attempt(link, clock, took_s, error)
    facts = link.facts()
    assert (facts.state, facts.error) == (state, "no" if error else "")
    assert state in STATES


def test_it_says_since_when(link, clock):
    attempt(link, clock, 0.1)
    clock.now_s += 100.0
    attempt(link, clock, 0.1)
    assert link.facts().for_s == pytest.approx(100.1)
    attempt(link, clock, 2.0, TransportError("gone", "away"))
    clock.now_s += 7.0
    attempt(link, clock, 2.0, TransportError("still gone", "away"))
    assert (link.facts().for_s, link.facts().error) == (pytest.approx(9.0), "still gone")


def test_what_is_waited_for_too_long_is_slow_while_it_lasts(link, clock):
    attempt(link, clock, 0.1)
    link.began()
    clock.now_s += SLOW_S + 2.0
    assert (link.facts().state, link.facts().for_s) == ("slow", pytest.approx(2.0))
    assert link.waiting_s(clock.now_s) == SLOW_S + 2.0
    link.failed(TransportError("gone", "away"))
    assert link.facts().state == "away"
    link.began()
    clock.now_s += SLOW_S + 2.0
    assert link.facts().state == "away", "what fails is not called slow for being tried again"


def test_failing_states_are_states():
    assert set(FAILING) < set(STATES)


def test_the_diary_says_each_change_once(link, clock, caplog):
    hosted = SimpleNamespace(
        config=SimpleNamespace(node=SimpleNamespace(id="n1")),
        shipper=SimpleNamespace(link=link),
        uplink=SimpleNamespace(deaf=""),
        node=SimpleNamespace(bundle_version=""),
        refused=[],
    )
    diary = Diary([hosted])

    def look() -> None:
        for _ in range(3):
            diary._link(0, hosted)

    with caplog.at_level("WARNING"):
        attempt(link, clock, 0.1)
        look()
        for _ in range(5):
            attempt(link, clock, 0.1, TransportError("nobody there", "away"))
            look()
        attempt(link, clock, 0.1, TransportError("no such topic", "refused"))
        look()
        hosted.uplink.deaf = "may not read"
        look()
        attempt(link, clock, 0.1)
        look()
        attempt(link, clock, SLOW_S + 1)
        look()
        attempt(link, clock, 0.1)
        look()
    assert [r.getMessage() for r in caplog.records] == [
        "n1: the link is down (away): nobody there",
        "n1: the link is down (refused): no such topic",
        "n1: neither models nor requests can be read: may not read",
        "n1: the link is back",
        "n1: the link is slow: an answer takes more than 5 s",
        "n1: the link is back",
    ]
