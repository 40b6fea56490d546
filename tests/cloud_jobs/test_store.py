"""The relational store's contract: one suite for every database that it may lie in."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from cloud_jobs.store import Store, finite, ingest, progress, upsert
from cloud_jobs.store.books import OffsetRow
from cloud_jobs.store.ingest import Arrival
from cloud_jobs.store.progress import OvertakenError, Taken
from cloud_jobs.store.tables import (
    CaseEventRow,
    CaseRow,
    ClipRow,
    EventRow,
    MachineRow,
    PointRow,
)
from tests.cloud_jobs.builders import S, case_row, clip, event, heartbeat, model_row
from tests.cloud_jobs.serve.homes import REGISTER
from vibro.assets import parse_register
from vibro.errors import BadInputError
from vibro.faults import Fault, Severity
from vibro.records import Health

pytestmark = pytest.mark.usefixtures("backend")


@pytest.fixture
def opened(tmp_path):
    """Opens the store, and opens it again as another process would."""
    stores: list[Store] = []

    def open_store() -> Store:
        stores.append(Store(tmp_path))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def store(opened):
    return opened()


def kept(store: Store, *records) -> None:
    with store.transaction() as session:
        for record in records:
            kind = type(record).__name__.lower()
            keep = {"event": ingest.keep_events, "clip": ingest.keep_clips}
            keep.get(kind, ingest.keep_health)(session, [record])


# -- transactions and values -----------------------------------------------------------------------


def test_a_new_store_is_empty(store):
    assert store.machines() == {}
    empty = [store.events, store.clips, store.diagnoses, store.assessments, store.cases]
    assert [ask() for ask in (*empty, store.groups, store.models, store.nodes)] == [[]] * 8
    assert store.event("x") is store.clip("x") is store.case("x") is None
    assert store.commissioning_clip("a/m1") is None
    assert store.champion("a", "pump") is store.champion_bytes("a", "pump") is None
    assert store.maintenance() == []
    assert store.totals() == {"seen": 0, "processed": 0, "lost": 0, "raw_bytes": 0}
    assert store.received() == ({}, 0)
    assert store.heard_until() == store.case_events() == {}
    assert store.unsettled() == set()


def test_a_transaction_is_kept_whole_or_not_at_all(store, opened):
    kept(store, event(1.0))

    def half() -> None:
        with store.transaction() as session:
            ingest.keep_events(session, [event(2.0), event(1.0, revision=5)])
            progress.move_offsets(session, {("t", 0): (0, 9)})
            session.flush()
            raise InterruptedError

    with pytest.raises(InterruptedError):
        half()
    for view in (store, opened()):
        assert [(e.t_onset_ns, e.revision) for e in view.events()] == [(S, 0)]
        with view.transaction() as session:
            assert progress.offsets(session) == {}


def test_what_was_committed_is_there_for_another_process(store, opened):
    kept(store, event(1.0), clip(2.0, reason="commissioning"), heartbeat(3.0))
    other = opened()
    assert [e.thing for e in other.events()] == [event(1.0).id.thing]
    assert other.commissioning_clip("a/m1") == clip(2.0).id.thing
    kept(other, event(2.0))
    assert len(store.events()) == 2


def test_rows_come_back_detached_and_whole(store):
    kept(store, event(1.0))
    (row,) = store.events()
    store.close()
    assert (row.path, row.causes) == ("a/m1", ["forest_fast"])
    assert row.contributions == [["kurtosis", 6.5]]


def test_the_numbers_of_the_trade_survive(store):
    far = 2**62 - 1
    big = replace(event(1.0), t_last_ns=far, t_decided_ns=far, score=0.1 + 0.2, p_value=1e-300)
    wide = replace(heartbeat(1.0), detail={"grad": "°C", "lag_s": math.nan, "deep": [{"x": [1]}]})
    kept(store, big, replace(wide, raw_bytes=2**53 - 1))
    (row,) = store.events()
    assert (row.t_last_ns, row.score, row.p_value) == (far, 0.1 + 0.2, 1e-300)
    assert row.velocity_rms_mm_s is None
    (node,) = store.nodes()
    assert node.detail == {"grad": "°C", "lag_s": None, "deep": [{"x": [1]}]}
    assert store.totals()["raw_bytes"] == 2**53 - 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_kept_as_nothing(store, value):
    kept(store, clip(1.0))
    with store.transaction() as session:
        session.add(case_row("added", probability=value))
        row = case_row("upserted", probability=value)
        facts = {name: getattr(row, name) for name in CaseRow.__table__.columns.keys()}  # noqa: SIM118
        upsert(session, CaseRow, [facts])
    assert [c.probability for c in store.cases()] == [None, None]
    with pytest.raises(IntegrityError), store.transaction() as session:
        session.get(ClipRow, clip(1.0).id.thing).rate_hz = value


def test_texts_of_json_survive_whatever_they_hold(store):
    odd = {"nul": "\0", "half": "\ud800", "emoji": "\U0001f600", "": "'\"\\", "deep": [[]] * 3}
    big = {"int": 2**70, "float": 5e-324, "max": 1.7976931348623157e308, "none": None, "no": False}
    kept(store, replace(heartbeat(1.0), detail=odd | big))
    (node,) = store.nodes()
    assert node.detail == {k: v for k, v in (odd | big).items() if v is not None}
    assert isinstance(node.detail["int"], int)


def test_texts_are_sorted_by_code_points(store):
    """Where a person's language sorts, `ab` comes before `a-c`, and `B` after `a`."""
    names = ["a-c", "ab", "a1", "a-", "a-1", "b", "a"]
    kept(store, *(event(1.0, machine=name) for name in names))
    things = [e.thing for e in store.events()]
    assert things == sorted(things)
    with store.transaction() as session:
        rows = [{"topic": t, "partition": 0, "offset": 1} for t in ("é", "B", "a", "_", "Z", "z")]
        upsert(session, OffsetRow, rows)
        topics = list(session.scalars(select(OffsetRow.topic).order_by(OffsetRow.topic)))
    assert topics == sorted(topics)
    assert len(topics) == 6


