"""A live node through all that a month brings: nothing unaccounted, no event lost or doubled.

The same code runs for an hour in `make test` and for thirty days in `make prove`.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.edge_node.month import CHUNK_S, DAY, HOUR, RATE, ROUGH_S, Plan, lay_out
from vibro.log import EmbeddedLog
from vibro.records import Event, Health, topic
from vibro.wire import decode

pytestmark = pytest.mark.slow_nojit
CHANNELS = 2
DOWN_S = 60
"""A killed process is back after so long."""
SILENT_S = 120.0
"""Without any progress for so long something hangs."""

HOUR_PLAN = Plan(
    seconds=3000,
    outages=[(600, 1200)],
    full=[(1400, 1700)],
    loose=[(1800, 2000)],
    jumps=[(1300, 7.0), (2100, -5.0)],
    swaps=[300, 1250, 2250],
    rough=[700, 2200],
    kills=[850, 2700],
)
MONTH = Plan(
    seconds=30 * DAY,
    outages=[(3 * DAY, 6 * DAY)],
    full=[(9 * DAY, 10 * DAY)],
    loose=[(11 * DAY, 11 * DAY + 6 * HOUR)],
    jumps=[(2 * DAY + 100, 3600.0), (8 * DAY + 100, -1800.0), (13 * DAY + 100, 90.0)],
    swaps=[HOUR, 2 * DAY, 7 * DAY, 12 * DAY, 20 * DAY],
    rough=[d * DAY + 11 * HOUR for d in range(30)],
    # The last two weeks in one process: what leaks is seen there.
    kills=[(2 * k + 1) * 8 * HOUR + 11 * 97 * k for k in range(20)],
)


def live(folder: Path, plan: Plan) -> list[tuple[int, int]]:
    """Run the plan, killing and starting again; return seconds and bytes of memory on the way."""
    seen: list[tuple[int, int]] = []
    at_s, kills = 0, [k for k in plan.kills if not _within(k, plan.full)]
    while at_s < plan.seconds:
        command = [sys.executable, "-m", "tests.edge_node.month", str(folder), str(at_s)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            until = kills.pop(0) if kills else plan.seconds + 1
            at_s = _watch(process, folder, until, seen)
            assert process.returncode in (0, -signal.SIGKILL), process.stderr.read()
        if process.returncode == 0:
            break
        at_s = (at_s + DOWN_S) // CHUNK_S * CHUNK_S
    assert not kills
    return seen


def _within(at_s: int, spans: list[tuple[int, int]]) -> bool:
    return any(a <= at_s < b for a, b in spans)


def _watch(process, folder: Path, until_s: int, seen: list) -> int:
    """Wait for an instant and kill the process, or for its end; return how far it came."""
    tick, last, heard = threading.Event(), 0, time.monotonic()
    while process.poll() is None:
        told = (folder / "progress").read_text().split() if (folder / "progress").exists() else []
        if len(told) == 2 and int(told[0]) != last:
            last, heard = int(told[0]), time.monotonic()
            seen.append((last, int(told[1])))
        if last >= until_s:
            process.kill()
        assert time.monotonic() - heard < SILENT_S, f"no progress since {last} s"
        tick.wait(0.02)
    return last


class Consumer:
    """What came out of the log, in the order of arrival and without repeats."""

    def __init__(self, folder: Path) -> None:
        log = EmbeddedLog(folder / "log")
        self.by_kind: dict[str, list] = {}
        for kind in ("events", "features", "health", "clips"):
            name, at = topic("harbour", kind), 0
            found = self.by_kind[kind] = []
            while batch := log.read(name, at, 5000):
                found += [decode(m.value) for m in batch]
                at = batch[-1].offset
        self.health = self.by_kind["health"]

    def sequences(self) -> dict[tuple[str, str], list[int]]:
        found: dict[tuple[str, str], list[int]] = {}
        for kind, records in self.by_kind.items():
            for r in records:
                found.setdefault((kind, r.origin.lane), []).append(r.origin.sequence)
        return found

    def gaps(self) -> list[Health]:
        return [h for h in self.health if h.content == "gap"]

    def last_of_epochs(self) -> dict[int, Health]:
        last: dict[int, Health] = {}
        for h in self.health:
            held = last.get(h.origin.stream_epoch)
            if held is None or h.seen >= held.seen:
                last[h.origin.stream_epoch] = h
        return last


@pytest.fixture(
    scope="module",
    params=[HOUR_PLAN, pytest.param(MONTH, marks=pytest.mark.prove)],
    ids=["hour", "month"],
)
def lived(request, tmp_path_factory):
    plan = request.param
    folder = tmp_path_factory.mktemp("month")
    lay_out(folder, plan)
    memory = live(folder, plan)
    return plan, folder, memory, Consumer(folder)


def test_every_sample_that_happened_was_processed_or_is_counted_as_lost(lived):
    plan, _, _, consumer = lived
    last = consumer.last_of_epochs()
    assert all(h.seen == h.processed + h.lost for h in last.values())
    happened = CHANNELS * RATE * plan.seconds
    # A restart's gap is measured by the time of day: to a sample, and a chunk is 1000.
    slack = CHANNELS * 2 * (len(plan.kills) + len(plan.jumps))
    assert abs(sum(h.seen for h in last.values()) - happened) <= slack
    told = sum(g.detail["samples"] for g in consumer.gaps() if "given_up" not in g.detail)
    assert told == sum(h.lost for h in last.values())


def test_every_event_that_was_durable_arrived_once(lived):
    _, folder, _, consumer = lived
    arrived = Counter(str(e.id) for e in consumer.by_kind["events"])
    journal = (folder / "journal").read_text().split()
    assert journal
    assert set(arrived) >= set(journal)
    # One more may be durable than was written down: the process died in between.
    assert len(set(arrived) - set(journal)) <= len(lived[0].kills)
    assert set(arrived.values()) == {1}


def test_the_revisions_of_an_event_are_whole_and_every_event_is_over(lived):
    _, _, _, consumer = lived
    revisions: dict[str, list[Event]] = {}
    for e in consumer.by_kind["events"]:
        revisions.setdefault(e.id.thing, []).append(e)
    for known in revisions.values():
        assert sorted(e.id.revision for e in known) == list(range(len(known)))
        assert max(known, key=lambda e: e.id.revision).t_clear_ns is not None


def test_every_rough_episode_is_an_event_and_a_loose_sensor_is_no_fault_of_the_machine(lived):
    plan, _, _, consumer = lived
    events = consumer.by_kind["events"]
    for begin in plan.rough:
        lo, hi = plan.utc_ns(begin - 60), plan.utc_ns(begin + ROUGH_S)
        assert any(e.channel == "de-h" and lo <= e.t_onset_ns < hi for e in events), begin
    for begin, end in plan.loose:
        lo, hi = plan.utc_ns(begin), plan.utc_ns(end)
        still = [e for e in events if e.channel == "de-v" and lo <= e.t_onset_ns < hi]
        assert still
        assert all(e.sensor_fault is not None for e in still)


def test_what_arrived_is_in_order_and_every_hole_is_explained(lived):
    _, _, _, consumer = lived
    given_up = Counter()
    for gap in consumer.gaps():
        assert gap.detail["reason"]
        for kind, lost in gap.detail.get("given_up", {}).items():
            given_up[kind] += lost["records"] if isinstance(lost, dict) else lost
    holes: Counter[str] = Counter()
    for (kind, _lane), sequence in consumer.sequences().items():
        assert (np.diff(sequence) > 0).all()
        holes[kind] += max(sequence) + 1 - len(sequence)
    assert holes["events"] == 0
    assert {k: n for k, n in holes.items() if n} == {k: n for k, n in given_up.items() if n}


def test_every_bundle_was_taken_over(lived):
    plan, _, _, consumer = lived
    versions = list(dict.fromkeys(h.bundle for h in consumer.health if h.bundle))
    assert versions == [f"v{n + 1}" for n in range(len(plan.swaps))]


def test_memory_does_not_grow(lived):
    plan, _, memory, _ = lived
    # A process's first bundle brings what scores with it: 7 MB once, 29 more cost nothing.
    begin = max([0, *plan.kills, *plan.swaps, *(b for _, b in plan.full)])
    mine = [(t, b) for t, b in memory if t > begin]
    half = begin + (plan.seconds - begin) / 2
    before = np.median([b for t, b in mine if begin + (half - begin) / 4 < t <= half])
    after = np.median([b for t, b in mine if t > half])
    assert after - before < 4e6, json.dumps([before, after])
