"""`vibro query`: which machines show what, for people and for machines."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from cloud_jobs.store import Store
from tests.cloud_jobs.builders import S, case_row
from tests.cloud_jobs.conftest import lay
from tests.vibro.cli.commands import refused, vibro
from vibro.assets import parse_register
from vibro.cli import query as verb
from vibro.faults import Severity

NOW = 100_000 * S
HOUR = 3600
KEYS = {
    "machine", "machine_class", "fault", "probability", "severity", "state", "growing", "score",
    "t_onset_ns", "t_detected_ns", "t_last_ns", "events", "case",
}  # fmt: skip
HEAD = (
    "site,region,owner,machine,machine_class,criticality,power_kw,rpm_min,rpm_nominal,rpm_max,"
    "mounting,iso_part,iso_group,channel,location,axis,shaft,shaft_ratio,bearing,gear_teeth,"
    "gear_mate_teeth,blades,line_hz,rate_hz,range_m_s2\n"
)
ROW = (
    "{},eu,acme,{},{},high,45,1400,1500,1510,rigid,10816-3,2,"
    "de-h,DE,H,main,1,6205,,,,50,25600,490\n"
)


def seen(hours_ago):
    at = NOW - round(hours_ago * HOUR) * S
    return {"t_onset_ns": at - 60 * S, "t_detected_ns": at - 50 * S, "t_last_ns": at}


CASES = (
    case_row("c1", site="harbour", machine="pump-1", severity=int(Severity.ALARM), **seen(1)),
    case_row(
        "c2", site="harbour", machine="fan-1", fault="imbalance", state="quiet", probability=0.6,
        severity=int(Severity.WATCH), **seen(30),
    ),
    case_row(
        "c3", site="mill", machine="pump-1", fault="unknown", probability=None, state="quiet",
        growing=True, **seen(2),
    ),
)  # fmt: skip
PUMP, FAN, MILL = "harbour/pump-1", "harbour/fan-1", "mill/pump-1"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Three cases of two sites; it is half a minute past their newest."""
    clock = SimpleNamespace(time_ns=lambda: NOW, gmtime=time.gmtime, strftime=time.strftime)
    monkeypatch.setattr(verb, "time", clock)
    register = HEAD + "".join(
        ROW.format(*m)
        for m in (
            ("harbour", "pump-1", "pump"),
            ("harbour", "fan-1", "fan"),
            ("mill", "pump-1", "pump"),
        )
    )
    store = Store(tmp_path)
    try:
        store.put_register(parse_register(register, "made"))
        with store.transaction() as session:
            session.add_all([_copy(c) for c in CASES])
    finally:
        store.close()
    return tmp_path


def _copy(row):
    return type(row)(**{c.key: getattr(row, c.key) for c in row.__table__.columns})


def machines(home, expression):
    done = vibro("query", expression, "--home", home, "--json")
    assert (done.status, done.err) == (0, ""), done.err
    return [row["machine"] for row in done.json]


def test_an_empty_expression_lists_every_case_the_most_severe_first(home):
    assert machines(home, "") == [PUMP, MILL, FAN]
    assert (
        vibro("query", "--home", home, "--json").json
        == vibro("query", "", "--home", home, "--json").json
    )


def test_a_row_has_every_key(home):
    (row,) = vibro("query", "fault=bearing_outer", "--home", home, "--json").json
    assert set(row) == KEYS
    assert (row["case"], row["severity"], row["machine_class"]) == ("c1", "alarm", "pump")
    assert (row["probability"], row["score"], row["events"], row["growing"]) == (
        0.9,
        None,
        0,
        False,
    )


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("fault=bearing_outer severity>=alert since=24h", [PUMP]),
        ("site=harbour", [PUMP, FAN]),
        ("machine=pump-*", [PUMP, MILL]),
        ("machine=mill/pump-1", [MILL]),
        ("class=fan", [FAN]),
        ("fault!=unknown,imbalance", [PUMP]),
        ("severity<alert", [FAN]),
        ("probability>0.5", [PUMP, FAN]),
        ("since=24h", [PUMP, MILL]),
        ("since=24h until=90m", [MILL]),
        ("state=open", [PUMP]),
        ("score>0.1", []),
        ("site=nowhere", []),
    ],
)
def test_all_terms_must_hold(home, expression, wanted):
    assert machines(home, expression) == wanted


def test_people_get_a_table_whose_columns_stay_whole(home):
    done = vibro("query", "--home", home)
    assert (done.status, done.err) == (0, "")
    head, *rows = done.out.splitlines()
    assert head.split()[:4] == ["machine", "class", "severity", "fault"]
    assert [r.split()[0] for r in rows] == [PUMP, MILL, FAN]
    assert "unknown (growing)" in rows[1]
    assert "1970-01-02 02:45:40" in rows[0]


def test_no_match_is_said_and_is_no_error(home):
    done = vibro("query", "site=nowhere", "--home", home)
    assert (done.status, done.out, done.err) == (0, "no case matches\n", "")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("falt=bearing_outer", ("position 1", "did you mean 'fault'?")),
        ("fault=bearing_outr", ("position 7", "did you mean 'bearing_outer'?")),
        ("site=a severity>=loud", ("position 18", "ok, watch, alert, alarm, danger")),
        ("since=yesterday", ("30m, 24h, 7d",)),
        ("fault", ("position",)),
        ("score>high", ("not a number",)),
        ("site>=a", ("does not work on site",)),
        ("severity>=", ("value is missing",)),
    ],
)
def test_a_mistake_names_its_place_and_what_would_be_right(home, expression, words):
    refused(vibro("query", expression, "--home", home), expression, *words)


def test_an_expression_is_refused_before_the_home_is_looked_at(tmp_path):
    refused(vibro("query", "falt=x", "--home", tmp_path / "none"), "falt")


def test_a_home_without_a_store_names_the_ways_to_one(tmp_path):
    refused(vibro("query", "--home", tmp_path), str(tmp_path), "store.db", "--home", "vibro demo")
    (tmp_path / "file").write_text("x")
    refused(vibro("query", "--home", tmp_path / "file"), "--home", "file")
    assert not (tmp_path / "store.db").exists()


def test_the_home_may_stand_in_the_environment(home, monkeypatch):
    monkeypatch.setenv("VIBRO_HOME", str(home))
    assert len(vibro("query", "--json").json) == 3


def test_a_store_on_a_server_is_asked_there(tmp_path, postgres):
    lay(tmp_path, postgres.new_database())
    done = vibro("query", "--home", tmp_path)
    assert (done.status, done.out) == (0, "no case matches\n")
    assert not (tmp_path / "store.db").exists()


def test_a_store_that_is_none_is_one_line(tmp_path):
    (tmp_path / "store.db").write_bytes(b"what a day" * 500)
    refused(vibro("query", "--home", tmp_path), "store.db")