def test_finite_knows_every_container():
    mixed = {"a": (1.5, math.inf), 2: np.array([np.nan, 3]), "b": [np.float32(0.5), "x"]}
    assert finite(mixed) == {"a": [1.5, None], "2": [None, 3.0], "b": [0.5, "x"]}


def test_upsert_inserts_what_is_new_and_overwrites_what_is_not(store):
    def offsets(*pairs) -> dict:
        with store.transaction() as session:
            rows = [{"topic": t, "partition": 0, "offset": o} for t, o in pairs]
            upsert(session, OffsetRow, rows)
        with store.transaction() as session:
            return {topic: o for (topic, _), o in progress.offsets(session).items()}

    assert offsets() == {}
    assert offsets(("a", 1), ("b", 2)) == {"a": 1, "b": 2}
    assert offsets(("b", 5), ("c", 2**40)) == {"a": 1, "b": 5, "c": 2**40}
    assert offsets(*((f"t{i}", i) for i in range(2000)))["t1999"] == 1999


def test_upsert_of_rows_that_are_all_key_adds_each_once(store):
    pairs = [{"case": "c", "event": e} for e in ("x", "y", "x")]
    for _ in range(2):
        with store.transaction() as session:
            upsert(session, CaseEventRow, pairs)
    assert store.case_events() == {"c": ["x", "y"]}


# -- the register ----------------------------------------------------------------------------------


def test_the_register_comes_back_and_is_replaced_as_a_whole(store, opened):
    register = parse_register(REGISTER, "assets.csv")
    store.put_register(register)
    for view in (store, opened()):
        assert view.machines() == {m.path: m for m in register}
        assert list(view.classes()) == [("a", "motor")]
        assert [m.path for m in view.classes()["a", "motor"]] == ["a/m1", "a/m2"]
    kept(store, event(1.0))
    only = "\n".join(line for line in REGISTER.splitlines() if ",m1," not in line)
    store.put_register(parse_register(only, "assets.csv"))
    assert list(store.machines()) == list(opened().machines()) == ["a/m2"]
    assert [e.path for e in store.events()] == ["a/m1"]
    with store.transaction() as session:
        assert [p.channel for p in session.query(PointRow)] == ["de-h", "de-v"]
        assert [m.path for m in session.query(MachineRow)] == ["a/m2"]


# -- events, clips and nodes -----------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=4))
def test_an_event_is_its_highest_revision_in_whatever_order_they_come(store, order, again):
    """Revisions 0 to 3 grow, 4 clears it; each but the first and last says when it grew."""
    made = [
        replace(
            event(10.0, 3.0 + i, revision=i, cleared=i == 4, severity=Severity(min(i, 3))),
            t_decided_ns=(11 + i) * S,
        )
        for i in range(5)
    ]
    with store.transaction() as session:
        session.query(EventRow).delete()
    for i in (*order, *again):
        kept(store, made[i])
    (row,) = store.events()
    assert (row.revision, row.severity, row.t_last_ns) == (4, 3, 17 * S)
    assert row.t_clear_ns == 18 * S
    assert row.t_detected_ns == 11 * S
    assert row.grown_ns == [12 * S, 13 * S, 14 * S]


