"""The consumer over any feed: what it holds back, whom it yields to, from where it reads."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from cloud_jobs.consume import DEAD, Consumer, Holding
from cloud_jobs.consume import batch as batches
from cloud_jobs.consume.loop import Patience
from cloud_jobs.consume.sequences import after
from cloud_jobs.consume.starting import Start, start_of
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store, ingest, progress
from cloud_jobs.store.progress import Taken
from tests.cloud_jobs.builders import S, block, clip, event, heartbeat
from vibro.errors import BadInputError, VibroError
from vibro.log import EmbeddedLog, Polled, Stored
from vibro.records import TOPIC_OF, topic
from vibro.wire import encode

FEATURES, EVENTS = "vibro.v1.a.features", "vibro.v1.a.events"


class Feed:
    """Messages by place, as a test lays them out; who owns what is the test's to say."""

    def __init__(self, *places) -> None:
        self.held: dict = {place: [] for place in places}
        self.first = dict.fromkeys(places, 1)
        self._after: dict = {}
        self._gone: set = set()
        self.said: dict = {}

    def lay(self, *records, partition: int = 0, sequence: int | None = None) -> None:
        for record in records:
            name = topic(record.origin.site, TOPIC_OF[type(record)])
            there = self.held[name, partition]
            number = len(there) if sequence is None else sequence
            numbered = replace(record, origin=replace(record.origin, sequence=number))
            offset = self.first[name, partition] + len(there)
            there.append(Stored(name, offset, "a/m1", encode(numbered), (), partition))

    def take_away(self, *places) -> None:
        for place in places:
            self._after.pop(place, None)
            self._gone.add(place)

    def give(self, *places) -> None:
        self._gone -= set(places)

    def poll(self, wait_s: float = 0.0) -> Polled:
        ours = [p for p in self.held if p not in self._gone]
        fresh = {p: range(self.first[p], self.first[p] + len(self.held[p]))
                 for p in ours if p not in self._after}  # fmt: skip
        found = []
        for place in ours:
            if place in self._after:
                more = [m for m in self.held[place] if m.offset > self._after[place]]
                self._after[place] = more[-1].offset if more else self._after[place]
                found += more
        return Polled(found, fresh, frozenset(self._gone))

    def start(self, after) -> None:
        self._after |= after

    def rewind(self) -> None:
        self._after.clear()

    def kept(self, reached) -> None:
        self.said |= reached

    def ends(self):
        return {p: self.first[p] + len(m) - 1 for p, m in self.held.items()}

    def close(self) -> None:
        """Nothing to leave."""


class Tap:
    def __init__(self) -> None:
        self.taken: list = []

    def assigned(self, places) -> None:
        self.taken.append(set(places))

    def take(self, reached, records) -> None:
        self.taken.append((dict(reached), [(p, o, type(r).__name__) for p, o, r in records]))

    def close(self) -> None:
        """Nothing to send."""


@pytest.fixture
def home(tmp_path):
    return tmp_path


def consumer(home, feed, **options) -> Consumer:
    log = EmbeddedLog(home / "log")
    return Consumer(feed, log, Lake(home), Store(home), **options)


def offsets(home) -> dict:
    store = Store(home)
    with store.transaction() as session:
        return progress.offsets(session)


# -- holding back ----------------------------------------------------------------------------------


def test_features_are_held_back_and_nothing_else(home):
    feed, tap = Feed((FEATURES, 0), (EVENTS, 0)), Tap()
    job = consumer(home, feed, holding=Holding(1000.0, messages=4), tap=tap)
    feed.lay(block(), event(1.0))
    assert job.poll().messages == 1
    assert offsets(home) == {(EVENTS, 0): 1}
    assert len(Store(home).events()) == 1
    assert job.lag() == {FEATURES: 1, EVENTS: 0}
    feed.lay(block(t0_ns=10 * S), block(t0_ns=20 * S))
    assert job.poll().messages == 0
    feed.lay(block(t0_ns=30 * S))
    counts = job.poll()
    assert (counts.messages, counts.features, counts.rows) == (4, 4, 8)
    assert Lake(home)._table("features_fast").version() == 1
    assert offsets(home) == feed.said == {(EVENTS, 0): 1, (FEATURES, 0): 4}
    assert job.lag() == {FEATURES: 0, EVENTS: 0}
    feed.lay(block(t0_ns=40 * S))
    assert job.poll().messages == 0
    assert job.flush().messages == 1
    assert job.flush().messages == 0
    assert tap.taken == [
        {(FEATURES, 0), (EVENTS, 0)},
        ({(EVENTS, 0): 1}, [((EVENTS, 0), 1, "Event")]),
        ({(FEATURES, 0): 4}, [((FEATURES, 0), n, "FeatureBlock") for n in (1, 2, 3, 4)]),
        ({(FEATURES, 0): 5}, [((FEATURES, 0), 5, "FeatureBlock")]),
    ]


