"""The spool's order, bounds and accounts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.spool import Spool
from edge_node.spool.sqlite import PRIORITY
from tests.edge_node.spools import NO_BOUND, put, waiting
from vibro.errors import VibroError

DAY = 86_400 * 10**9


def test_an_empty_spool(opened):
    spool = opened()
    assert spool.checkpoint() is None
    assert spool.peek() == []
    assert spool.size_bytes() == 0
    assert spool.produced() == spool.given_up() == {}


def test_live_first_then_by_priority_then_in_order(opened):
    spool = opened()
    lanes = [("features", "backfill"), ("health", "live"), ("events", "backfill")]
    lanes += [("features", "live"), ("events", "live"), ("features", "live"), ("clips", "live")]
    for i, (kind, lane) in enumerate(lanes):
        put(spool, (kind, lane, b"%d" % i, 0))
    assert [r[3] for r in waiting(spool)] == [b"4", b"6", b"3", b"5", b"1", b"2", b"0"]
    assert [r[2] for r in waiting(spool)] == [0, 0, 0, 1, 0, 0, 0]
    assert spool.produced()["features", "live"] == 2


def test_a_look_takes_what_fits_and_at_least_one(opened):
    spool = opened()
    put(spool, *[("events", "live", bytes(100), i) for i in range(5)])
    assert [len(spool.peek(limit)) for limit in (0, 1, 100, 299, 300, 10**6)] == [1, 1, 1, 2, 3, 5]


def test_only_what_was_acknowledged_is_removed(opened):
    spool = opened()
    put(spool, *[("events", "live", b"%d" % i, 0) for i in range(5)])
    ids = [r.id for r in spool.peek()]
    spool.acknowledge([ids[1], ids[3]])
    spool.acknowledge([ids[1], 999])
    assert [r[3] for r in waiting(spool)] == [b"0", b"2", b"4"]
    assert spool.size_bytes() == 3
    spool.acknowledge(ids)
    put(spool, ("events", "live", b"5", 0))
    assert waiting(spool) == [("events", "live", 5, b"5")]
    assert spool.given_up() == {}


def test_all_or_nothing(opened):
    spool = opened()
    put(spool, ("events", "live", b"0", 0), checkpoint=b"first")
    records = [("events", "live", b"1", 0), ("events", "live", None, 0)]
    with pytest.raises(VibroError, match="NOT NULL constraint failed"):
        put(spool, *records, checkpoint=b"second")
    assert waiting(spool) == [("events", "live", 0, b"0")]
    assert spool.checkpoint() == b"first"
    put(spool, ("events", "live", b"1", 0))
    assert [r[2] for r in waiting(spool)] == [0, 1]


@pytest.mark.parametrize("taken", [[], [("clips", "live")], [("events", "backfill")]])
def test_a_record_needs_its_own_sequence_number(opened, taken):
    spool = opened()

    def without_its_own() -> None:
        with spool.transaction() as transaction:
            for kind, lane in taken:
                transaction.next_sequence(kind, lane)
            transaction.append("events", "a/m1", "live", b"", 0)

    with pytest.raises(ValueError, match="take the sequence"):
        without_its_own()
    assert spool.produced() == {}


def test_the_least_important_and_oldest_is_given_up_first_and_counted(opened):
    spool = opened(max_bytes=250)
    put(spool, *[(kind, "live", bytes(50), 0) for kind in ("health", "events", "features")])
    put(spool, ("features", "live", bytes(50), 0), ("clips", "live", bytes(50), 0))
    assert spool.given_up() == {}
    put(spool, ("events", "live", bytes(50), 0))
    assert spool.given_up() == {"health": (1, 50)}
    put(spool, ("features", "live", bytes(60), 0))
    assert spool.given_up() == {"health": (1, 50), "features": (2, 100)}
    assert [r[0] for r in waiting(spool)] == ["events", "events", "clips", "features"]
    put(spool, ("clips", "live", bytes(1000), 0))
    assert [r[0] for r in waiting(spool)] == ["events", "events"]


def test_what_is_too_old_is_given_up_and_makes_room(opened):
    spool = opened(max_bytes=250, max_age_ns=DAY)
    put(spool, ("events", "live", bytes(200), 0), ("features", "live", bytes(50), DAY))
    assert len(waiting(spool)) == 2
    put(spool, ("features", "live", bytes(50), DAY + 1))
    assert spool.given_up() == {"events": (1, 200)}
    assert len(waiting(spool)) == 2


@settings(deadline=None, max_examples=40)
@given(
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
    )
)
def test_against_a_plain_list(tmp_path_factory, batches):
    """Bounds, order, counts and numbers against a list that is sorted anew each time."""
    spool = Spool(tmp_path_factory.mktemp("spool") / "s.db", 100, 5)
    held: list[tuple] = []
    numbers: dict[tuple, int] = {}
    gone: dict[str, list[int]] = {}

    def give_up(victim: tuple) -> None:
        held.remove(victim)
        gone.setdefault(victim[1], []).append(len(victim[4]))

    count = 0
    for batch in batches:
        put(spool, *batch)
        for kind, lane, value, t0 in batch:
            numbers[kind, lane] = numbers.get((kind, lane), -1) + 1
            held.append((count, kind, lane, numbers[kind, lane], value, t0))
            count += 1
        for old in [h for h in held if h[5] < max(h[5] for h in held) - 5]:
            give_up(old)
        while sum(len(h[4]) for h in held) > 100:
            give_up(min(held, key=lambda h: (-PRIORITY[h[1]], h[0])))
        order = sorted(held, key=lambda h: (h[2] != "live", PRIORITY[h[1]], h[0]))
        assert waiting(spool) == [h[1:5] for h in order]
        assert spool.size_bytes() == sum(len(h[4]) for h in held)
        assert spool.given_up() == {k: (len(v), sum(v)) for k, v in gone.items()}
        assert spool.produced() == {k: n + 1 for k, n in numbers.items()}
    spool.close()


def test_a_commit_costs_the_same_however_much_waits(opened):
    """Steps of SQLite's machine for one commit with 10 records waiting and with 5000."""
    spool, steps = opened(max_bytes=10**9, max_age_ns=10**6), []
    for n in (10, 4990):
        put(spool, *[("features", "live", bytes(20), i) for i in range(n)])
        steps.append(0)

        def count() -> None:
            steps[-1] += 1

        spool._db.set_progress_handler(count, 1)
        put(spool, ("events", "live", b"", 0))
        spool._db.set_progress_handler(None, 1)
    assert 0 < steps[1] < 1.2 * steps[0]


def test_every_spool_has_its_own_name(tmp_path, opened):
    other = Spool(tmp_path / "other.db", NO_BOUND, NO_BOUND)
    assert opened().identity == opened().identity != other.identity
    other.close()
