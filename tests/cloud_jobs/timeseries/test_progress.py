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


def begun(*places, after: int = 1, held: int = 1) -> Progress:
    """Places that the consumer goes on with, and what the server holds of them."""
    progress = Progress(MB)
    progress.assigned(dict.fromkeys(places, after), 0.0)
    progress.know(dict.fromkeys(places, held))
    return progress


def test_what_the_consumer_begins_with_is_queued_and_only_the_gap_is_read():
    progress = begun(FEATURES, after=6, held=3)
    taking(progress, FEATURES, 7, 8)
    assert progress.gap(0.0) == (FEATURES, 3, 6)
    taken = progress.next(100)
    assert taken is not None
    assert (taken.reached, len(taken.records)) == ({FEATURES: 8}, 2)
    assert progress.wrote(taken.reached) == {FEATURES: 3}, "the gap is still there"
    assert progress.filled({FEATURES: 5}) == {FEATURES: 5}
    assert progress.gap(0.0) == (FEATURES, 5, 6)
    assert progress.filled({FEATURES: 6}) == {FEATURES: 8}
    assert progress.gap(0.0) is None
    assert (progress.waiting(0.0), progress.missing()) == (False, 0)


def test_what_is_queued_while_nothing_is_known_counts_later():
    progress = Progress(MB)
    progress.assigned({FEATURES: 6, CLIPS: 9}, 0.0)
    assert progress.unknown() == [FEATURES], "clips are not even looked at"
    taking(progress, FEATURES, 7)
    taken = progress.next(100)
    assert taken is not None
    assert progress.wrote(taken.reached) == {}
    assert progress.gap(0.0) is None, "nobody knows where it would begin"
    assert progress.know({FEATURES: 6}) == set()
    assert progress.wrote({FEATURES: 7}) == {FEATURES: 7}


def test_batches_are_joined_up_to_a_number_of_points():
    progress = begun(FEATURES, EVENTS)
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
    progress = begun(FEATURES)
    progress.take(
        {CLIPS: 9, FEATURES: 2}, [(CLIPS, 9, clip()), (FEATURES, 2, block("sample"))], 0.0
    )
    assert progress.size == 0
    taken = progress.next(1)
    assert taken is not None
    assert (taken.reached, taken.records) == ({FEATURES: 2}, [])


def test_a_full_queue_is_let_go_and_becomes_a_gap():
    progress = begun(FEATURES, EVENTS)
    progress.most_bytes = 2500
    taking(progress, FEATURES, 2, now_s=5.0)
    taking(progress, EVENTS, 2, now_s=6.0)
    assert (progress.overflows, progress.oldest_s(), progress.missing()) == (0, 5.0, 2)
    taking(progress, FEATURES, 3, now_s=7.0)
    assert (progress.overflows, progress.size, progress.queued) == (1, 0, False)
    assert (progress.oldest_s(), progress.missing()) == (5.0, 3)
    taking(progress, FEATURES, 4, now_s=8.0)
    assert progress.queued, "what comes now is queued again"
    turns = {progress.gap(0.0), progress.gap(0.0)}
    assert turns == {(FEATURES, 1, 3), (EVENTS, 1, 2)}, "each has its turn"
    assert progress.filled({FEATURES: 3, EVENTS: 2}) == {FEATURES: 3, EVENTS: 2}
    taken = progress.next(100)
    assert taken is not None
    assert progress.wrote(taken.reached) == {FEATURES: 4}
    assert (progress.oldest_s(), progress.missing(), progress.waiting(0.0)) == (None, 0, False)


def test_an_overflow_opens_no_gap_where_nothing_was_queued():
    progress = begun(FEATURES, EVENTS)
    progress.most_bytes = 10
    taking(progress, FEATURES, 2)
    assert progress.gap(0.0) == (FEATURES, 1, 2)
    progress.filled({FEATURES: 2})
    assert progress.gap(0.0) is None


def test_what_is_written_while_the_queue_is_let_go_is_read_once_more():
    progress = begun(FEATURES)
    taking(progress, FEATURES, 2)
    taken = progress.next(1)
    progress.most_bytes = 10
    taking(progress, FEATURES, 3)
    assert taken is not None
    assert progress.wrote(taken.reached) == {FEATURES: 1}
    assert progress.gap(0.0) == (FEATURES, 1, 3)


