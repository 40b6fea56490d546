"""Shipping over transports that fail, repeat and acknowledge late."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.ship import FIRST_BATCH, FIRST_WAIT_S, LONGEST_WAIT_S, Shipper
from edge_node.spool import Spool
from tests.edge_node.spools import NO_BOUND, no_file_grows, put, waiting
from vibro.errors import VibroError
from vibro.log import EmbeddedLog, Message, Stored, TooLargeError


class Sent:
    """A transport at our own port: keeps what it is sent and misbehaves as it is told.

    ``moods`` are taken one a send: ``ok``; ``refuse`` (nothing happens); ``late`` (all is stored
    and the acknowledgement is lost); ``part`` (half is stored, then refuse).
    """

    def __init__(self, moods: Sequence[str] = ()) -> None:
        self.moods = list(moods)
        self.stored: list[tuple[str, Message]] = []
        self.sends: list[int] = []

    def send(self, topic: str, messages: Sequence[Message]) -> None:
        mood = self.moods.pop(0) if self.moods else "ok"
        share = {"refuse": 0, "part": len(messages) // 2}.get(mood, len(messages))
        self.sends.append(len(messages))
        self.stored += [(topic, m) for m in messages[:share]]
        if mood != "ok":
            raise VibroError(f"the link is {mood}")

    def read(self, topic: str, after: int, limit: int) -> list[Stored]:
        raise NotImplementedError

    def topics(self, pattern: str) -> list[str]:
        raise NotImplementedError

    def commit(self, group: str, topic: str, offset: int) -> None:
        raise NotImplementedError

    def committed(self, group: str, topic: str) -> int:
        raise NotImplementedError


def shipper(spool: Spool, transport, seed: int = 0, **options) -> Shipper:
    rng = random.Random(seed)  # noqa: S311 (jitter, not a secret)
    return Shipper(spool, transport, "harbour", "pump-1", rng, **options)


def fill(spool: Spool, *kinds: str) -> None:
    for i, kind in enumerate(kinds):
        put(spool, (kind, "live", b"%s%d" % (kind.encode(), i), i))


def test_topic_key_and_number_of_every_message(opened):
    spool, transport = opened(), Sent()
    fill(spool, "features", "events", "features")
    put(spool, ("features", "backfill", b"old", 0))
    assert shipper(spool, transport).drain(0.0) == 4
    assert [(t, m.value, m.sequence) for t, m in transport.stored] == [
        ("vibro.v1.harbour.events", b"events1", 0),
        ("vibro.v1.harbour.features", b"features0", 0),
        ("vibro.v1.harbour.features", b"features2", 1),
        ("vibro.v1.harbour.features", b"old", 0),
    ]
    assert {m.key for _, m in transport.stored} == {"a/m1"}
    live, backfill = {m.producer for _, m in transport.stored}
    assert {live, backfill} == {f"pump-1/{spool.identity}/{lane}" for lane in ("live", "backfill")}
    assert waiting(spool) == []


def test_it_counts_what_it_shipped(opened):
    spool = opened()
    fill(spool, "events", "clips", "events")
    ship = shipper(spool, Sent())
    assert ship.pending
    ship.drain(0.0)
    assert not ship.pending
    assert ship.records == 3
    assert ship.bytes_by_kind == {"events": 2 * (7 + 4), "clips": 6 + 4}


def test_batches_respect_their_bound(opened):
    spool, transport = opened(), Sent()
    put(spool, *[("events", "live", bytes(FIRST_BATCH // 4), i) for i in range(20)])
    assert shipper(spool, transport).drain(0.0) == 20
    assert transport.sends == [4, 8, 8]


@pytest.mark.parametrize("mood", ["refuse", "late", "part"])
def test_nothing_is_forgotten_before_it_was_acknowledged(opened, mood):
    spool, transport = opened(), Sent(["ok", mood])
    fill(spool, "features", "events", "features", "features")
    ship = shipper(spool, transport)
    assert ship.drain(0.0) == 1
    assert [r[0] for r in waiting(spool)] == ["features"] * 3
    assert ship.last_error == f"the link is {mood}"
    assert ship.drain(100.0) == 3
    assert (waiting(spool), ship.last_error) == ([], "")
    distinct = {(t, m.producer, m.sequence): m.value for t, m in transport.stored}
    assert sorted(distinct.values()) == [b"events1", b"features0", b"features2", b"features3"]


def test_it_waits_longer_each_time_up_to_a_minute_and_forgets_that_on_success(opened):
    spool, transport, now = opened(), Sent(["refuse"] * 12), 0.0
    fill(spool, "events")
    ship = shipper(spool, transport, seed=3)
    for failed in range(12):
        assert ship.drain(now) == 0
        assert len(transport.sends) == failed + 1
        wait = min(FIRST_WAIT_S * 2**failed, LONGEST_WAIT_S)
        assert ship.drain(now + 0.499 * wait) == 0
        assert len(transport.sends) == failed + 1
        now += 1.001 * wait
    assert ship.drain(now) == 1
    fill(spool, "events")
    transport.moods = ["refuse"]
    assert ship.drain(now) == 0
    assert ship.drain(now + 1.001 * FIRST_WAIT_S) == 1


def test_nodes_do_not_come_back_all_at_once(opened):
    """After one outage the second tries of many nodes are spread over half of the wait."""
    spool, starts = opened(), []
    fill(spool, "events")
    for seed in range(40):
        ship = shipper(spool, Sent(["refuse"] * 99), seed)
        ship.drain(0.0)
        steps = (k * FIRST_WAIT_S / 100 for k in range(101))
        starts.append(next(t for t in steps if len(_sends_after(ship, t)) == 2))
    assert min(starts) < 0.6 * FIRST_WAIT_S
    assert max(starts) > 0.9 * FIRST_WAIT_S


def _sends_after(ship: Shipper, now_s: float) -> list[int]:
    ship.drain(now_s)
    return ship._transport.sends


DAY = 86_400 * 10**9
KINDS = st.sampled_from(["events", "clips", "features", "health"])
MOODS = st.sampled_from(["ok", "refuse", "late", "part"])


@settings(deadline=None, max_examples=30)
@given(
    rounds=st.lists(st.tuples(st.lists(KINDS, max_size=6), MOODS), max_size=8), seed=st.integers()
)
def test_the_log_gets_everything_once_and_in_order(tmp_path_factory, rounds, seed):
    """Whatever the link does, a real log behind it ends with each record once, in its order."""
    folder = tmp_path_factory.mktemp("ship")
    log = EmbeddedLog(folder / "log")

    class Link(Sent):
        def send(self, topic: str, messages: Sequence[Message]) -> None:
            kept = len(self.stored)
            try:
                super().send(topic, messages)
            finally:
                log.send(topic, [m for _, m in self.stored[kept:]])

    spool = Spool(folder / "spool.db", NO_BOUND, NO_BOUND)
    link, made = Link(), {}
    ship = shipper(spool, link, seed)
    for i, (kinds, mood) in enumerate(rounds):
        link.moods.append(mood)
        for kind in kinds:
            value = b"%d" % len(made.setdefault(kind, []))
            made[kind].append(value)
            put(spool, (kind, "live", value, 0))
        ship.drain(100.0 * i)
    link.moods.clear()
    ship.drain(1e6)
    assert waiting(spool) == []
    for kind, values in made.items():
        assert [s.value for s in log.read(f"vibro.v1.harbour.{kind}", 0, 999)] == values
    spool.close()
    log.close()


def test_a_new_spool_is_not_taken_for_a_repeat_of_the_lost_one(opened, tmp_path):
    log = EmbeddedLog(tmp_path / "log")
    first = opened()
    fill(first, "events", "events")
    shipper(first, log).drain(0.0)
    first.close()
    for file in (tmp_path / "node").iterdir():
        file.unlink()
    second = opened()
    put(second, ("events", "live", b"after the loss", 0))
    shipper(second, log).drain(0.0)
    values = [s.value for s in log.read("vibro.v1.harbour.events", 0, 9)]
    assert values == [b"events0", b"events1", b"after the loss"]
    log.close()


KILLED = """
import os, random, signal, sys
from pathlib import Path
from edge_node.ship import Shipper
from edge_node.spool import Spool
from vibro.log import EmbeddedLog
folder, when, sends = Path(sys.argv[1]), sys.argv[2], 0
class Log(EmbeddedLog):
    def send(self, topic, messages):
        global sends
        sends += 1
        if sends == 3 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().send(topic, messages)
        if sends == 3 and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
