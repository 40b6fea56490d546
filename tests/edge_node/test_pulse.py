"""When a node says that it lives, and what it leaves out."""

from __future__ import annotations

import json

from edge_node.reporting.accounts import Accounts
from edge_node.reporting.pulse import Pulse
from vibro.records import Origin

S = 10**9
FACTS = {"latency_us_log20": {"40": 9}, "spool_bytes": 100, "finished": False, "every_s": 600.0}


def begun() -> Pulse:
    pulse = Pulse(600 * S)
    pulse.said(0)
    return pulse


def test_any_record_is_a_sign_of_life():
    pulse = begun()
    assert not pulse.due(599 * S)
    assert pulse.due(600 * S)
    pulse.detail(FACTS, 600 * S)
    pulse.said(1100 * S)
    assert not pulse.due(1699 * S)
    assert pulse.due(1700 * S)


def test_the_first_beat_tells_everything_the_next_only_what_has_changed():
    pulse = begun()
    assert pulse.detail(FACTS, 600 * S) == FACTS
    assert pulse.detail(FACTS | {"spool_bytes": 7}, 1200 * S) == {}
    assert pulse.detail(FACTS | {"finished": True}, 1800 * S) == {"finished": True}
    assert pulse.detail(FACTS | {"trouble": "no disk"}, 2400 * S) == {
        "finished": False,
        "trouble": "no disk",
    }
    assert pulse.detail(FACTS, 3000 * S) == {"trouble": None}


def test_everything_is_told_once_an_hour_however_much_else_is_said():
    pulse = begun()
    pulse.detail(FACTS, 600 * S)
    due = []
    for second in range(660, 9000, 60):
        pulse.said(second * S)
        if pulse.due(second * S):
            due.append((second, pulse.detail(FACTS, second * S)))
    assert due == [(4200, FACTS), (7800, FACTS)]


def test_whoever_asks_for_everything_gets_it():
    pulse = begun()
    pulse.detail(FACTS | {"trouble": "x"}, 600 * S)
    assert pulse.detail(FACTS, 700 * S, full=True) == FACTS | {"trouble": None}


def test_a_restart_changes_nothing():
    pulse = begun()
    pulse.detail(FACTS, 600 * S)
    again = Pulse(600 * S)
    again.restore(json.loads(json.dumps(pulse.snapshot())))
    for second in (1200, 1500, 1800, 4200):
        assert pulse.due(second * S) == again.due(second * S)
        changed = FACTS | {"finished": second > 1300}
        assert pulse.detail(changed, second * S) == again.detail(changed, second * S)


def test_a_node_that_is_never_silent_is_heard_of_all_the_same():
    """One that learns sends its rows every minute, for a week."""
    pulse, at_ns, beats = begun(), 0, []
    for _ in range(130):
        at_ns += 60 * S
        pulse.said(at_ns)
        if pulse.due(at_ns):
            beats.append(at_ns // (60 * S))
            pulse.detail({}, at_ns)
    assert beats == [10, 70, 130]


def test_the_first_heartbeat_does_not_wait_again_after_a_restart():
    pulse = begun()
    pulse.said(500 * S)
    again = Pulse(600 * S)
    again.restore(pulse.snapshot())
    again.said(550 * S)
    assert not again.due(599 * S)
    assert again.due(600 * S)


def test_all_is_told_when_a_full_beat_of_this_instant_told_it():
    pulse = begun()
    pulse.detail(FACTS, 600 * S)
    assert pulse.told_all(FACTS | {"spool_bytes": 7}, 600 * S)
    assert not pulse.told_all(FACTS | {"finished": True}, 600 * S), "the end is news"
    assert not pulse.told_all(FACTS, 601 * S)
    pulse.detail(FACTS, 700 * S)
    assert not pulse.told_all(FACTS, 700 * S), "only what had changed was told"


def test_a_second_beat_of_an_instant_is_a_later_revision_also_after_a_restart():
    origin = Origin("n1", "harbour", "press-1", "live", 0, 7)
    accounts = Accounts(origin, 2, 2, 600.0)
    beats = [accounts.heartbeat(t, "", FACTS) for t in (5 * S, 5 * S, 6 * S)]
    assert [b.id.revision for b in beats] == [0, 1, 0]
    again = Accounts(origin, 2, 2, 600.0)
    again.restore(json.loads(json.dumps(accounts.snapshot())))
    assert again.heartbeat(6 * S, "", FACTS).id.revision == 1
    old = accounts.snapshot()
    del old["last_revision"]
    again.restore(old)
    assert again.heartbeat(7 * S, "", FACTS).id.revision == 0
