"""When the nightly job runs: once a day, whatever clocks and processes do."""

from __future__ import annotations

from datetime import UTC, datetime, time
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from cloud_jobs.nights import DAY_NS, LOOK_S, nights

TWO = time(2, 0)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


class Clock:
    """A clock that moves by what is waited; it may be set to another time in between."""

    def __init__(self, now: str, stop_after: int = 10**6) -> None:
        self.now_ns, self.left, self.longest = at(now), stop_after, 0.0
        self.set_to: list[int] = []

    def __call__(self) -> int:
        return self.now_ns

    def pause(self, seconds: float) -> bool:
        self.longest, self.left = max(self.longest, seconds), self.left - 1
        self.now_ns += round(seconds * 1e9)
        if self.set_to:
            self.now_ns = self.set_to.pop()
        return self.left < 0


def begun(clock: Clock, done_ns: int | None, n: int) -> list[str]:
    found = islice(nights(TWO, done_ns, clock, clock.pause), n)
    return [datetime.fromtimestamp(t * 1e-9, UTC).strftime("%d %H:%M:%S") for t in found]


def test_each_day_at_its_time_and_no_pause_is_longer_than_a_look():
    clock = Clock("2026-03-01T01:30:30")
    assert begun(clock, None, 3) == ["01 02:00:00", "02 02:00:00", "03 02:00:00"]
    assert clock.longest == LOOK_S


def test_the_first_one_waits_for_its_time_where_there_was_none():
    assert begun(Clock("2026-03-01T02:00:01"), None, 1) == ["02 02:00:00"]


def test_a_missed_night_is_made_up_for_once():
    clock = Clock("2026-03-05T09:00:00")
    assert begun(clock, at("2026-03-02T02:00:00"), 2) == ["05 09:00:00", "06 02:00:00"]


def test_a_night_that_was_done_is_not_done_again_after_a_restart():
    assert begun(Clock("2026-03-05T02:07:00"), at("2026-03-05T02:05:00"), 1) == ["06 02:00:00"]


def test_a_last_round_of_the_future_is_one_of_a_clock_that_was_wrong():
    assert begun(Clock("2026-03-05T01:00:00"), at("2030-01-01T00:00:00"), 1) == ["05 02:00:00"]


def test_a_clock_that_is_set_forward_or_back_costs_no_night_and_doubles_none():
    forward, back = Clock("2026-03-01T01:00:00"), Clock("2026-03-01T01:59:00")
    forward.set_to = [at("2026-03-04T05:00:00")]
    assert begun(forward, None, 2) == ["04 05:00:00", "05 02:00:00"]
    back.set_to = [at("2026-02-27T12:00:00")]
    assert begun(back, None, 1) == ["01 02:00:00"]


def test_it_ends_when_it_is_told_to():
    assert begun(Clock("2026-03-01T01:00:00", stop_after=3), None, 9) == []


@given(st.integers(0, 2**62), st.times(), st.one_of(st.none(), st.integers(0, 2**62)))
def test_one_round_begins_in_a_day(now_ns, of_day, done_ns):
    clock = Clock("2026-03-01T00:00:00")
    clock.now_ns = now_ns
    of_day = of_day.replace(microsecond=0)
    jump = lambda s: setattr(clock, "now_ns", clock.now_ns + DAY_NS // 7) or False  # noqa: E731
    first, second, third = islice(nights(of_day, done_ns, clock, jump), 3)
    assert DAY_NS - DAY_NS // 7 <= third - second <= DAY_NS + DAY_NS // 7
    assert 0 < second - first <= DAY_NS + DAY_NS // 7