def test_events_are_asked_for_by_site_and_machine_in_the_order_of_time(store):
    places = [("a", "m1", 30.0), ("a", "m2", 10.0), ("b", "m1", 20.0), ("a", "m1", 5.0)]
    kept(store, *(event(t, site=s, machine=m) for s, m, t in places))

    def found(*arguments, **options):
        return [(e.path, e.t_onset_ns // S) for e in store.events(*arguments, **options)]

    assert found() == [("a/m1", 5), ("a/m2", 10), ("b/m1", 20), ("a/m1", 30)]
    assert found(site="a") == [("a/m1", 5), ("a/m2", 10), ("a/m1", 30)]
    assert found(["a/m1"]) == [("a/m1", 5), ("a/m1", 30)]
    assert found(["a/m1", "b/m1"], site="b") == [("b/m1", 20)]
    assert found([]) == []


def test_an_event_that_stands_keeps_its_machine_unsettled(store):
    kept(store, event(1.0, machine="m1", cleared=True), event(1.0, machine="m2"))
    kept(store, event(5.0, site="b", sensor_fault=Fault.BIAS))
    assert store.unsettled() == {"a/m2", "b/m1"}
    assert store.event(event(5.0, site="b").id.thing).sensor_fault == "bias"


def test_clips_are_indexed_once_and_asked_for_by_machine_event_and_state(store):
    kept(store, clip(3.0, of="e1"), clip(1.0), clip(2.0, machine="m2"), clip(1.0, reason="daily"))
    assert [(c.path, c.t0_ns // S) for c in store.clips()] == [
        ("a/m1", 1),
        ("a/m2", 2),
        ("a/m1", 3),
    ]
    assert [c.reason for c in store.clips("a/m1")] == ["event", "event"]
    (found,) = store.clips(event="e1")
    assert (found.t0_ns, found.t_end_ns, found.rpm) == (3 * S, 4 * S, 1500.0)
    with store.transaction() as session:
        session.get(type(found), found.thing).diagnosed = True
    assert [c.t0_ns // S for c in store.clips("a/m1", undiagnosed=True)] == [1]


def test_the_first_commissioning_clip_stays_the_reference(store):
    kept(store, clip(5.0), clip(7.0, reason="commissioning"))
    kept(store, clip(6.0, reason="commissioning"), clip(9.0, reason="commissioning", machine="m2"))
    assert store.commissioning_clip("a/m1") == clip(7.0).id.thing
    assert store.commissioning_clip("a/m2") == clip(9.0, machine="m2").id.thing


def test_a_node_is_its_newest_heartbeat_and_totals_run_over_its_epochs(store):
    kept(store, heartbeat(5.0, 500), heartbeat(9.0, 900), heartbeat(7.0, 700))
    kept(store, heartbeat(20.0, 50, epoch=8), heartbeat(8.0, 80, machine="m2"))
    found = [(n.path, n.stream_epoch, n.seen) for n in store.nodes()]
    assert found == [("a/m1", 8, 50), ("a/m2", 7, 80)]
    assert store.totals() == {"seen": 1030, "processed": 1030, "lost": 0, "raw_bytes": 2060}
    assert store.heard_until() == {"a/m1": 20 * S, "a/m2": 8 * S}


def moved(store, **moves) -> dict[str, int]:
    with store.transaction() as session:
        progress.move_offsets(session, {(topic, 0): was_is for topic, was_is in moves.items()})
    with store.transaction() as session:
        return {topic: offset for (topic, _), offset in progress.offsets(session).items()}


def test_an_offset_is_moved_by_who_knows_where_it_stands(store):
    assert moved(store, a=(0, 5), b=(0, 7)) == {"a": 5, "b": 7}
    assert moved(store, a=(5, 6), c=(0, 1)) == {"a": 6, "b": 7, "c": 1}
    for wrong in ({"a": (5, 9)}, {"b": (0, 9)}, {"d": (3, 4)}, {"c": (1, 2), "a": (5, 9)}):
        with pytest.raises(OvertakenError, match="another consumer"):
            moved(store, **wrong)
    assert moved(store, a=(6, 0)) == {"a": 0, "b": 7, "c": 1}
    assert moved(store, a=(0, 2)) == {"a": 2, "b": 7, "c": 1}


def test_what_overtook_leaves_nothing_of_who_was_overtaken(store):
    moved(store, a=(0, 5))

    def overtaken() -> None:
        with store.transaction() as session:
            ingest.keep_events(session, [event(1.0)])
            progress.move_offsets(session, {("b", 0): (0, 1), ("a", 0): (4, 6)})

    with pytest.raises(OvertakenError):
        overtaken()
    assert store.events() == []
    with store.transaction() as session:
        assert progress.offsets(session) == {("a", 0): 5}


def test_progress_of_some_places_and_senders_is_asked_by_name(store):
    places = {(f"t{i}", p): 10 * i + p for i in range(700) for p in (0, 3)}
    taken = {
        (f"n{i}", "events", "live", 7 + i, p): Taken(0, i, 0) for i in range(700) for p in (0, 3)
    }
    with store.transaction() as session:
        progress.move_offsets(session, {p: (0, o + 1) for p, o in places.items()})
        progress.keep_sequences(session, taken)
    wanted = [("t1", 3), ("t699", 0), ("t5", 1), ("other", 0)]
    some = [("n1", "events", "live", 8, 3), ("n699", "events", "live", 706, 0),
            ("n1", "clips", "live", 8, 3), ("n1", "events", "live", 9, 3)]  # fmt: skip
    with store.transaction() as session:
        assert progress.offsets(session, wanted) == {("t1", 3): 14, ("t699", 0): 6991}
        assert progress.sequences(session, some) == {k: taken[k] for k in some[:2]}
        assert len(progress.sequences(session, taken)) == 1400
        assert progress.offsets(session, []) == progress.sequences(session, []) == {}


def test_news_stay_until_what_they_told_was_seen(store):
    def told(stamp, *machines) -> None:
        with store.transaction() as session:
            ingest.keep_news(session, machines, stamp)

    assert store.news() == {}
    told("x", "a/m1", "a/m2")
    looked = store.news()
    assert looked == {"a/m1": "x", "a/m2": "x"}
    told("y", "a/m2", "b/m1")
    store.seen(looked)
    assert store.news() == {"a/m2": "y", "b/m1": "y"}
    store.seen(store.news())
    assert store.news() == {}


NOW = Arrival(1000 * S, late_s=600.0)


@pytest.mark.parametrize(
    ("lane", "onset_s", "arrival", "late"),
    [
        ("live", 990.0, NOW, False),
        ("live", 399.0, NOW, False),
        ("live", 398.0, NOW, True),
        ("live", 2000.0, NOW, False),
        ("backfill", 990.0, NOW, True),
        ("live", 1.0, Arrival(), False),
        ("backfill", 1.0, Arrival(), True),
    ],
)
def test_what_comes_late_is_marked(store, lane, onset_s, arrival, late):
    told = event(onset_s)
    told = replace(told, origin=replace(told.origin, lane=lane))
    with store.transaction() as session:
        ingest.keep_events(session, [told], arrival)
    (row,) = store.events()
    assert row.late == late
    assert row.t_arrived_ns == (arrival.now_ns or told.t_decided_ns)


def test_an_event_of_which_one_revision_came_in_time_is_not_late(store):
    live, old = event(10.0, revision=1), event(10.0, revision=0)
    backfill = replace(old, origin=replace(old.origin, lane="backfill"))
    for first, second in ((backfill, live), (live, backfill)):
        with store.transaction() as session:
            session.execute(delete(EventRow))
            ingest.keep_events(session, [first])
            ingest.keep_events(session, [second])
        assert [e.late for e in store.events()] == [False]
    with store.transaction() as session:
        session.execute(delete(EventRow))
        ingest.keep_events(session, [backfill, replace(backfill, t_last_ns=20 * S)])
    assert [e.late for e in store.events()] == [True]


@pytest.mark.parametrize(
    ("epochs", "received", "missing"),
    [
        ([(0, 9, 0)], 10, 0),
        ([(0, 9, 3)], 7, 3),
        ([(4, 9, 0)], 6, 4),
        ([(0, 9, 0), (10, 14, 0)], 15, 0),
        ([(0, 9, 1), (12, 14, 1)], 11, 4),
        ([(0, 9, 0), (0, 4, 0)], 15, 0),
        ([(0, 9, 0), (2, 4, 0)], 13, 2),
    ],
)
def test_what_never_came_is_counted_over_the_restarts_of_a_node(store, epochs, received, missing):
    """A node goes on counting after a restart, and begins anew where its spool was lost."""
    with store.transaction() as session:
        taken = {("n", "events", "live", 7 + i, 0): Taken(*e) for i, e in enumerate(epochs)}
        progress.keep_sequences(session, taken)
        progress.keep_sequences(session, {("m", "clips", "live", 3, 0): Taken(0, 0, 0)})
    assert store.received() == ({"events": received, "clips": 1}, missing)


def test_a_gap_is_no_heartbeat(store):
    gap = replace(heartbeat(50.0, 1), content="gap", detail={"reason": "no disk"})
    assert isinstance(gap, Health)
    kept(store, gap, gap)
    assert store.nodes() == []


def test_a_heartbeat_that_tells_only_what_changed_leaves_the_rest_standing(store):
    def beat(t_s, **detail):
        return replace(heartbeat(t_s), detail=detail)

    kept(store, beat(10.0, every_s=600.0, finished=False, trouble="no disk"), beat(20.0))
    assert store.nodes()[0].detail == {"every_s": 600.0, "finished": False, "trouble": "no disk"}
    with store.transaction() as session:
        ingest.keep_health(session, [beat(40.0, finished=True), beat(30.0, trouble=None)])
    (node,) = store.nodes()
    assert node.detail == {"every_s": 600.0, "finished": True}
    assert node.t0_ns == 40 * S
    kept(store, beat(35.0, finished=False))
    assert store.nodes()[0].detail["finished"]


# -- cases and models ------------------------------------------------------------------------------


def test_cases_come_the_most_severe_first_then_the_oldest(store):
    with store.transaction() as session:
        for name, severity, onset in [("w", 1, 1), ("d", 4, 9), ("a2", 3, 8), ("a1", 3, 2)]:
            session.add(case_row(name, severity=severity, t_onset_ns=onset))
    assert [c.id for c in store.cases()] == ["d", "a1", "a2", "w"]
    assert [c.id for c in store.cases(["b/m1"])] == []
    assert store.case("d").path == "a/m1"


def test_the_champion_is_the_newest_model_of_its_site_and_class(store):
    for site, kind, version, created in [
        ("a", "pump", "v2", 20),
        ("a", "pump", "v1", 10),
        ("a", "fan", "v9", 90),
        ("b", "pump", "v5", 50),
    ]:
        store.put_model(model_row(site, kind, version, created))
    store.put_model(model_row("a", "pump", "v2", 20, bytes=7))
    assert [(m.version, m.bytes) for m in store.models("a", "pump")] == [("v1", 100), ("v2", 7)]
    assert [m.version for m in store.models()] == ["v1", "v2", "v5", "v9"]
    assert store.champion("a", "pump").version == "v2"
    file = store.home / "bundles" / store.champion("a", "fan").file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"bundle")
    assert store.champion_bytes("a", "fan") == b"bundle"


# -- maintenance -----------------------------------------------------------------------------------


def test_what_was_done_to_a_machine_comes_back_in_the_order_of_time(store, opened):
    store.put_register(parse_register(REGISTER, "made"))
    store.put_maintenance("a/m1", 30 * S, "  belt\n tightened\x1b[31m ")
    store.put_maintenance("a/m2", 20 * S, "greased")
    store.put_maintenance("a/m1", 10 * S, "bearing DE replced")
    store.put_maintenance("a/m1", 10 * S, "bearing DE replaced")
    found = [(m.path, m.t_ns // S, m.note) for m in opened().maintenance()]
    assert found == [
        ("a/m1", 10, "bearing DE replaced"),
        ("a/m2", 20, "greased"),
        ("a/m1", 30, "belt tightened [31m"),
    ]
    assert [m.note for m in store.maintenance(["a/m2"])] == ["greased"]


@pytest.mark.parametrize(
    ("machine", "note", "told"),
    [("a/m9", "greased", "no machine 'a/m9'"), ("a/m1", " \n\x00", "says what was done")],
)
def test_a_note_of_no_machine_or_of_nothing_is_refused(store, machine, note, told):
    store.put_register(parse_register(REGISTER, "made"))
    with pytest.raises(BadInputError, match=told):
        store.put_maintenance(machine, 0, note)
    assert store.maintenance() == []
