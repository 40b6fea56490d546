"""Consumers that share a broker's topics: killed, stopped, overtaken; everything is kept once."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from cloud_jobs.lake import Lake
from cloud_jobs.store import Database, Store
from tests.cloud_jobs.builders import S, block, clip, event, heartbeat
from tests.cloud_jobs.kafka_plant import SESSION_S, KafkaPlant, consumers
from tests.services.process import wait_until

MACHINES = tuple(f"m{i}" for i in range(4))


@pytest.fixture
def plant(kafka, tmp_path):
    made = KafkaPlant(kafka.servers, tmp_path)
    yield made
    made.close()


class Sent:
    """What was sent: the oracle of what must be kept, once."""

    def __init__(self, plant: KafkaPlant, home: Path, url: str = "") -> None:
        self._sender, self._home = plant.sender(), home
        self.store = Store(home, Database(url) if url else None)
        self.hours: Counter[str] = Counter()

    def hour(self, site: str) -> None:
        """One of everything of each machine, and a repeat of it."""
        hour = self.hours[site]
        self.hours[site] += 1
        t_s, records = 100.0 * hour, []
        for machine in MACHINES:
            where = {"machine": machine, "site": site}
            records += [
                block("mean", "fast", round(t_s * S), **where),
                block("status", "", round(t_s * S), **where),
                event(t_s + 10.0, 3.0, cleared=True, **where),
                clip(t_s, **where),
                heartbeat(t_s, seen=1000 * (hour + 1), **where),
            ]
        self._sender.send(*records)
        self._sender.send(*records[3::5], again=True)

    def is_kept(self) -> bool:
        """Whether as much is kept as was sent."""
        taken, _ = self.store.received()
        hours = sum(self.hours.values())
        kinds = {"features": 2, "events": 1, "clips": 1, "health": 1}
        return taken == {k: n * hours * len(MACHINES) for k, n in kinds.items()}

    def check(self) -> None:
        """Hold lake and store against it, row by row."""
        lake, store = Lake(self._home), self.store
        machines = [(site, m, 100 * h * S) for site, n in self.hours.items()
                    for h in range(n) for m in MACHINES]  # fmt: skip
        for table in ("status", "features_fast"):
            found = lake.table(table, columns=["site", "machine", "channel", "t0_ns"]).to_pylist()
            rows = Counter((r["site"], r["machine"], r["t0_ns"]) for r in found)
            wanted = Counter((s, m, t + k * S) for s, m, t in machines for k in range(2))
            assert rows == wanted, table
        cut = lake.table("clips", columns=["site", "machine", "t0_ns"]).to_pylist()
        assert Counter((r["site"], r["machine"], r["t0_ns"]) for r in cut) == Counter(machines)
        assert sorted((c.site, c.machine, c.t0_ns) for c in store.clips()) == sorted(machines)
        onsets = sorted((e.site, e.machine, e.t_onset_ns) for e in store.events())
        assert onsets == sorted((s, m, t + 10 * S) for s, m, t in machines)
        assert store.totals()["seen"] == sum(1000 * n * len(MACHINES) for n in self.hours.values())
        assert store.received()[1] == 0


def all_at_work(sent: Sent, sites: list[str], processes: list) -> None:
    """Send an hour every second until each has taken something in."""
    last_s = 0.0

    def holds() -> bool:
        nonlocal last_s
        if time.monotonic() - last_s > 1.0:
            last_s = time.monotonic()
            sent.hour(sites[sum(sent.hours.values()) % len(sites)])
        return all(process.polls for process in processes)

    wait_until(
        "what should hold",
        holds,
        every_s=0.1,
        said=lambda: "\n--\n".join(process.said for process in processes),
    )


def test_two_share_the_load_and_what_one_leaves_the_other_takes(plant, tmp_path):
    sites = [plant.site("a", 3), plant.site("b", 3)]
    sent = Sent(plant, tmp_path)
    with consumers(plant, tmp_path, 2) as (one, other):
        all_at_work(sent, sites, [one, other])
        for site in sites:
            sent.hour(site)
        wait_until(
            "all that was sent", sent.is_kept, every_s=0.1, said=lambda: one.said + other.said
        )
        assert one.end() == 0
        before = len(other.polls)
        sites.append(plant.site("c", 3))
        for site in sites:
            sent.hour(site)
        wait_until("all that was sent", sent.is_kept, every_s=0.1, said=lambda: other.said)
        assert len(other.polls) > before
        assert other.end() == 0
    sent.check()


def holds_a_lock(store: Store) -> bool:
    """Whether a process that is stopped keeps others from moving offsets."""
    sqlite = store.database.engine.dialect.name == "sqlite"
    lock = "begin immediate" if sqlite else "select 1 from offsets for update nowait"
    for _ in range(30):
        try:
            with store.database.engine.connect() as connection:
                if sqlite:
                    connection.exec_driver_sql("pragma busy_timeout=50")
                connection.exec_driver_sql(lock)
                return False
        except OperationalError:
            time.sleep(0.05)
    return True


def stop_outside_a_transaction(process, store: Store) -> None:
    """Stop a process in the middle of anything but that: its locks would stop everybody else."""
    process.signal(signal.SIGSTOP)
    while holds_a_lock(store):
        process.signal(signal.SIGCONT)
        # It needs time to come out: stopped again at once, it would get on by microseconds.
        wait_until(
            "no lock", lambda: not holds_a_lock(store), every_s=0.1, said=lambda: process.said
        )
        process.signal(signal.SIGSTOP)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_one_is_killed_and_one_sleeps_while_others_take_over(plant, tmp_path, request, database):
    """The sleeper wakes in the middle of a batch that is no longer its own, and writes nothing."""
    sites = [plant.site("a", 4), plant.site("b", 4)]
    url = request.getfixturevalue("postgres").new_database() if database != "sqlite" else ""
    sent = Sent(plant, tmp_path, url)
    with consumers(plant, tmp_path, 3, url=url) as (killed, sleeper, steady):
        all_at_work(sent, sites, [killed, sleeper, steady])
        for i in range(4):
            for site in sites:
                sent.hour(site)
            if i == 1:
                killed.kill()
                stop_outside_a_transaction(sleeper, sent.store)
        wait_until(
            "all that was sent", sent.is_kept, 60.0 + SESSION_S, every_s=0.1,
            said=lambda: f"{killed.said}\n--\n{steady.said}",
        )  # fmt: skip
        sleeper.signal(signal.SIGCONT)
        woken = len(sleeper.polls)
        for i in range(40):
            if len(sleeper.polls) > woken + 1:
                break
            sent.hour(sites[i % 2])
            wait_until(
                "all that was sent",
                sent.is_kept,
                every_s=0.1,
                said=lambda: f"{sleeper.said}\n--\n{steady.said}",
            )
    sent.check()