spool = Spool(folder / "node" / "spool.db", 2**62, 2**62)
ship = Shipper(spool, Log(folder / "log"), "harbour", "pump-1", random.Random(0))
ship._batch = 20
ship.drain(0.0)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_kill_9_before_and_after_the_log_has_it(opened, tmp_path, when):
    spool = opened()
    put(spool, *[("events", "live", b"event %d" % i, i) for i in range(20)])
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path, when], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert 0 < len(waiting(spool)) < 20
    log = EmbeddedLog(tmp_path / "log")
    shipper(spool, log).drain(0.0)
    stored = log.read("vibro.v1.harbour.events", 0, 99)
    assert [s.value for s in stored] == [b"event %d" % i for i in range(20)]
    log.close()


def test_what_was_acknowledged_is_not_sent_again_though_the_disk_cannot_forget_it(opened):
    """A full disk between the acknowledgement and its note: it is known in memory until then."""
    spool, transport = opened(), Sent()
    fill(spool, "events", "events")
    ship = shipper(spool, transport)
    with no_file_grows(0):
        assert ship.drain(0.0) == 2
        assert ship.drain(1.0) == 0
        assert not ship.pending
    fill(spool, "events")
    assert opened().peek(NO_BOUND)[0].sequence == 2
    assert ship.drain(10.0) == 1
    assert [m.sequence for _, m in transport.stored] == [0, 1, 2]


