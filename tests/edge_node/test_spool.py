"""The spool's order, bounds and accounts: one suite for every implementation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.spool import PRIORITY, Entry, Spool
from edge_node.spool.schema import ROW_BYTES
from tests.edge_node.spools import MAKERS, NO_BOUND, database, put, waiting

DAY = 86_400 * 10**9
ROW = ROW_BYTES


@pytest.fixture(params=sorted(MAKERS))
def made(request, tmp_path):
    """Makes a spool of each kind, with any bounds."""
    found = []

    def make(max_bytes: int = NO_BOUND, max_age_ns: int = NO_BOUND):
        found.append(MAKERS[request.param](tmp_path / "node", max_bytes, max_age_ns))
        return found[-1]

    yield make
    for spool in found:
        spool.close()


def test_an_empty_spool(made):
    spool = made()
    assert spool.checkpoint() is None
    assert spool.peek() == []
    assert spool.size_bytes() == 0
    assert spool.produced() == spool.given_up() == {}
    assert spool.open_losses() == []
    assert spool.waited_ns("events", 5) == spool.spent_bytes() == 0


def test_live_first_then_by_priority_then_in_order(made):
    spool = made()
    lanes = [("features", "backfill"), ("health", "live"), ("events", "backfill")]
    lanes += [("features", "live"), ("events", "live"), ("features", "live"), ("clips", "live")]
    for i, (kind, lane) in enumerate(lanes):
        put(spool, (kind, lane, b"%d" % i, 0))
    assert [r[3] for r in shipped(spool)] == [b"4", b"6", b"3", b"5", b"1", b"2", b"0"]
    assert spool.produced()["features", "live"] == 2


def shipped(spool) -> list[tuple]:
    """Everything, as a shipper takes it."""
    found = []
    while batch := spool.peek(NO_BOUND):
        found += [(r.kind, r.lane, r.sequence, r.value) for r in batch]
        spool.acknowledge(r.id for r in batch)
    return found


def test_a_look_may_ask_for_some_kinds_only(made):
    spool = made()
    for kind, lane in (("features", "live"), ("health", "live"), ("events", "backfill")):
        put(spool, (kind, lane, kind.encode(), 0))
    looks = [spool.peek(0, kinds) for kinds in (PRIORITY, ["health", "events"], ["events"], [])]
    assert [[r.value for r in look] for look in looks] == [
        [b"features"],
        [b"health"],
        [b"events"],
        [],
    ]


def test_a_look_takes_what_fits_and_at_least_one(made):
    spool = made()
    put(spool, *[("events", "live", bytes(100), i) for i in range(5)])
    assert [len(spool.peek(limit)) for limit in (0, 1, 100, 299, 300, 10**6)] == [1, 1, 1, 2, 3, 5]


def test_only_what_was_acknowledged_is_removed(made):
    spool = made()
    put(spool, *[("events", "live", b"%d" % i, 0) for i in range(5)])
    ids = [r.id for r in spool.peek()]
    spool.acknowledge([ids[1], ids[3]])
    spool.acknowledge([ids[1]])
    assert [r[3] for r in waiting(spool)] == [b"0", b"2", b"4"]
    assert spool.size_bytes() == 3 * (1 + ROW)
    spool.acknowledge(ids)
    put(spool, ("events", "live", b"5", 0))
    assert waiting(spool) == [("events", "live", 5, b"5")]
    assert spool.given_up() == {}


def test_all_or_nothing(made):
    spool = made()
    put(spool, ("events", "live", b"0", 0), checkpoint=b"first")
    records = [("events", "live", b"1", 0), ("events", "live", None, 0)]
    with pytest.raises(TypeError):
        put(spool, *records, checkpoint=b"second")
    assert waiting(spool) == [("events", "live", 0, b"0")]
    assert spool.checkpoint() == b"first"
    put(spool, ("events", "live", b"1", 0))
    assert [r[2] for r in waiting(spool)] == [0, 1]


def test_a_record_carries_its_lane_and_number(made):
    spool = made()
    for lane in ("live", "live", "backfill"):
        seal = lambda n, lane=lane: b"%s %d" % (lane.encode(), n)  # noqa: E731
        spool.put([Entry("clips", "a/m1", lane, seal, 0)])
    assert [r[3] for r in shipped(spool)] == [b"live 0", b"live 1", b"backfill 0"]


def test_heartbeats_go_first_then_clips_then_features_and_events_last(made):
    """None of these can be reduced; the newest heartbeat holds the counts of all."""
    spool = made(max_bytes=6 * (ROW + 50))
    for i, kind in enumerate(["health", "events", "clips", "features", "health", "features"]):
        put(spool, (kind, "live", bytes(50), i))
    assert spool.given_up() == {}
    gone = []
    for i in range(6, 11):
        put(spool, ("events", "live", bytes(50), i))
        gone.append({kind: n for kind, (n, _) in spool.given_up().items()})
    assert gone == [
        {"health": 1},
        {"health": 1, "clips": 1},
        {"health": 1, "clips": 1, "features": 1},
        {"health": 1, "clips": 1, "features": 2},
        {"health": 1, "clips": 1, "features": 2, "events": 1},
    ]
    assert [r[0] for r in waiting(spool)] == ["events"] * 5 + ["health"]


def test_what_is_too_old_is_given_up_and_makes_room(made):
    spool = made(max_age_ns=DAY)
    put(spool, ("events", "live", bytes(200), 0))
    put(spool, ("features", "live", bytes(50), DAY))
    assert len(waiting(spool)) == 2
    put(spool, ("features", "live", bytes(50), DAY + 1))
    assert spool.given_up() == {"events": (1, 200)}
    assert [(x.step, x.reason, x.kind, x.records) for x in spool.open_losses()] == [
        ("given up", "too old", "events", 1)
    ]


@pytest.mark.parametrize("jump_days", [-400, 400])
def test_a_clock_that_is_set_wrong_makes_nothing_old(made, jump_days):
    spool = made(max_age_ns=14 * DAY)
    put(spool, ("events", "live", b"before", 500 * DAY))
    for day in range(3):
        put(spool, ("events", "live", b"wrong", (500 + jump_days + day) * DAY))
        put(spool, ("events", "live", b"right", (500 + day) * DAY))
    assert len(waiting(spool)) == 7
    assert spool.given_up() == {}


def test_how_long_the_live_lane_has_waited(made):
    spool = made()
    put(spool, ("features", "live", b"", 100), ("events", "backfill", b"", 100))
    put(spool, ("features", "live", b"", 130))
    assert spool.waited_ns("features", 150) == 50
    assert spool.waited_ns("events", 150) == 0
    spool.acknowledge([spool.peek(0)[0].id])
    assert spool.waited_ns("features", 150) == 20


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(["file", "memory"]),
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from([*PRIORITY]),
                st.sampled_from(["live", "backfill"]),
                st.integers(0, 40).map(bytes),
                st.integers(0, 9),
            ),
            max_size=5,
        ),
        max_size=8,
    ),
)
def test_against_a_plain_list(tmp_path_factory, maker, batches):
    """Bounds, order, counts and numbers against a list that is sorted anew each time."""
    spool = MAKERS[maker](tmp_path_factory.mktemp("spool"), 6 * ROW, 8)
    held: list[tuple] = []
    numbers: dict[tuple, int] = {}
    gone: dict[str, list[int]] = {}
    count, last, age = 0, None, 0

    def give_up(victim: tuple) -> None:
        held.remove(victim)
        gone.setdefault(victim[1], []).append(len(victim[4]))

    def victim() -> tuple:
        newest = max((h[0] for h in held if h[1] == "health"), default=-1)
        order = ["health", "clips", "features", "events"]
        allowed = [h for h in held if h[0] != newest]
        return min(allowed, key=lambda h: (order.index(h[1]), h[0]))

    for batch in batches:
        put(spool, *batch)
        if batch:
            now = max(b[3] for b in batch)
            age, last = age + max(0, now - (now if last is None else last)), now
        for kind, lane, value, _ in batch:
            numbers[kind, lane] = numbers.get((kind, lane), -1) + 1
            held.append((count, kind, lane, numbers[kind, lane], value, age))
            count += 1
        for old in [h for h in held if h[5] < age - 8]:
            give_up(old)
        while sum(len(h[4]) + ROW for h in held) > 6 * ROW:
            give_up(victim())
        order = sorted(held, key=lambda h: (h[2] != "live", PRIORITY[h[1]], h[0]))
        assert waiting(spool) == [h[1:5] for h in order]
        assert spool.size_bytes() == sum(len(h[4]) + ROW for h in held)
        assert spool.given_up() == {k: (len(v), sum(v)) for k, v in gone.items()}
        assert sum(x.records for x in spool.open_losses()) == sum(map(len, gone.values()))
        assert spool.produced() == {k: n + 1 for k, n in numbers.items()}
    spool.close()


@pytest.mark.parametrize("full", [False, True])
def test_a_commit_costs_the_same_however_much_waits(tmp_path, full):
    """Steps of SQLite's machine for one commit with 10 records waiting and with 5000."""
    steps = []
    for n in (10, 5000):
        spool = Spool(tmp_path / f"{n}.db", n * (ROW + 20) if full else NO_BOUND, 10**6)
        put(spool, *[("features", "live", bytes(20), i) for i in range(n)])
        if full:
            # Which of them cannot be reduced is found out once.
            put(spool, *[("features", "live", bytes(20), 0) for _ in range(16)])
            database(spool).execute("UPDATE record SET level = 3")
        steps.append(0)

        def count() -> None:
            steps[-1] += 1

        database(spool).set_progress_handler(count, 1)
        put(spool, ("features", "live", bytes(20), 0))
        database(spool).set_progress_handler(None, 1)
        assert len(spool.given_up()) == full
        spool.close()
    assert steps[0] > 0
    assert steps[1] < 1.3 * steps[0]


def test_every_spool_has_its_own_name(tmp_path, opened):
    other = Spool(tmp_path / "other.db", NO_BOUND, NO_BOUND)
    assert opened().identity == opened().identity != other.identity
    other.close()