@pytest.mark.parametrize("holding", [Holding(0.0), Holding(1000.0, rows=2)])
def test_what_is_due_by_time_or_size_is_kept(home, holding):
    feed = Feed((FEATURES, 0))
    job = consumer(home, feed, holding=holding)
    feed.lay(block())
    assert job.poll().messages == 1


def test_what_is_held_of_a_place_that_goes_is_left_to_its_new_owner(home):
    places = [(FEATURES, p) for p in range(3)]
    feed = Feed(*places)
    job = consumer(home, feed, holding=Holding(1000.0))
    for place in places:
        feed.lay(block(t0_ns=100 * place[1] * S, machine=f"m{place[1]}"), partition=place[1])
    job.poll()
    feed.take_away(places[0])
    job.poll()
    assert job.flush().messages == 2
    assert offsets(home) == {places[1]: 1, places[2]: 1}
    other = Feed(places[0])
    other.held |= {places[0]: feed.held[places[0]]}
    assert consumer(home, other).poll().messages == 1
    assert len(Lake(home).table("features_fast")) == 6


# -- who was overtaken -----------------------------------------------------------------------------


def test_a_sleeper_writes_nothing_of_what_another_took_over(home):
    """It wakes with a batch in its hands, of which the other has taken a part, and more."""
    feed, other = Feed((FEATURES, 0), (EVENTS, 0)), Feed((FEATURES, 0), (EVENTS, 0))
    sleeper = consumer(home, feed, holding=Holding(1000.0))
    for f in (feed, other):
        f.lay(block(), event(1.0), event(2.0))
    sleeper.poll()
    other.lay(block(t0_ns=10 * S), event(3.0), event(2.0, revision=1, lasted_s=9.0))
    new = consumer(home, other)
    assert new.poll().messages == 4
    assert sleeper.flush().messages == 0
    assert len(Lake(home).table("features_fast")) == 4
    feed.lay(block(t0_ns=10 * S), event(3.0), event(2.0, revision=1, lasted_s=9.0))
    feed.lay(event(9.0), block(t0_ns=20 * S))
    counts = sleeper.poll()
    assert (counts.messages, counts.overtaken) == (1, 0)
    assert [e.t_onset_ns for e in Store(home).events()] == [S, 2 * S, 3 * S, 9 * S]
    assert sleeper.flush().messages == 1
    assert len(Lake(home).table("features_fast")) == 6
    assert Store(home).received() == ({"features": 3, "events": 5}, 0)


def test_a_sleeper_that_is_overtaken_between_lake_and_store_says_so_and_reads_again(home, caplog):
    feed, other = Feed((FEATURES, 0)), Feed((FEATURES, 0))
    sleeper, new = consumer(home, feed), consumer(home, other)
    for f in (feed, other):
        f.lay(*(block(t0_ns=10 * i * S) for i in range(3)))
    append = Lake.append

    def sleeping(self, *given):
        done = append(self, *given)
        if self is sleeper._lake and not new._offsets:
            assert new.poll().messages == 3
        return done

    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(Lake, "append", sleeping)
        assert sleeper.poll().overtaken == 1
    assert "another consumer has taken over" in caplog.text
    assert len(Lake(home).table("features_fast")) == 6
    for f in (feed, other):
        f.lay(block(t0_ns=100 * S))
    assert sleeper.poll().messages == 1
    assert new.poll().overtaken == 1
    assert len(Lake(home).table("features_fast")) == 8


def test_numbers_that_another_consumer_took_are_known(home):
    """A place comes back after another one has gone on with it: its repeats are repeats."""
    feed = Feed((EVENTS, 0))
    job = consumer(home, feed)
    feed.lay(event(1.0))
    job.poll()
    feed.take_away((EVENTS, 0))
    job.poll()
    other = Feed((EVENTS, 0))
    other.held = feed.held
    feed.lay(event(2.0), event(3.0))
    consumer(home, other).poll()
    feed.lay(event(3.0), sequence=2)
    feed.lay(event(4.0), sequence=3)
    feed.give((EVENTS, 0))
    counts = job.poll()
    assert (counts.messages, counts.repeats) == (2, 1)
    assert Store(home).received() == ({"events": 4}, 0)


