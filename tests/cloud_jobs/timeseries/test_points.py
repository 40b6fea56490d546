"""Which point each record becomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cloud_jobs.columns import STATUS_COUNTS, STATUS_VALUES
from cloud_jobs.store.tables import MaintenanceRow
from cloud_jobs.timeseries.fleet import (
    Fleet,
    case_points,
    limit_points,
    maintenance_points,
    model_points,
)
from cloud_jobs.timeseries.points import HOUR_NS, hours_of, lines_of, wanted
from tests.cloud_jobs.builders import (
    S,
    block,
    case_row,
    clip,
    event,
    heartbeat,
    model_row,
    spectrum,
)
from tests.cloud_jobs.timeseries.protocol import Point, parse
from vibro.assets import Machine
from vibro.assets import Point as Spot
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.records import Record

POINTS = (Spot("de-h", "DE", "H"), Spot("de-v", "DE", "V"))
MACHINES = {
    m.path: m
    for m in (
        Machine("a", "m1", "pump", power_kw=55, mounting="rigid", iso_part="10816-3", iso_group=2,
                points=POINTS),
        Machine("a", "m2", "pump", power_kw=5, mounting="rigid", iso_part="10816-3", iso_group=2,
                points=POINTS[:1]),
    )
}  # fmt: skip


def points(*records: Record) -> list[Point]:
    return parse(lines_of(records))


@pytest.mark.parametrize(
    ("content", "path", "names", "suffix"),
    [("mean", "fast", FAST_NAMES, ""), ("max", "long", LONG_NAMES, "_max")],
)
def test_features_are_fields_under_their_own_names(content, path, names, suffix):
    sent = block(content, path, t0_ns=3 * S, rows=5)
    found = points(sent)
    assert [p.measurement for p in found] == [f"features_{path}"] * 5
    assert [p.t_ns for p in found] == [(3 + i) * S for i in range(5)]
    assert [p.tags["channel"] for p in found] == ["de-h", "de-v", "de-h", "de-v", "de-h"]
    assert all(p.tags.keys() == {"site", "machine", "channel", "state"} for p in found)
    for i, point in enumerate(found):
        assert point.fields == {n + suffix: float(sent.columns[n][i]) for n in names}


def test_status_holds_what_was_told_and_counts_are_integers():
    sent = block("status", "", rows=2)
    sent.columns["p_fast"][1] = np.nan
    sent.columns["seen"] = np.array([7, 8], np.int64)
    first, second = points(sent)
    assert first.fields.keys() == {"score_fast", "p_fast", "severity", "seen"}
    assert second.fields.keys() == {"score_fast", "severity", "seen"}
    assert (first.fields["seen"], type(first.fields["seen"])) == (7, int)
    assert first.fields.keys() <= {*STATUS_VALUES, *STATUS_COUNTS}


def test_blocks_of_many_machines_and_states_keep_their_own_tags():
    two = replace(block("mean", machine="m2"), states=("run", "fast"))
    two.columns["state"][:] = [1, 0]
    found = points(block("mean"), two, block("max"))
    assert [(p.tags["machine"], p.tags["channel"], p.tags["state"]) for p in found] == [
        ("m1", "de-h", "run"),
        ("m1", "de-v", "run"),
        ("m2", "de-h", "fast"),
        ("m2", "de-v", "run"),
        ("m1", "de-h", "run"),
        ("m1", "de-v", "run"),
    ]


def test_samples_clips_spectra_and_gaps_are_no_points():
    gap = replace(heartbeat(1), content="gap")
    assert not any(map(wanted, (block("sample"), clip(), spectrum(), gap, block("mean", rows=0))))
    assert points(block("sample"), clip(), spectrum(), gap, block("mean", rows=0)) == []


def test_a_state_that_is_no_word_makes_no_series_of_its_own():
    """Tags are bounded: a node must not make series at will."""
    sent = [replace(block("mean"), states=(f"state {i},x=1",)) for i in range(50)]
    assert {p.tags["state"] for p in points(*sent)} == {"other"}
    (point, _) = points(replace(block("mean"), states=("",)))
    assert "state" not in point.tags


def test_an_event_is_one_point_whatever_its_revision():
    opened = event(5, revision=0)
    cleared = replace(event(5, revision=1, cleared=True), state="stopped")
    first, last = points(opened, cleared)
    assert first[:2] == last[:2]
    assert first.t_ns == last.t_ns == 5 * S
    assert first.tags == {"site": "a", "machine": "m1", "channel": "de-h"}
    assert (first.fields["open"], last.fields["open"]) == (True, False)
    assert (first.fields["state"], last.fields["state"]) == ("run", "stopped")
    assert "t_clear_ns" not in first.fields
    assert last.fields["t_clear_ns"] == cleared.t_clear_ns
    assert (first.fields["severity"], first.fields["causes"]) == (2, "forest_fast")


def test_a_heartbeat_tells_its_numbers_as_floats():
    """A fact that is 0 today and 0.5 tomorrow must keep its type."""
    detail = {
        "spool_bytes": 4096,
        "finished": False,
        "lag_s": 0,
        "version": "1.2",
        "trouble": "a text",
        "nothing": None,
        "nan": float("nan"),
        "seen": -1,
        "latency_us_log20": {"31": 7},
        "acquisition": {"ring_share": 0.25, "last_failure": ""},
        "No fact": 1,
    }
    (point,) = points(replace(heartbeat(9), detail=detail))
    assert (point.measurement, point.t_ns) == ("node", 9 * S)
    assert point.tags == {"site": "a", "machine": "m1"}
    assert point.fields == {
        "node": "a-m1",
        "bundle": "v1",
        "seen": 1000,
        "processed": 1000,
        "lost": 0,
        "raw_bytes": 2000,
        "spool_bytes": 4096.0,
        "finished": 0.0,
        "lag_s": 0.0,
        "version": "1.2",
        "acquisition_ring_share": 0.25,
    }
    assert isinstance(point.fields["spool_bytes"], float)


def test_a_heartbeat_of_a_thousand_facts_is_cut_short():
    (point,) = points(replace(heartbeat(9), detail={f"x{i}": i for i in range(1000)}))
    assert len(point.fields) < 100


def test_hours_are_those_that_points_lie_in():
    sent = block("mean", t0_ns=HOUR_NS - S, rows=3)
    assert hours_of([sent, clip(), block("sample", t0_ns=9 * HOUR_NS)]) == {
        ("a", 0),
        ("a", HOUR_NS),
    }
    assert hours_of([event(7200), heartbeat(3 * 3600.0)]) == {
        ("a", 2 * HOUR_NS),
        ("a", 3 * HOUR_NS),
    }


# -- the store's facts -----------------------------------------------------------------------------


def lines(found: dict) -> list[Point]:
    return parse(b"".join(found.values()))


def test_a_case_is_a_point_when_it_was_opened():
    (point,) = lines(case_points([case_row("c1", t_opened_ns=5 * S, probability=None)]))
    assert (point.measurement, point.t_ns) == ("case", 5 * S)
    assert point.tags == {"site": "a", "machine": "m1"}
    assert point.fields == {"id": "c1", "fault": "bearing_outer", "severity": 2, "state": "open"}


def test_models_of_one_night_do_not_overwrite_each_other():
    metrics = {"auc": 0.9, "rows": 7, "words": "no", "bytes": 1}
    rows = [model_row("a", c, "v1", 5 * S, metrics=metrics) for c in ("pump", "fan")]
    found = lines(model_points(rows))
    assert len({(p.tags["site"], p.t_ns) for p in found}) == 2
    assert all(0 <= p.t_ns - 5 * S < 10**6 for p in found)
    assert found[0].fields == {
        "version": "v1", "machine_class": "pump", "bytes": 100, "auc": 0.9, "rows": 7.0,
    }  # fmt: skip


def test_maintenance_is_a_mark_at_its_own_time():
    rows = [maintained("new bearing, DE", 5 * S), maintained("x" * 5000, 6 * S)]
    first, long = lines(maintenance_points(rows))
    assert (first.measurement, first.t_ns) == ("maintenance", 5 * S)
    assert first.tags == {"site": "a", "machine": "m1"}
    assert first.fields == {"note": "new bearing, DE"}
    assert len(long.fields["note"]) == 1000


def maintained(note: str, t_ns: int) -> MaintenanceRow:
    return MaintenanceRow(site="a", machine="m1", t_ns=t_ns, note=note)


def test_limits_stand_once_a_day_where_the_standard_has_any():
    day, later = 20_000 * 86_400 * S, 20_000 * 86_400 * S + 5000 * S
    found = lines(limit_points(MACHINES.values(), later))
    assert {(p.tags["machine"], p.tags["channel"]) for p in found} == {
        ("m1", "de-h"),
        ("m1", "de-v"),
    }
    assert all(p.t_ns == day and p.measurement == "limit" for p in found)
    assert found[0].fields == {"zone_ab_mm_s": 1.4, "zone_bc_mm_s": 2.8, "zone_cd_mm_s": 4.5}


class FakeStore:
    """What `Fleet` asks of a store."""

    def __init__(self) -> None:
        self.rows, self.done, self.register = [], [], {}

    def cases(self):
        return self.rows

    def models(self):
        return []

    def maintenance(self):
        return self.done

    def machines(self):
        return self.register


def test_the_fleet_tells_what_is_new_until_it_is_written():
    store = FakeStore()
    fleet, day = Fleet(store), 86_400 * S
    store.rows = [case_row("c1"), case_row("c2", machine="m2")]
    store.register = dict(MACHINES)
    first = fleet.news(day)
    assert len(first) == 4
    assert fleet.news(day) == first, "nothing was written yet"
    fleet.told(first, day)
    assert fleet.news(day + S) == {}
    store.rows = [case_row("c1", state="closed"), store.rows[1]]
    (changed,) = fleet.news(day + S).values()
    assert parse(changed)[0].fields["state"] == "closed"
    fleet.told(fleet.news(day + S), day + S)
    store.done = [maintained("greased", day)]
    (told,) = fleet.news(day + S).values()
    assert parse(told)[0].fields == {"note": "greased"}
    fleet.told(fleet.news(day + S), day + S)
    assert [k.series.split(",")[0] for k in fleet.news(2 * day)] == ["limit", "limit"]
    store.register = dict(store.register)
    assert len(fleet.news(day + S)) == 2, "another register"
