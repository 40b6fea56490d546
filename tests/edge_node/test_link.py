"""The state of a link, from what became of the attempts."""

from __future__ import annotations

import pytest

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
