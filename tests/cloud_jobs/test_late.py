"""What is told late is history: it raises no alarm, unless it still goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloud_jobs.query import find_cases
from cloud_jobs.run import CloudJobs
from cloud_jobs.serve.facts import fleet
from tests.cloud_jobs.builders import S, Sender, clip, event, heartbeat
from tests.cloud_jobs.serve.homes import REGISTER, damaged
from vibro.query import parse

DAY = 86_400.0
LATE_S = 600.0


def backfill(record):
    return replace(record, origin=replace(record.origin, lane="backfill"))


class Now:
    """The jobs over a home, at a time of day that the test sets (s)."""

    def __init__(self, folder) -> None:
        (folder / "assets.csv").write_text(REGISTER, encoding="utf-8")
        self.s = 0.0
        self.sender = Sender(folder)
        self.jobs = CloudJobs(folder, clock=lambda: round(self.s * S), late_s=LATE_S)

    def hear(self, now_s: float, *records) -> list[str]:
        """States of the cases after some records arrived at a time."""
        self.s = now_s
        self.sender.send(*records)
        while self.jobs.step().messages:
            pass
        return [c.state for c in self.jobs.store.cases()]

    def open_on_page(self) -> tuple[int, list]:
        """Open events of the first machine on the page, and what its severity is."""
        page = fleet(self.jobs.store, self.jobs.lake, round(self.s * S))
        (machine,) = [m for site in page.sites.values() for m in site if m.machine.path == "a/m1"]
        return machine.open_events, machine.severity


@pytest.fixture
def now(tmp_path):
    made = Now(tmp_path)
    yield made
    made.jobs.close()


def test_an_event_of_now_opens_a_case_and_its_end_makes_it_quiet(now):
    assert now.hear(1000.0, event(900.0, 60.0), heartbeat(1000.0)) == ["open"]
    assert now.open_on_page() == (1, 2)
    over = event(900.0, 80.0, 1, cleared=True)
    assert now.hear(1001.0, over) == ["quiet"]


@pytest.mark.parametrize("how", [backfill, lambda record: record])
def test_a_fortnight_that_arrives_at_once_raises_no_alarm(now, how):
    """By its lane or by its age alone, each revision as it comes and whatever comes first."""
    arrives = 14 * DAY
    for day in range(6):
        onset = 2 * day * DAY + 100.0
        states = now.hear(arrives, how(event(onset, 60.0)), how(heartbeat(onset + 70.0)))
        assert set(states) == {"historical"}
        assert now.open_on_page() == (0, 0)
        states = now.hear(arrives + 1, how(event(onset, 90.0, 1, cleared=True)))
        assert set(states) == {"historical"}
    assert len(states) == 6
    assert set(now.hear(arrives + 2, heartbeat(arrives))) == {"historical"}
    found = find_cases(now.jobs.store, parse("state=historical", 0))
    assert len(found) == 6
    assert find_cases(now.jobs.store, parse("state=open", 0)) == []


def test_the_live_lane_is_there_first_and_the_end_of_an_old_event_is_still_on_its_way(now):
    arrives = 3 * DAY
    assert now.hear(arrives, heartbeat(arrives)) == []
    assert now.hear(arrives + 1, backfill(event(DAY, 60.0))) == ["historical"]
    assert now.hear(arrives + 300, heartbeat(arrives + 300)) == ["historical"]
    over = backfill(event(DAY, 90.0, 1, cleared=True))
    assert now.hear(arrives + 400, over) == ["historical"]
    assert now.hear(arrives + DAY, heartbeat(arrives + DAY)) == ["historical"]


def test_what_goes_on_is_an_alarm_once_its_end_would_have_been_told(now):
    arrives = 3 * DAY
    assert now.hear(arrives, backfill(event(DAY, 60.0)), heartbeat(arrives)) == ["historical"]
    assert now.hear(arrives + 599, heartbeat(arrives + 599)) == ["historical"]
    assert now.hear(arrives + 600, heartbeat(arrives + 600)) == ["open"]
    assert now.open_on_page() == (1, 2)


def test_an_event_that_grows_now_is_one_of_now(now):
    arrives = 3 * DAY
    assert now.hear(arrives, backfill(event(DAY, 60.0)), heartbeat(arrives)) == ["historical"]
    grown = replace(event(DAY, 2 * DAY, 1), t_decided_ns=round((arrives + 10.0) * S))
    assert now.hear(arrives + 11, grown) == ["open"]


def test_a_new_event_beside_old_ones_opens_the_case(now):
    arrives = 3 * DAY
    old = backfill(event(arrives - 1000.0, 60.0, cleared=True))
    assert now.hear(arrives, old, heartbeat(arrives)) == ["historical"]
    assert now.hear(arrives + 100, event(arrives + 10, 60.0), heartbeat(arrives + 80)) == ["open"]


def test_a_fault_that_an_old_clip_shows_is_an_alarm_only_once_its_machine_runs_now(now):
    arrives = 3 * DAY
    calm = replace(clip(10.0, reason="commissioning"), samples=clip(10.0).samples // 10)
    assert now.hear(60.0, calm, heartbeat(20.0)) == []
    assert now.hear(arrives, damaged(DAY, "")) == ["historical"]
    assert now.hear(arrives + 700, heartbeat(DAY + 60.0)) == ["historical"]
    daily = replace(clip(arrives + 800.0, reason="daily"), samples=calm.samples[:, :8192])
    assert now.hear(arrives + 801, heartbeat(arrives + 800), daily) == ["open"]
