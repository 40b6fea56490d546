"""Captures on demand: what is answered, what is refused, and that a flood fills nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from edge_node.clips.requests import (
    DAY_NS,
    MOST_KNOWN,
    REFUSALS_PER_DAY,
    CaptureRequest,
    CaptureRequests,
)
from edge_node.config import PrivacySection
from edge_node.node import Node
from tests.edge_node.plants import (
    MACHINE,
    RATE,
    ArraySource,
    S,
    config,
    healthy,
    node_of,
    of,
    run,
    spool_of,
    trained,
)
from vibro.records import Clip, Health, Spectrum

NOW = 1_700_000_000 * S


def rules(day_s: float = 240.0) -> CaptureRequests:
    return CaptureRequests(day_s, 10.0, 60.0)


def wanted(name: str, seconds: float = 0.0, expires_ns: int = NOW + 600 * S) -> bytes:
    return CaptureRequest(name, seconds, expires_ns).value()


def take(asked: CaptureRequests, value: bytes, now_ns: int = NOW, forbidden="", busy=False):
    return asked.take(value, now_ns, forbidden=forbidden, busy=busy)


def test_a_request_is_taken_once_and_as_long_as_it_says():
    asked = rules()
    assert take(asked, wanted("a", 25.0)).seconds == 25.0
    assert take(asked, wanted("a", 25.0)) is None
    assert take(asked, wanted("b")).seconds == 10.0


def test_what_has_expired_is_nobodys_any_more():
    assert take(rules(), wanted("a"), NOW + 601 * S) is None


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"forbidden": "clips stay here"}, "clips stay here"),
        ({"busy": True}, "another capture is under way"),
        ({"value": wanted("a", 61.0)}, "61 s are more than reporting.capture_max_s = 60"),
    ],
)
def test_a_refusal_says_why(how, said):
    assert take(rules(), **{"value": wanted("a"), **how}).refused == said


def test_the_days_seconds_are_used_up_and_come_back():
    asked = rules(25.0)
    far = NOW + 3 * DAY_NS
    assert not take(asked, wanted("a", expires_ns=far)).refused
    assert not take(asked, wanted("b", expires_ns=far)).refused
    assert "5 s are left of" in take(asked, wanted("c", expires_ns=far)).refused
    assert not take(asked, wanted("d", expires_ns=far), NOW + DAY_NS).refused


def test_a_flood_costs_a_bounded_number_of_answers_and_a_bounded_memory():
    asked, taken, refused = rules(), 0, 0
    for k in range(5000):
        answer = take(asked, wanted(f"r{k}"))
        taken += answer is not None and not answer.refused
        refused += answer is not None and bool(answer.refused)
    assert (taken, refused) == (24, REFUSALS_PER_DAY)
    assert len(json.dumps(asked.snapshot())) < 100 * MOST_KNOWN


@given(st.binary(max_size=60) | st.sampled_from([b"[]", b"{}", b'{"id":3}', b"\xff", b"[" * 9000]))
def test_what_is_no_request_is_passed_over(value):
    assert take(rules(), value) is None


@pytest.mark.parametrize("seconds", ["NaN", "-1", "1e999", '"x"', "null"])
def test_an_impossible_length_is_passed_over(seconds):
    text = f'{{"id": "a", "seconds": {seconds}, "expires_ns": {NOW + S}}}'
    assert take(rules(), text.encode()) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 86_400), st.booleans()), max_size=30))
def test_a_restart_changes_nothing(steps):
    one, two, now = rules(40.0), rules(40.0), NOW
    for name, pause_s, again in steps:
        now += pause_s * S
        value = wanted(f"r{name}", expires_ns=now + 3600 * S)
        assert take(one, value, now) == take(two, value, now)
        if again:
            state = json.loads(json.dumps(two.snapshot()))
            two = rules(40.0)
            two.restore(state)


# -- a node that is asked ------------------------------------------------------------------------


ONE = (wanted("one", 3.0),)


def asked_node(tmp_path, privacy=None, at: int = 8, values=ONE):
    """A node that is asked after some blocks of half a second."""
    plan = replace(config(tmp_path), privacy=privacy or PrivacySection())
    node = Node(
        plan, MACHINE, ArraySource(healthy(16.0)), spool_of(tmp_path), trained(), lambda: 0.0
    )
    for _ in range(at):
        node.step()
    for value in values:
        node.ask(value, NOW)
    return node


@pytest.mark.slow_nojit
def test_a_node_that_is_asked_cuts_a_clip_from_now_on_with_its_spectrum(tmp_path):
    node = asked_node(tmp_path, at=8, values=[wanted("one", 8.0), wanted("two")])
    run(node)
    (clip,) = [c for c in of(Clip, node.spool) if c.reason == "capture"]
    assert (clip.request, clip.id.kind) == ("one", "capture")
    assert clip.id.first_sample == pytest.approx(4 * RATE, abs=RATE // 5)
    np.testing.assert_array_equal(
        clip.samples, healthy(16.0)[:, clip.id.first_sample :][:, : 8 * RATE]
    )
    (spectrum,) = of(Spectrum, node.spool)
    assert (spectrum.reason, spectrum.id.first_sample) == ("capture", clip.id.first_sample)
    (refusal,) = [h for h in of(Health, node.spool) if h.content == "gap"]
    assert refusal.detail == {
        "reason": "capture refused: another capture is under way",
        "request": "two",
    }


@pytest.mark.slow_nojit
@pytest.mark.parametrize("clips", ["never", "on-request"])
def test_privacy_is_asked_first(tmp_path, clips):
    node = asked_node(tmp_path, PrivacySection(clips=clips))
    run(node)
    refusals = [h.detail["request"] for h in of(Health, node.spool) if h.content == "gap"]
    assert refusals == (["one"] if clips == "never" else [])
    assert [c.reason for c in of(Clip, node.spool)] == ([] if clips == "never" else ["capture"])


@pytest.mark.slow_nojit
def test_a_kill_neither_loses_nor_doubles_a_capture(tmp_path):
    node = asked_node(tmp_path, at=8)
    node.commit()
    node.step()
    node.spool.close()
    again = node_of(tmp_path, ArraySource(healthy(16.0)), trained())
    again.ask(wanted("one", 3.0), NOW)
    run(again)
    captures = [c for c in of(Clip, again.spool) if c.reason == "capture"]
    assert [c.request for c in captures] == ["one"]
    again.spool.close()
