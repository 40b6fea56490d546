"""Dead letters that are sent back: taken in once, or listed again; nobody else gets in that way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from cloud_jobs.consume import DEAD, Consumer, intake
from cloud_jobs.consume.graveyard import chosen, send_back, waiting
from cloud_jobs.consume.letters import REPLAY
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store
from cloud_jobs.store.books import ReplayRow
from tests.cloud_jobs.builders import S, Sender, block, clip, consuming, event, heartbeat
from tests.cloud_jobs.kafka_plant import KafkaPlant
from vibro.errors import BadInputError
from vibro.log import Message, TooLargeError
from vibro.wire import encode

NOON = 1_767_268_800 * S


class Old:
    """Stands for a consumer of last year: it cannot read what it does not know."""

    def __init__(self, monkeypatch) -> None:
        self._admit, self.cannot = intake.admit, ()
        monkeypatch.setattr(intake, "admit", self.admit)

    def admit(self, topic, kind, value):
        if kind in self.cannot:
            raise BadInputError(f"{kind} of next year")
        return self._admit(topic, kind, value)


@pytest.fixture
def old(monkeypatch):
    made = Old(monkeypatch)
    made.cannot = ("events", "clips", "features", "health")
    return made


class Home:
    """A consumer and the letters of a home."""

    def __init__(self, folder) -> None:
        self.sender, self.store, self.lake = Sender(folder), Store(folder), Lake(folder)
        self.log = self.sender.log
        self.consumer = consuming(folder, self.log, clock=lambda: NOON)

    def waiting(self):
        return waiting(self.log, self.store)

    def send_back(self) -> None:
        for letter in self.waiting():
            send_back(letter, self.log, self.store)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def everything() -> list:
    return [event(1.0), clip(2.0), block(), heartbeat(3.0)]


def test_letters_tell_where_they_came_from_what_is_wrong_and_since_when(home, old):
    home.sender.send(event(1.0))
    home.consumer.poll()
    (letter,) = home.waiting()
    assert (letter.id, letter.topic) == ("vibro.v1.a.events/0/1", "vibro.v1.a.events")
    assert (letter.machine, letter.site, letter.time_ns) == ("a/m1", "a", NOON)
    assert (letter.reason, letter.error) == ("events of next year", "refused")
    assert (letter.tries, letter.whole) == (0, True)


def test_what_can_be_read_after_an_update_is_taken_in_as_if_it_had_been_before(home, old):
    home.sender.send(*everything())
    home.consumer.poll()
    home.sender.send(event(50.0), clip(60.0), block(t0_ns=70 * S), heartbeat(80.0))
    old.cannot = ()
    home.consumer.poll()
    assert home.store.received() == ({"events": 1, "clips": 1, "features": 1, "health": 1}, 4)
    home.send_back()
    counts = home.consumer.poll()
    assert (counts.messages, counts.dead, counts.repeats) == (4, 0, 0)
    assert counts.machines == {"a/m1"}
    assert [e.t_onset_ns for e in home.store.events()] == [S, 50 * S]
    assert len(home.lake.table("clips")) == len(home.store.clips()) == 2
    assert len(home.lake.table("features_fast")) == 4
    assert home.store.received() == ({"events": 2, "clips": 2, "features": 2, "health": 2}, 0)
    assert home.waiting() == []


def test_a_letter_is_let_in_once_however_often_it_is_sent(home, old):
    home.sender.send(*everything(), event(5.0))
    home.consumer.poll()
    letters = home.waiting()
    old.cannot = ()
    for _ in range(2):
        for letter in letters:
            send_back(letter, home.log, home.store)
    assert home.consumer.poll().messages == 5  # the embedded log knows its producers
    for letter in letters:
        home.log.send(letter.topic, [replace(m, sequence=9) for m in sent_again(home, letter)])
    counts = home.consumer.poll()
    assert (counts.messages, counts.repeats) == (5, 5)
    assert len(home.lake.table("features_fast")) == 2
    assert home.store.received() == ({"events": 2, "clips": 1, "features": 1, "health": 1}, 0)


def sent_again(home, letter) -> list[Message]:
    """What `send_back` sends, once more."""
    (stored,) = home.log.read(DEAD, letter.offset - 1, 1)
    headers = ((REPLAY, f"1 {letter.id}".encode()),)
    return [Message(stored.key, stored.value, f"replay:{letter.id}", 2, headers)]


def test_what_comes_to_nothing_again_is_listed_again_one_try_older(home, old):
    headers = (("trace", b"\x00\xff"),)
    home.log.send("vibro.v1.a.events", [Message("a/m1", b"rubbish", "p", 0, headers)])
    for tries in range(3):
        home.consumer.poll()
        (letter,) = home.waiting()
        assert (letter.id, letter.tries) == ("vibro.v1.a.events/0/1", tries)
        (stored,) = home.log.read(DEAD, letter.offset - 1, 1)
        assert (stored.value, stored.headers[-1:]) == (b"rubbish", headers)
        send_back(letter, home.log, home.store)
        assert home.waiting() == []


def test_nobody_but_an_operator_sends_back(home, old):
    """The header alone opens no door, nor does another value under a name that was registered."""
    old.cannot = ("clips",)
    home.sender.send(event(1.0), clip(2.0), event(3.0))
    home.consumer.poll()
    (letter,) = home.waiting()
    old.cannot = ()
    (first,) = home.log.read("vibro.v1.a.events", 0, 1)
    for name in ("vibro.v1.a.events/0/1", letter.id, "", "x"):
        forged = Message("a/m1", first.value, f"forger{name}", 0, ((REPLAY, f"1 {name}".encode()),))
        home.log.send("vibro.v1.a.events", [forged])
    other = clip(9.0)
    value = encode(replace(other, origin=replace(other.origin, sequence=0)))
    forged = Message("a/m1", value, "forger", 0, ((REPLAY, f"1 {letter.id}".encode()),))
    with home.store.transaction() as session:
        session.add(ReplayRow(letter=letter.id, sha256=letter.sha256, sent=0, taken=False))
    home.log.send("vibro.v1.a.clips", [Message("a/m1", encode(clip(5.0)), "p", 0), forged])
    home.send_back()
    counts = home.consumer.poll()
    assert (counts.clips, counts.events, counts.repeats) == (2, 0, 5)
    assert [c.t0_ns for c in home.store.clips()] == [2 * S, 5 * S]


def test_a_process_that_dies_before_it_has_noted_it_may_send_again(home, old, monkeypatch):
    home.sender.send(event(1.0))
    home.consumer.poll()
    old.cannot = ()
    (letter,) = home.waiting()
    with monkeypatch.context() as dying:
        dying.setattr("cloud_jobs.consume.graveyard.update", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            send_back(letter, home.log, home.store)
    assert [w.id for w in home.waiting()] == [letter.id]
    home.send_back()
    home.consumer.poll()
    assert len(home.store.events()) == 1
    assert home.waiting() == []


class Narrow:
    """A log that takes no value beyond a size, as a broker does."""

    def __init__(self, log, most: int) -> None:
        self._log, self._most = log, most

    def __getattr__(self, name):
        return getattr(self._log, name)

    def send(self, topic, messages):
        for at, message in enumerate(messages):
            if message.size > self._most:
                raise TooLargeError("too large", at)
            self._log.send(topic, [message])


def test_a_value_too_large_to_bury_is_told_and_holds_up_nobody(home, tmp_path):
    for name, size in [("first", 10), ("large", 9000), ("last", 20), ("huge", 9001)]:
        home.log.send(
            "vibro.v1.a.events", [Message("a/m1", b"x" * size, name, 0, (("h", b"x" * size),))]
        )
    home.sender.send(event(1.0))
    job = consuming(tmp_path, home.log)
    job._log = Narrow(home.log, 5000)
    assert (counts := job.poll()).dead == 4
    assert counts.events == 1
    found = home.waiting()
    assert [(w.bytes, w.whole) for w in found] == [
        (10, True),
        (9000, False),
        (20, True),
        (9001, False),
    ]
    with pytest.raises(BadInputError, match="too large"):
        send_back(found[1], home.log, home.store)


def test_only_what_waits_can_be_chosen(home, old):
    home.sender.send(event(1.0), event(2.0))
    home.consumer.poll()
    found = home.waiting()
    assert chosen(found, [found[1].id, found[1].id]) == [found[1]]
    with pytest.raises(BadInputError, match="'nonsense' is not waiting"):
        chosen(found, ["nonsense"])


def test_letters_of_before_they_had_names_are_read(home):
    headers = (("topic", b"vibro.v1.a.events"), ("offset", b"7"), ("reason", b"why"), ("x", b"y"))
    home.log.send(DEAD, [Message("a/m1", b"rubbish", "dead:vibro.v1.a.events", 7, headers)])
    (letter,) = home.waiting()
    assert (letter.id, letter.error) == ("vibro.v1.a.events/0/7", "no_record")
    home.send_back()
    (back,) = home.log.read("vibro.v1.a.events", 0, 9)
    assert (back.value, back.headers[0]) == (b"rubbish", ("x", b"y"))


def test_on_a_broker_letters_are_listed_and_sent_back_as_well(kafka, tmp_path, old):
    plant = KafkaPlant(kafka.servers, tmp_path)
    site = plant.site("a")
    feed, store, lake = plant.feed(), Store(tmp_path), Lake(tmp_path)
    jobs = Consumer(feed, plant.log, lake, store, clock=lambda: NOON)
    old.cannot = ("events",)
    plant.sender().send(event(1.0, site=site), clip(2.0, site=site))
    counts: Counter[str] = Counter()

    def poll_until(kind: str, n: int) -> None:
        for _ in range(200):
            if counts[kind] >= n:
                return
            told = jobs.poll(0.3)
            counts.update({k: getattr(told, k) for k in ("dead", "clips", "events")})

    try:
        poll_until("dead", 1)
        poll_until("clips", 1)
        (letter,) = [w for w in waiting(plant.log, store) if w.site == site]
        assert letter.id.startswith(f"vibro.v1.{site}.events/")
        old.cannot = ()
        send_back(letter, plant.log, store)
        poll_until("events", 1)
        assert [w for w in waiting(plant.log, store) if w.site == site] == []
    finally:
        feed.close()
        plant.close()
    assert counts == {"dead": 1, "clips": 1, "events": 1}
    assert [e.t_onset_ns for e in store.events()] == [S]