def test_what_no_message_can_hold_is_given_up_and_holds_up_nothing(opened, caplog):
    """The transport points at it; those before it were perhaps stored, and are sent again."""
    spool, tried = opened(), []

    class Narrow(Sent):
        def send(self, topic: str, messages: Sequence[Message]) -> None:
            tried.append([m.sequence for m in messages])
            for at, message in enumerate(messages):
                if len(message.value) > 1000:
                    super().send(topic, messages[:at])
                    raise TooLargeError("larger than the topic takes", at)
            super().send(topic, messages)

    sizes = [10, 5000, 10, 6000, 10]
    put(spool, *[("clips", "live", bytes(size), i) for i, size in enumerate(sizes)])
    ship = shipper(spool, Narrow())
    with caplog.at_level("WARNING"):
        assert ship.drain(0.0) == 3
    assert tried == [[0, 1, 2, 3, 4], [0, 2, 3, 4], [0, 2, 4]]
    assert waiting(spool) == []
    assert spool.given_up() == {"clips": (2, 11_000)}
    (loss,) = spool.open_losses()
    assert (loss.reason, loss.first, loss.last) == ("too large for a message", 1, 3)
    assert ship.last_error == ""
    assert [r.getMessage().split(":")[1] for r in caplog.records] == [
        " clips 1 of the live lane is given up", " clips 3 of the live lane is given up",
    ]  # fmt: skip


@pytest.mark.parametrize("mood", ["refuse", "late"])
def test_a_full_spool_gives_up_nothing_that_may_have_arrived(opened, mood):
    spool, transport = opened(max_bytes=60_000), Sent([mood])
    put(spool, *[("features", "live", bytes(4000), i) for i in range(8)])
    ship = shipper(spool, transport)
    ship.drain(0.0)
    put(spool, *[("features", "live", bytes(4000), i) for i in range(8, 20)])
    ship.drain(1000.0)
    arrived = {m.sequence for _, m in transport.stored}
    assert set(range(8)) <= arrived
    assert len(arrived) + spool.given_up()["features"][0] == 20


