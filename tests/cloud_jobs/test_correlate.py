"""From facts in the store to groups and cases in the store, however and how often it is run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloud_jobs.correlate import correlate
from cloud_jobs.store import Store, ingest
from cloud_jobs.store.tables import Base, DiagnosisRow
from tests.cloud_jobs.builders import S, clip, event, heartbeat
from tests.cloud_jobs.serve.homes import REGISTER
from vibro.assets import parse_register
from vibro.faults import Fault, Severity
from vibro.records import Event, Health

pytestmark = pytest.mark.usefixtures("backend")

M1, M2, M3 = "a/m1", "a/m2", "a/m3"


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    yield store
    store.close()


def keep(store: Store, *records) -> None:
    with store.transaction() as session:
        ingest.keep_events(session, [r for r in records if isinstance(r, Event)])
        ingest.keep_health(session, [r for r in records if isinstance(r, Health)])


def diagnose(
    store: Store,
    t0_s: float,
    fault: Fault = Fault.BEARING_OUTER,
    snr_db: float = 15.0,
    of: str = "",
    **where,
) -> None:
    """A clip of one second and the fault that was found in it."""
    cut = clip(t0_s, of=of, **where)
    with store.transaction() as session:
        ingest.keep_clips(session, [cut])
        session.merge(
            DiagnosisRow(
                clip=cut.id.thing,
                rank=0,
                site=cut.origin.site,
                machine=cut.origin.machine,
                channel="de-h",
                event=of,
                t_ns=cut.t0_ns + S,
                fault=fault.value,
                probability=0.9,
                severity=int(Severity.ALERT),
                evidence=[{"line": "BPFO", "snr_db": snr_db}, {"line": "FTF", "snr_db": None}],
                note="",
            )
        )


def everything(store: Store) -> dict[str, list]:
    """All rows of all tables, in an order of their own."""
    with store.transaction() as session:
        return {
            name: sorted(map(repr, session.execute(select(table)).all()))
            for name, table in Base.metadata.tables.items()
        }


def faults(store: Store, *machines: str) -> list[tuple[str, str]]:
    return sorted((c.path, c.fault) for c in store.cases(machines or None))


def test_no_news_is_nothing_done(store):
    keep(store, event(10.0, 100.0))
    before = everything(store)
    correlate(store, [])
    correlate(store, ["b/m1"])
    assert everything(store) == before


def test_a_case_says_what_the_facts_say(store):
    grown = event(10.0, 100.0)
    keep(store, grown)
    diagnose(store, 20.0, snr_db=10.0, of=grown.id.thing)
    diagnose(store, 60.0, snr_db=14.0, of=grown.id.thing)
    correlate(store, [M1])
    (case,) = store.cases()
    assert (case.path, case.fault, case.probability, case.state) == (
        M1,
        "bearing_outer",
        0.9,
        "open",
    )
    assert (case.growing, case.severity) == (True, Severity.ALARM)
    assert (case.t_onset_ns, case.t_detected_ns, case.t_opened_ns) == (10 * S, 11 * S, 21 * S)
    assert (case.t_last_ns, case.clip) == (110 * S, clip(60.0).id.thing)
    assert store.case_events() == {case.id: [grown.id.thing]}


def test_doing_it_again_changes_nothing(store):
    store.put_register(parse_register(REGISTER, "assets.csv"))
    keep(store, event(10.0, 100.0), event(10.5, machine="m2"), event(11.0, machine="m3"))
    keep(store, event(500.0, 90.0, cleared=True, machine="m2"), event(5.0, 300.0, site="b"))
    diagnose(store, 20.0)
    diagnose(store, 20.0, site="b")
    correlate(store, [M1, "b/m1"])
    assert store.cases()
    assert store.groups()
    before = everything(store)
    for machines in ([M1], [M2, "b/m1"], ["b/m1"], [M3] * 3):
        correlate(store, machines)
        assert everything(store) == before


def test_an_event_that_stands_lasts_as_long_as_its_node_is_heard_of(store):
    keep(store, event(10.0, 3.0), heartbeat(49.9))
    correlate(store, [M1])
    assert store.cases() == []
    keep(store, heartbeat(50.0, machine="m2"))
    correlate(store, [M1])
    assert store.cases() == []
    keep(store, heartbeat(50.0))
    correlate(store, [M1])
    (case,) = store.cases()
    assert (case.t_opened_ns, case.t_last_ns) == (50 * S, 50 * S)
    keep(store, event(10.0, 45.0, revision=1, cleared=True), heartbeat(900.0))
    correlate(store, [M1])
    (case,) = store.cases()
    assert (case.state, case.t_last_ns) == ("quiet", 55 * S)


def test_a_case_that_a_common_cause_explains_later_is_withdrawn(store):
    keep(store, event(10.0, 50.0, cleared=True))
    correlate(store, [M1])
    assert faults(store) == [(M1, "unknown")]
    keep(store, event(11.0, 5.0, cleared=True, machine="m2"))
    correlate(store, [M2])
    assert len(store.cases()) == 1
    keep(store, event(12.0, 5.0, cleared=True, machine="m3"))
    correlate(store, [M3])
    assert store.cases() == []
    assert store.case_events() == {}
    (group,) = store.groups()
    assert (group.kind, group.machines, group.t_ns) == ("common_cause", [M1, M2, M3], 10 * S)
    assert group.evidence["t_end_ns"] == 60 * S


def test_a_common_cause_that_no_longer_holds_is_withdrawn_and_its_cases_return(store):
    """One of three short events turns out to be more than the shock, the others stay short."""
    keep(store, *(event(10.0 + i, 5.0, machine=m) for i, m in enumerate(("m1", "m2", "m3"))))
    correlate(store, [M1])
    assert (store.cases(), len(store.groups())) == ([], 1)
    keep(store, event(10.0, 300.0, revision=1, machine="m1"))
    correlate(store, [M1])
    assert faults(store) == [(M1, "unknown")]
    (group,) = store.groups()
    assert group.evidence["persisting"] == [M1]
    keep(store, event(11.0, 300.0, 1, machine="m2"), event(12.0, 300.0, 1, machine="m3"))
    correlate(store, [M2])
    assert len(store.cases()) == 3


def test_another_sites_cases_and_groups_are_left_alone(store):
    for site in ("a", "b"):
        keep(store, *(event(10.0 + i, 5.0, machine=f"m{i}", site=site) for i in range(3)))
        keep(store, event(500.0, 90.0, site=site))
    correlate(store, [M1, "b/m1"])
    before = everything(store)
    assert faults(store) == [(M1, "unknown"), ("b/m1", "unknown")]
    assert len(store.groups()) == 2
    with store.transaction() as session:
        for row in store.events(site="a"):
            session.delete(session.merge(row))
    correlate(store, [M1])
    assert faults(store) == [("b/m1", "unknown")]
    assert [g.evidence["site"] for g in store.groups()] == ["b"]
    assert set(everything(store)["cases"]) < set(before["cases"])


def test_the_same_bearing_fault_at_two_sites_is_a_group_while_both_are_open(store):
    plants = REGISTER + "\n".join(
        "b" + line[1:] for line in REGISTER.splitlines() if line.startswith("a,")
    )
    store.put_register(parse_register(plants, "assets.csv"))
    for site in ("a", "b"):
        keep(store, event(10.0, 100.0, site=site))
        diagnose(store, 20.0, of=event(10.0, site=site).id.thing, site=site)
    correlate(store, [M1])
    assert store.groups() == []
    correlate(store, ["b/m1"])
    (group,) = store.groups()
    assert (group.kind, group.machines) == ("shared_fault", [M1, "b/m1"])
    assert (group.evidence["bearing"], group.evidence["sites"]) == ("6205", ["a", "b"])
    keep(store, event(10.0, 120.0, revision=1, cleared=True, site="b"))
    correlate(store, ["b/m1"])
    assert store.groups() == []
    assert len(store.cases()) == 2


# What happens at a site, in the order of time: a fault that grows, a shock, a sensor that fails.
STORY = [
    event(10.0, 3.0),
    event(10.0, 80.0, revision=1, severity=Severity.ALARM),
    *(event(300.0 + i, 4.0, cleared=True, machine=f"m{i}") for i in (2, 3, 4)),
    event(400.0, 9.0, machine="m2", channel="nde-h", sensor_fault=Fault.BIAS),
    event(400.0, 30.0, 1, cleared=True, machine="m2", channel="nde-h", sensor_fault=Fault.BIAS),
    heartbeat(500.0),
    heartbeat(500.0, machine="m2"),
    "diagnosis",
]


def tell(store: Store, part) -> None:
    if part == "diagnosis":
        diagnose(store, 20.0, of=event(10.0).id.thing)
    else:
        keep(store, part)


def outcome(store: Store) -> dict[str, list]:
    return {k: v for k, v in everything(store).items() if k in ("cases", "case_events", "groups")}


@settings(max_examples=6, deadline=None)
@given(st.permutations(STORY), st.sets(st.integers(0, len(STORY))))
def test_neither_order_nor_portions_of_arrival_matter(parts, stops):
    machines = [f"a/m{i}" for i in range(1, 5)]
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        straight, mixed = Store(Path(one)), Store(Path(other))
        for part in STORY:
            tell(straight, part)
        correlate(straight, machines)
        for i, part in enumerate(parts):
            tell(mixed, part)
            if i in stops:
                correlate(mixed, machines)
        correlate(mixed, machines)
        assert outcome(mixed) == outcome(straight)
        assert faults(mixed) == [(M1, "bearing_outer"), (M2, "bias")]
        straight.close()
        mixed.close()
