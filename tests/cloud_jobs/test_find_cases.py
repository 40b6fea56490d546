"""Questions about cases, against a plain list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_jobs.query import find_cases
from cloud_jobs.store import Store, ingest, upsert
from cloud_jobs.store.tables import CaseEventRow, CaseRow, EventRow
from tests.cloud_jobs.builders import S, case_row, event
from tests.cloud_jobs.serve.homes import REGISTER
from vibro.assets import parse_register
from vibro.faults import Severity
from vibro.query import parse

pytestmark = pytest.mark.usefixtures("backend")

NOW_S = 1_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Machines a/m1 and a/m2 are motors of the register, b/m1 is not in it."""
    store = Store(tmp_path_factory.mktemp("home"))
    store.put_register(parse_register(REGISTER, "assets.csv"))
    yield store
    store.close()


cases = st.lists(
    st.fixed_dictionaries(
        {
            "where": st.sampled_from([("a", "m1"), ("a", "m2"), ("b", "m1")]),
            "fault": st.sampled_from(["bearing_outer", "bearing_inner", "unknown", "flatline"]),
            "probability": st.sampled_from([None, 0.0, 0.5, 0.9]),
            "severity": st.sampled_from(Severity),
            "state": st.sampled_from(["open", "quiet"]),
            "onset_h": st.integers(1, 50),
            "lasted_h": st.integers(0, 20),
            "growing": st.booleans(),
            "scores": st.lists(st.sampled_from([0.3, 0.5, 0.7, float("nan")]), max_size=3),
        }
    ),
    max_size=6,
)
questions = st.fixed_dictionaries(
    {},
    optional={
        "fault=": st.sampled_from(["bearing_outer", "unknown", "flatline"]),
        "severity>=": st.sampled_from(["watch", "alert", "alarm"]),
        "site=": st.sampled_from(["a", "b"]),
        "machine=": st.sampled_from(["m1", "a/m1"]),
        "class=": st.sampled_from(["motor", "pump"]),
        "state=": st.sampled_from(["open", "quiet"]),
        "score>": st.sampled_from(["0.4", "0.6"]),
        "probability<=": st.sampled_from(["0.5", "0.95"]),
        "since=": st.sampled_from(["24h", "1h"]),
        "until=": st.sampled_from(["24h", "48h"]),
    },
)


def fill(store: Store, made: list[dict[str, Any]]) -> None:
    """The cases, their events, and an event of each machine that belongs to no case."""
    with store.transaction() as session:
        for table in (CaseRow, CaseEventRow, EventRow):
            session.query(table).delete()
        for i, c in enumerate(made):
            site, machine = c["where"]
            onset = (NOW_S - 3600 * c["onset_h"]) * S
            facts = {k: c[k] for k in ("fault", "probability", "severity", "state", "growing")}
            times = {"t_onset_ns": onset, "t_detected_ns": onset + S, "t_opened_ns": onset + 9 * S}
            last = onset + 3600 * c["lasted_h"] * S
            session.add(
                case_row(f"c{i}", site=site, machine=machine, **facts, **times, t_last_ns=last)
            )
            ingest.keep_events(session, [event(0.5, site=site, machine=machine)])
            for k, score in enumerate(c["scores"]):
                e = event(100.0 * i + k, site=site, machine=machine)
                ingest.keep_events(session, [e])
                session.get(EventRow, e.id.thing).score = None if score != score else score
                upsert(session, CaseEventRow, [{"case": f"c{i}", "event": e.id.thing}])


def holds(c: dict[str, Any], asked: dict[str, str]) -> bool:
    """Whether a case answers, condition by condition in plain words."""
    site, machine = c["where"]
    score = max((s for s in c["scores"] if s == s), default=None)
    ago_h = {k: float(v[:-1]) for k, v in asked.items() if k in ("since=", "until=")}
    level = ("ok", "watch", "alert", "alarm", "danger").index
    checks = {
        "fault=": lambda v: c["fault"] == v,
        "severity>=": lambda v: int(c["severity"]) >= level(v),
        "site=": lambda v: site == v,
        "machine=": lambda v: v in (machine, f"{site}/{machine}"),
        "class=": lambda v: v == "motor" and site == "a",
        "state=": lambda v: c["state"] == v,
        "score>": lambda v: score is not None and score > float(v),
        "probability<=": lambda v: c["probability"] is not None and c["probability"] <= float(v),
        "since=": lambda _: c["state"] == "open" or c["onset_h"] - c["lasted_h"] <= ago_h["since="],
        "until=": lambda _: c["onset_h"] >= ago_h["until="],
    }
    return all(checks[k](v) for k, v in asked.items())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases, questions)
def test_cases_are_found_as_in_a_plain_list(store, made, asked):
    fill(store, made)
    expression = " ".join(k + v for k, v in asked.items())
    found = find_cases(store, parse(expression, NOW_S * S))
    assert {row["case"] for row in found} == {
        f"c{i}" for i, c in enumerate(made) if holds(c, asked)
    }
    assert len({row["case"] for row in found}) == len(found)
    order = [("danger", "alarm", "alert", "watch", "ok").index(row["severity"]) for row in found]
    assert order == sorted(order)
    for row in found:
        c = made[int(row["case"][1:])]
        assert row["machine"] == "/".join(c["where"])
        assert row["machine_class"] == ("motor" if c["where"][0] == "a" else "")
        assert row["events"] == len(c["scores"])
        assert row["score"] == max((s for s in c["scores"] if s == s), default=None)
        assert (row["probability"], row["growing"]) == (c["probability"], c["growing"])
        assert row["t_onset_ns"] == (NOW_S - 3600 * c["onset_h"]) * S
        assert row["t_detected_ns"] == row["t_onset_ns"] + S


def test_an_answer_can_be_printed_as_json_and_holds_what_is_promised(store):
    plain = {"fault": "unknown", "probability": None, "severity": Severity.ALERT, "growing": False}
    times = {"onset_h": 2, "lasted_h": 1, "state": "open"}
    fill(store, [{"where": ("a", "m1"), "scores": [float("nan")], **plain, **times}])
    (row,) = find_cases(store, parse("severity=alert", NOW_S * S))
    onset = (NOW_S - 7200) * S
    assert row == {
        "machine": "a/m1",
        "machine_class": "motor",
        "fault": "unknown",
        "probability": None,
        "severity": "alert",
        "state": "open",
        "growing": False,
        "score": None,
        "t_onset_ns": onset,
        "t_detected_ns": onset + S,
        "t_last_ns": onset + 3600 * S,
        "events": 1,
        "case": "c0",
    }