def test_a_gap_of_which_the_log_tells_nothing_waits_and_holds_up_no_other():
    progress = begun(FEATURES, EVENTS, after=4, held=1)
    progress.postpone(FEATURES, 9.0)
    assert {progress.gap(8.0), progress.gap(8.0)} == {(EVENTS, 1, 4)}
    progress.filled({EVENTS: 4})
    assert (progress.gap(8.0), progress.waiting(8.0), progress.missing()) == (None, False, 3)
    assert progress.waiting(9.0)
    assert progress.gap(9.0) == (FEATURES, 1, 4)


def test_a_place_made_anew_is_read_from_its_start():
    progress = Progress(MB)
    progress.assigned({FEATURES: 3}, 0.0)
    assert progress.know({FEATURES: 500}) == {FEATURES}
    assert progress.gap(0.0) == (FEATURES, 0, 3)


def test_who_goes_on_where_he_stood_keeps_his_queue():
    progress = begun(FEATURES)
    taking(progress, FEATURES, 2)
    progress.assigned({FEATURES: 2}, 0.0)
    assert progress.unknown() == []
    progress.assigned({FEATURES: 5}, 0.0)
    assert progress.unknown() == [FEATURES], "another one has had it"


class Machine(RuleBasedStateMachine):
    """A consumer, a log, a server that acknowledges, and a tap that may die between any two."""

    @initialize()
    def begin(self) -> None:
        self.consumed = dict.fromkeys(PLACES, 0)
        self.durable = dict.fromkeys(PLACES, 0)
        self.written: dict = {p: set() for p in PLACES}
        self.names: dict = {}  # place and offset by the identity of a record
        self.kept: list = []  # which lives on, so that its identity stays its own
        self.start()

    def start(self) -> None:
        self.progress = Progress(3000)
        self.progress.assigned(self.consumed, 0.0)
        self.in_flight = None

    @rule(place=st.sampled_from(PLACES), n=st.integers(1, 4))
    def consume(self, place, n) -> None:
        records = []
        for _ in range(n):
            self.consumed[place] += 1
            record = one(self.consumed[place], place)
            self.kept.append(record)
            self.names[id(record)] = (place, self.consumed[place])
            records.append((place, self.consumed[place], record))
        self.progress.take({place: self.consumed[place]}, records, 0.0)

    @rule(
        what=st.sampled_from(["restart", "untold", "elsewhere", "rewound"]),
        place=st.sampled_from(PLACES),
        n=st.integers(1, 4),
    )
    def trouble(self, what, place, n) -> None:
        """The process ends, maybe before the tap was told; another one has a place for a while."""
        self.consumed[place] += n if what in ("untold", "elsewhere") else 0
        if what in ("elsewhere", "rewound"):
            self.progress.assigned({place: self.consumed[place]}, 0.0)
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
        self.turn = not getattr(self, "turn", False)
        self.progress.know({p: self.durable[p] for p in self.progress.unknown()})
        gap = self.progress.gap(0.0) if self.turn else None
        taken = None if gap else self.progress.next(3)
        if taken is not None:
            found = [self.names[id(r)] for r in taken.records]
            self.in_flight = (found, taken.reached, self.progress.wrote)
        elif gap is not None:
            place, after, upto = gap
            assert after < upto <= self.consumed[place]
            last = min(after + 2, upto)
            found = [(place, o) for o in range(after + 1, last + 1)]
            self.in_flight = (found, {place: last}, self.progress.filled)

    @rule()
    def acknowledge(self) -> None:
        if self.in_flight is None:
            return
        found, reached, moved = self.in_flight
        self.in_flight = None
        for place, offset in found:
            self.written[place].add(offset)
        for place, offset in moved(reached).items():
            self.durable[place] = max(self.durable[place], offset)

    @invariant()
    def what_is_held_was_written(self) -> None:
        for place in getattr(self, "durable", ()):
            held = set(range(1, self.durable[place] + 1))
            assert held <= self.written[place]

    def teardown(self) -> None:
        if not hasattr(self, "durable"):
            return
        for _ in range(1000):
            self.write()
            self.acknowledge()
            if not self.progress.waiting(0.0):
                break
        assert self.durable == self.consumed
        assert self.progress.missing() == 0


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