def test_a_sender_whose_partition_changes_is_counted_in_both(home):
    feed = Feed((EVENTS, 0), (EVENTS, 3))
    feed.lay(event(1.0), event(2.0))
    feed.lay(event(3.0), event(4.0), partition=3)
    feed.held[EVENTS, 3] = [
        replace(m, value=encode(replace(e, origin=replace(e.origin, sequence=n))))
        for n, (m, e) in enumerate(
            zip(feed.held[EVENTS, 3], (event(3.0), event(4.0)), strict=True), 2
        )
    ]
    assert consumer(home, feed).poll().repeats == 0
    assert Store(home).received() == ({"events": 4}, 0)


# -- from where ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "first", "stop", "start"),
    [
        (0, 1, 1, Start(0)),
        (0, 1, 11, Start(0)),
        (4, 1, 11, Start(4)),
        (10, 1, 11, Start(10)),
        (10, 11, 11, Start(10)),
        (0, 5, 11, Start(4)),
        (2, 5, 11, Start(4, expired=2)),
        (4, 5, 11, Start(4)),
        (2, 11, 11, Start(10, expired=8)),
        (11, 1, 11, Start(0, anew=True)),
        (40, 1, 1, Start(0, anew=True)),
        (40, 5, 11, Start(4, anew=True)),
    ],
)
def test_where_reading_begins(kept, first, stop, start):
    assert start_of(kept, range(first, stop)) == start


@given(st.integers(0, 60), st.integers(1, 50), st.integers(0, 20))
def test_nothing_that_is_there_and_not_kept_is_skipped_without_being_counted(kept, first, n):
    held = range(first, first + n)
    start = start_of(kept, held)
    read = {o for o in held if o > start.after}
    if start.anew:
        assert kept >= held.stop
        assert read == set(held)
    else:
        assert read == {o for o in held if o > kept}
        never = set(range(kept + 1, held.start)) if kept else set()
        assert start.expired == len(never)


def test_what_retention_deleted_is_counted_and_said(home, caplog):
    feed = Feed((EVENTS, 0))
    feed.lay(event(1.0), event(2.0))
    consumer(home, feed).poll()
    feed.lay(*(event(float(t)) for t in range(3, 9)))
    feed.held[EVENTS, 0] = feed.held[EVENTS, 0][5:]
    feed.first[EVENTS, 0] = 6
    feed.rewind()
    with caplog.at_level(logging.WARNING):
        counts = consumer(home, feed).poll()
    assert (counts.expired, counts.events) == (3, 3)
    assert f"{EVENTS}: 3 messages were deleted by the broker's retention" in caplog.text
    assert Store(home).received() == ({"events": 5}, 3)


def test_a_topic_that_was_made_anew_is_read_from_its_start_and_repeats_are_known(home, caplog):
    feed = Feed((EVENTS, 0), (FEATURES, 0))
    feed.lay(*(event(float(t)) for t in range(5)), *(block(t0_ns=10 * t * S) for t in range(5)))
    consumer(home, feed).poll()
    feed = Feed((EVENTS, 0), (FEATURES, 0))
    feed.lay(event(4.0), block(t0_ns=40 * S), sequence=4)
    feed.lay(event(7.0), block(t0_ns=70 * S), sequence=5)
    with caplog.at_level(logging.WARNING):
        job = consumer(home, feed)
        counts = job.poll()
    assert (counts.events, counts.features, counts.repeats) == (1, 1, 2)
    assert f"{EVENTS} was made anew" in caplog.text
    assert len(Lake(home).table("features_fast")) == 12
    assert len(Store(home).events()) == 6
    assert offsets(home) == {(EVENTS, 0): 2, (FEATURES, 0): 2}
    assert consumer(home, feed).poll().messages == 0


# -- numbers ---------------------------------------------------------------------------------------

numbers = st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=60)


@given(numbers)
def test_numbers_taken_are_those_of_a_plain_set_where_only_the_missing_are_sent_back(given_numbers):
    """The oracle keeps every number; an operator sends back only what was never taken."""
    held, taken = None, set()
    for number, back in given_numbers:
        if back and number in taken:
            continue
        fresh = held is None or number > max(taken) or back
        held_next = after(held, number, sent_back=back)
        assert (held_next is not None) == fresh
        if held_next is not None:
            held = held_next
            taken.add(number)
    if held is not None:
        missing = max(taken) - min(taken) + 1 - len(taken)
        assert held == Taken(min(taken), max(taken), missing)


