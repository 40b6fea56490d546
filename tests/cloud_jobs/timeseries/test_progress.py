"""Queue and standings of places: whatever happens, what counts as held was written."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cloud_jobs.timeseries.progress import Progress
from tests.cloud_jobs.builders import block, clip, event, heartbeat
from vibro.records import Record

FEATURES, EVENTS, CLIPS = (
    ("vibro.v1.a.features", 0),
    ("vibro.v1.a.events", 1),
    ("vibro.v1.a.clips", 0),
)
PLACES = (FEATURES, EVENTS)
MB = 2**20


def one(offset: int, place=FEATURES) -> Record:
    return replace(heartbeat(offset), raw_bytes=offset) if place == EVENTS else block("mean")


def taking(progress: Progress, place, *offsets: int, now_s: float = 0.0) -> None:
    records = [(place, o, event(o)) for o in offsets]
    progress.take({place: offsets[-1]}, records, now_s)


def joined(*places) -> Progress:
    """Places whose offset 1 the server holds."""
    progress = Progress(MB)
    for place in places:
        taking(progress, place, 1)
    progress.know(dict.fromkeys(places, 1))
    return progress


def test_a_new_place_is_read_from_what_the_server_holds():
    progress = Progress(MB)
    taking(progress, FEATURES, 7, 8)
    assert progress.next(100) is None, "it is not known what came before"
    assert progress.unknown() == [FEATURES]
    assert progress.behind() is None
    assert progress.know({FEATURES: 5}) == set()
    assert progress.behind() == (FEATURES, 5, 8)
    progress.acknowledge({FEATURES: 7})
    assert progress.behind() == (FEATURES, 7, 8)
    progress.acknowledge({FEATURES: 8})
    assert progress.behind() is None
    taking(progress, FEATURES, 9)
    taken = progress.next(100)
    assert taken is not None
    assert taken.reached == {FEATURES: 9}
    assert len(taken.records) == 1


def test_batches_are_joined_up_to_a_number_of_points():
    progress = joined(FEATURES, EVENTS)
    for o in range(2, 8):
        taking(progress, FEATURES if o % 2 else EVENTS, o)
    first, rest = progress.next(4), progress.next(100)
    assert first is not None
    assert rest is not None
    assert (first.reached, len(first.records)) == ({EVENTS: 4, FEATURES: 5}, 4)
    assert (rest.reached, len(rest.records)) == ({EVENTS: 6, FEATURES: 7}, 2)
    assert progress.next(100) is None
    assert progress.size == 0


def test_what_becomes_no_points_takes_no_room_but_counts():
    progress = joined(FEATURES)
    progress.take(
        {CLIPS: 9, FEATURES: 2}, [(CLIPS, 9, clip()), (FEATURES, 2, block("sample"))], 0.0
    )
    assert progress.size == 0
    taken = progress.next(1)
    assert taken is not None
    assert (taken.reached, taken.records) == ({FEATURES: 2}, [])
    assert progress.unknown() == [], "clips are not even looked at"


def test_a_full_queue_is_let_go_and_read_again():
    progress = joined(FEATURES, EVENTS)
    progress.most_bytes = 2500
    taking(progress, FEATURES, 2, now_s=5.0)
    taking(progress, EVENTS, 2, now_s=6.0)
    assert (progress.overflows, progress.oldest_s(), progress.missing()) == (0, 5.0, 2)
    taking(progress, FEATURES, 3, now_s=7.0)
    assert (progress.overflows, progress.size) == (1, 0)
    assert progress.next(100) is None
    assert (progress.oldest_s(), progress.missing()) == (5.0, 3)
    turns = {progress.behind(), progress.behind()}
    assert turns == {(FEATURES, 1, 3), (EVENTS, 1, 2)}, "each has its turn"
    progress.acknowledge({FEATURES: 3, EVENTS: 2})
    assert (progress.oldest_s(), progress.missing(), progress.waiting()) == (None, 0, False)


def test_a_batch_larger_than_the_queue_is_read_from_the_log():
    progress = joined(FEATURES)
    progress.most_bytes = 10
    taking(progress, FEATURES, 2)
    assert progress.behind() == (FEATURES, 1, 2)


def test_a_place_made_anew_is_read_from_its_start():
    progress = Progress(MB)
    taking(progress, FEATURES, 3)
    assert progress.know({FEATURES: 500}) == {FEATURES}
    assert progress.behind() == (FEATURES, 0, 3)


class Machine(RuleBasedStateMachine):
    """A consumer, a log, a server that acknowledges, and a tap that may die between any two."""

    @initialize()
    def begin(self) -> None:
        self.log = dict.fromkeys(PLACES, 0)  # last offset; every offset holds a record
        self.consumed = dict.fromkeys(PLACES, 0)
        self.durable = dict.fromkeys(PLACES, 0)
        self.written: dict = {p: set() for p in PLACES}
        self.names: dict = {}  # place and offset by the identity of a record
        self.kept: list = []  # which lives on, so that its identity stays its own
        self.start()

    def start(self) -> None:
        self.progress = Progress(3000)
        self.in_flight = None

    @rule(place=st.sampled_from(PLACES), n=st.integers(1, 4))
    def consume(self, place, n) -> None:
        first, last = self.consumed[place] + 1, self.consumed[place] + n
        self.consumed[place] = last
        records = [(place, o, one(o, place)) for o in range(first, last + 1)]
        records = [(p, o, self.named(r, p, o)) for p, o, r in records]
        self.progress.take({place: last}, records, 0.0)

    @rule(
        what=st.sampled_from(["restart", "untold", "elsewhere"]),
        place=st.sampled_from(PLACES),
        n=st.integers(1, 4),
    )
    def trouble(self, what, place, n) -> None:
        """The process ends, maybe before the tap was told; another one has a place for a while."""
        self.consumed[place] += 0 if what == "restart" else n
        if what == "elsewhere":
            self.progress.assigned({place})
        else:
            self.start()

    @rule(times=st.integers(1, 9))
    def work(self, times) -> None:
        for _ in range(times):
            self.write()
            self.acknowledge()

    @rule()
    def write(self) -> None:
        """Begin to write; whatever else happens meanwhile, it is acknowledged later or never."""
        if self.in_flight is not None:
            return
        taken = self.progress.next(3)
        if taken is not None:
            found = [self.names[id(r)] for r in taken.records]
            self.in_flight = (found, taken.reached)
            return
        self.progress.know({p: self.durable[p] for p in self.progress.unknown()})
        behind = self.progress.behind()
        if behind is not None:
            place, after, upto = behind
            assert after < upto <= self.consumed[place]
            last = min(after + 2, upto)
            self.in_flight = ([(place, o) for o in range(after + 1, last + 1)], {place: last})

    @rule()
    def acknowledge(self) -> None:
        if self.in_flight is None:
            return
        found, reached = self.in_flight
        self.in_flight = None
        for place, offset in found:
            self.written[place].add(offset)
        self.progress.acknowledge(reached)
        for place, offset in reached.items():
            self.durable[place] = max(self.durable[place], offset)

    def named(self, record, place, offset):
        self.kept.append(record)
        self.names[id(record)] = (place, offset)
        return record

    @invariant()
    def what_is_held_was_written(self) -> None:
        for place in getattr(self, "durable", ()):
            held = set(range(1, self.durable[place] + 1))
            assert held <= self.written[place]

    def teardown(self) -> None:
        if not hasattr(self, "log"):
            return
        for _ in range(1000):
            self.acknowledge()
            if not self.progress.waiting():
                break
            self.write()
        for place, standing in self.progress._places.items():
            assert standing.joined
            assert self.durable[place] == self.consumed[place]
        assert self.progress.missing() == 0


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
