"""Consuming processes that are killed, and two at once: the effect is that of one that was not."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from cloud_jobs.consume import DEAD
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store
from tests.cloud_jobs.builders import S, Sender, block, clip, consuming, event, heartbeat

pytestmark = pytest.mark.usefixtures("backend")

CONSUMER = """
import os, signal, sys
from pathlib import Path
from cloud_jobs.consume import consumer
from cloud_jobs.lake import Lake
from cloud_jobs.store import progress
from tests.cloud_jobs.builders import consuming
from vibro.log import EmbeddedLog

home, place, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
owner, name = {
    "before a commit of the lake": (Lake, "_write"),
    "after a commit of the lake": (Lake, "_write"),
    "after the dead letters": (consumer, "bury"),
    "inside the store's transaction": (progress, "move_offsets"),
    "after a poll": (consumer.Consumer, "poll"),
}[place]
original = getattr(owner, name)

def dying(*arguments, **named):
    global left
    left -= 1
    if left == 0 and place.startswith("before"):
        os.kill(os.getpid(), signal.SIGKILL)
    done = original(*arguments, **named)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

setattr(owner, name, dying)
jobs = consuming(home, EmbeddedLog(home / "log"), 3)
while jobs.poll().messages:
    pass
"""


def run_until_killed(home, place: str, times: int) -> None:
    """A process that consumes until it has been at a place so many times, then kills itself."""
    done = subprocess.run(
        [sys.executable, "-c", CONSUMER, str(home), place, str(times)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def send_hour(sender: Sender, i: int) -> None:
    """What two machines send in an hour, with a repeat and some garbage."""
    t_s = 100.0 * i
    for machine in ("m1", "m2"):
        sender.send(
            block("mean", "fast", round(t_s * S), machine=machine),
            block("sample", "long", round(t_s * S), machine=machine),
            block("status", "", round(t_s * S), machine=machine),
            event(10.0, 3.0 + i, revision=i, machine=machine),
            clip(t_s, machine=machine),
            heartbeat(t_s, seen=1000 * (i + 1), machine=machine),
        )
    sender.send(clip(t_s, machine="m2"), again=True)
    sender.send_raw("vibro.v1.a.events", b"rubbish %d" % i)


def check_all_of(home, sender: Sender, hours: int) -> None:
    """Everything that was sent is there once: the oracle is what `send_hour` says."""
    lake, store = Lake(home), Store(home)
    starts = [100 * i * S for i in range(hours)]
    for table in ("status", "features_fast", "features_long"):
        found = lake.table(table, columns=["machine", "channel", "t0_ns"]).to_pylist()
        rows = sorted((r["machine"], r["channel"], r["t0_ns"]) for r in found)
        both = [(m, c, t + k * S) for m in ("m1", "m2") for k, c in enumerate(("de-h", "de-v"))
                for t in starts]  # fmt: skip
        assert rows == sorted(both)
    cut = lake.table("clips", columns=["machine", "t0_ns"]).to_pylist()
    both = [(m, t) for m in ("m1", "m2") for t in starts]
    assert sorted((r["machine"], r["t0_ns"]) for r in cut) == both
    assert sorted((r.machine, r.t0_ns) for r in store.clips()) == both
    assert {(r.machine, r.revision, r.t_last_ns) for r in store.events()} == {
        (m, hours - 1, (13 + hours - 1) * S) for m in ("m1", "m2")
    }
    assert all(lake.clip(r.thing).t0_ns == r.t0_ns for r in store.clips())
    assert store.totals()["seen"] == 2 * 1000 * hours
    sent = {"features": 6 * hours, "events": 2 * hours, "clips": 2 * hours, "health": 2 * hours}
    assert store.received() == (sent, 0)
    letters = [letter.value for letter in sender.log.read(DEAD, 0, 1000)]
    assert letters == [b"rubbish %d" % i for i in range(hours)]


KILLS = [
    ("before a commit of the lake", 1),
    ("after a commit of the lake", 2),
    ("inside the store's transaction", 2),
    ("after the dead letters", 1),
    ("after a poll", 1),
]


def test_processes_killed_at_every_place_leave_the_effect_of_one_that_was_not(tmp_path):
    sender = Sender(tmp_path)
    Store(tmp_path).close()
    for i, (place, times) in enumerate(KILLS):
        send_hour(sender, i)
        run_until_killed(tmp_path, place, times)
    jobs = consuming(tmp_path, sender.log)
    while jobs.poll().messages:
        pass
    check_all_of(tmp_path, sender, len(KILLS))


@pytest.mark.parametrize("limit", [3, 1000])
def test_two_consumers_of_one_home_have_the_effect_of_one(tmp_path, limit):
    sender = Sender(tmp_path)
    send_hour(sender, 0)
    jobs = [consuming(tmp_path, sender.log, limit) for _ in range(2)]
    jobs[0].poll()
    for i in range(1, 4):
        send_hour(sender, i)
        jobs[i % 2].poll()
    while sum(job.poll().messages for job in jobs):
        pass
    check_all_of(tmp_path, sender, 4)