# -- what nobody thought of -----------------------------------------------------------------------


@pytest.mark.parametrize("where", ["store", "lake"])
def test_a_record_that_no_table_takes_is_a_letter_and_stops_nobody(
    home, monkeypatch, where, caplog
):
    feed = Feed((EVENTS, 0), (FEATURES, 0))
    job = consumer(home, feed)
    feed.lay(*(event(float(t)) for t in range(5)), *(block(t0_ns=10 * t * S) for t in range(5)))
    keep_events, block_rows = ingest.keep_events, batches.block_rows

    def choosy_store(session, events, *given):
        if any(e.t_onset_ns == 2 * S for e in events):
            raise IntegrityError("insert", {}, Exception("never seen before"))
        return keep_events(session, events, *given)

    def choosy_lake(table, blocks):
        if any(b.columns["t0_ns"][0] == 20 * S for b in blocks):
            raise pa.ArrowInvalid("never seen before")
        return block_rows(table, blocks)

    if where == "store":
        monkeypatch.setattr(ingest, "keep_events", choosy_store)
    else:
        monkeypatch.setattr(batches, "block_rows", choosy_lake)
    counts = job.poll()
    assert (counts.messages, counts.dead) == (10, 1)
    (letter,) = EmbeddedLog(home / "log").read(DEAD, 0, 9)
    assert b"it could not be kept" in dict(letter.headers)["reason"]
    assert b"never seen before" in dict(letter.headers)["reason"]
    monkeypatch.undo()
    feed.lay(event(9.0))
    assert job.poll().messages == 1
    lost = {"store": "events", "lake": "features"}[where]
    kept = {"events": 6, "features": 5}
    assert Store(home).received() == (kept | {lost: kept[lost] - 1}, 1)
    assert "kept one by one" in caplog.text


# -- services that are away ------------------------------------------------------------------------


def test_a_store_that_is_away_stops_consumption_and_nothing_is_lost(home, monkeypatch):
    feed = Feed((EVENTS, 0), ("vibro.v1.a.clips", 0), ("vibro.v1.a.health", 0), (FEATURES, 0))
    job = consumer(home, feed)
    feed.lay(event(1.0), clip(2.0), heartbeat(3.0), block())
    transaction = Store.transaction
    away = {"now": True}

    def perhaps(self):
        if away["now"]:
            raise VibroError("store: connection refused")
        return transaction(self)

    monkeypatch.setattr(Store, "transaction", perhaps)
    for _ in range(3):
        with pytest.raises(VibroError, match="connection refused"):
            job.poll()
    away["now"] = False
    assert job.poll().messages == 4
    away["now"] = True
    feed.lay(event(5.0))
    with pytest.raises(VibroError, match="connection refused"):
        job.poll()
    away["now"] = False
    assert job.poll().messages == 1
    assert Store(home).received() == (
        {"events": 2, "clips": 1, "health": 1, "features": 1},
        0,
    )


class Failing:
    """Work that fails so many times, each time with what it is told to say."""

    def __init__(self, *says: str) -> None:
        self.says = list(says)

    def __call__(self) -> str:
        if self.says:
            raise VibroError(self.says.pop(0))
        return "done"


def test_what_is_away_is_said_once_and_waited_for(caplog):
    waited: list[float] = []
    stop = threading.Event()
    stop.wait = waited.append
    with caplog.at_level(logging.INFO):
        patience = Patience(stop, (1.0, 2.0, 4.0))
        work = Failing("a is away", "a is away", "b is away", "b is away", "b is away")
        assert patience.insist(work) == "done"
        assert patience.attempt(work) == "done"
        assert patience.attempt(Failing("a is away")) is None
    assert waited == [1.0, 2.0, 4.0, 4.0, 4.0, 1.0]
    said = [r.getMessage().partition(";")[0].partition(" after")[0] for r in caplog.records]
    assert said == ["a is away", "b is away", "all is well again", "a is away"]


def test_what_trying_again_does_not_mend_is_raised_and_a_stop_ends_the_waiting():
    stop = threading.Event()

    def broken():
        raise BadInputError("damaged")

    with pytest.raises(BadInputError, match="damaged"):
        Patience(stop).insist(broken)

    def stopping():
        stop.set()
        raise VibroError("away")

    assert Patience(stop).insist(stopping) is None