def test_live_goes_first_and_a_new_event_overtakes_the_backfill(opened):
    """A link of 10 kB/s and an hour of backfill: the event waits for one batch, not for an hour."""
    spool, clock = opened(), Clock()
    put(spool, *[("features", "backfill", bytes(5000), i) for i in range(100)])
    link = Link(clock, 10_000.0)
    ship = shipper(spool, link, clock=clock)
    ship.drain(clock.now_s)
    assert 0 < len(link.stored) < 100
    assert not ship.drained
    put(spool, ("events", "live", b"now", 0))
    asked = clock.now_s
    ship.drain(clock.now_s)
    arrived = next(at for at, m in link.arrivals if m.value == b"now")
    assert arrived - asked < 0.1
    while not ship.drained:
        ship.drain(clock.now_s)
    backfill = [m.sequence for _, m in link.stored if m.value != b"now"]
    assert backfill == list(range(100))


@pytest.mark.parametrize(("rate", "size"), [(3e3, 1000), (3e4, 1000), (3e5, 1000), (3e6, 10_000)])
def test_batches_are_sized_to_the_link(opened, rate, size):
    """Once it has found its size, a batch takes between an eighth of a second and two."""
    spool, clock = opened(), Clock()
    put(spool, *[("features", "live", bytes(size), i) for i in range(int(rate * 30 / size) + 200)])
    link = Link(clock, rate)
    ship = shipper(spool, link, clock=clock)
    for _ in range(12):
        ship.drain(clock.now_s)
    durations = [len(m) * (size + 4) / rate for m in link.batches if len(m) > 1][-4:-1]
    assert all(0.1 < d < 2.2 for d in durations), durations


def test_a_days_budget_holds_back_all_but_events_and_heartbeats(opened):
    spool, transport = opened(), Sent()
    ship = shipper(spool, transport, budget_bytes=3000)
    for hour in range(24):
        t = DAY + hour * DAY // 24
        put(spool, ("features", "live", bytes(500), t), ("events", "live", bytes(500), t))
        put(spool, ("health", "live", bytes(10), t))
        ship.drain(float(hour))
    kinds = [t.split(".")[-1] for t, _ in transport.stored]
    assert (kinds.count("events"), kinds.count("health")) == (24, 24)
    assert 0 < kinds.count("features") <= 3
    assert ship.drained
    assert not ship.pending
    put(spool, ("health", "live", bytes(10), 2 * DAY))
    assert ship.pending
    ship.drain(25.0)
    sent = [m.sequence for t, m in transport.stored if t.endswith("features")]
    assert sent == list(range(len(sent)))
    assert len(sent) > kinds.count("features")


def test_a_budget_outlives_a_restart(opened):
    spool, transport = opened(), Sent()
    put(spool, *[("features", "live", bytes(500), DAY) for _ in range(8)])
    shipper(spool, transport, budget_bytes=2000).drain(0.0)
    sent = len(transport.stored)
    assert 3 <= sent <= 4
    shipper(opened(), transport, budget_bytes=2000).drain(0.0)
    assert len(transport.stored) == sent


class Clock:
    """A monotonic clock that only a link moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Link(Sent):
    """A link of so many bytes a second."""

    def __init__(self, clock: Clock, rate: float) -> None:
        super().__init__()
        self._clock, self._rate = clock, rate
        self.arrivals: list[tuple[float, Message]] = []
        self.batches: list[list[Message]] = []

    def send(self, topic: str, messages: Sequence[Message]) -> None:
        self._clock.now_s += sum(m.size for m in messages) / self._rate
        super().send(topic, messages)
        self.arrivals += [(self._clock.now_s, m) for m in messages]
        self.batches.append(list(messages))
