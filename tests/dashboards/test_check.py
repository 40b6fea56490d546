"""Every query of ours is answered by a real InfluxDB; what is wrong with one is said."""

from __future__ import annotations

import copy
import re

import pytest

from cloud_jobs.timeseries.points import FIELDS, SUFFIX
from dashboards import schema
from dashboards.catalogue import boards, rule_group
from dashboards.check import Check
from dashboards.influx import Influx, RefusedError
from dashboards.questions import LONG_RANGES_S, of_board, of_group, variables
from tests.dashboards.plants import Buckets, lines, machines
from tests.vibro.cli.commands import refused, vibro
from vibro.cli.dashboards.options import PAGE

NOW = 1_790_000_000 * 10**9


@pytest.fixture(scope="module")
def plant(influx, tmp_path_factory) -> Buckets:
    """Buckets with a small plant in them."""
    buckets = Buckets(influx, "dashboards")
    buckets.fill()
    return buckets


@pytest.fixture
def token(influx, tmp_path):
    file = tmp_path / "influx.token"
    file.write_text(f"{influx.token}\n")
    return file


def check(buckets: Buckets, token, *options: str):
    return vibro(
        "dashboards", "check", "--url", buckets.influx.url, "--token-file", token,
        "--org", buckets.influx.org, "--bucket", buckets.name, "--hours", "2", *options,
    )  # fmt: skip


def ask(plant: Buckets) -> Influx:
    return Influx(plant.influx.url, plant.influx.token, plant.influx.org, plant.name)


# -- the schema ------------------------------------------------------------------------------------


def test_the_schema_is_what_the_cloud_jobs_write():
    written: dict[str, set[str]] = {}
    tags: dict[str, set[str]] = {}
    for line in lines(NOW).decode().splitlines():
        # No text of this plant holds a space that is not escaped, but for the notes of events.
        start, rest = line.split(" ", 1)
        measurement, *pairs = start.split(",")
        written.setdefault(measurement, set()).update(
            re.findall(r'(?:^|,)([a-z][\w-]*)=(?=[-\d"tf])', rest.rsplit(" ", 1)[0])
        )
        tags.setdefault(measurement, set()).update(p.split("=")[0] for p in pairs)
    for measurement, fields in schema.FIELDS.items():
        missing = set(fields) - written[measurement] - {"note", "t_clear_ns"}
        assert not missing, (measurement, missing)
    assert set().union(*tags.values()) == set(schema.TAGS)
    assert "t_clear_ns" in written["event"]


def test_names_of_features_and_status_are_those_that_the_cloud_jobs_know():
    known = {m: {f + s for f in fields for s in SUFFIX.values()} for m, fields in FIELDS.items()}
    for measurement, fields in known.items():
        assert set(schema.FIELDS[measurement]) <= fields


# -- the check -------------------------------------------------------------------------------------


def test_every_query_is_answered(plant, token):
    done = check(plant, token, "--json")
    told = done.json
    bad = [a for a in told["answers"] if a["error"] or (not a["rows"] and not a["may_be_empty"])]
    assert not bad, "\n".join(f"{a['where']}: {a['error'] or 'empty'}" for a in bad)
    assert (done.status, told["failed"], told["empty"]) == (0, 0, 0)
    expected = [q for b in boards(PAGE) for q in of_board(b)] + list(of_group(rule_group(PAGE)))
    chosen = sum(len(variables(b)) for b in boards(PAGE))
    longer = len(LONG_RANGES_S) * sum(q.follows_range for q in expected)
    assert told["queries"] == len(expected) + chosen + longer
    assert set(told["by_kind"]) == {"panel", "annotation", "variable", "alert"}


def test_the_long_ranges_read_the_buckets_of_hours_and_days(plant):
    """The rows of the full bucket, put where the tasks would put theirs."""
    for suffix in ("_1h", "_1d"):
        plant.write(lines(NOW), suffix)
    influx = ask(plant)
    board = next(b for b in boards(PAGE) if b["uid"] == "vibro-machine")
    question = next(q for q in of_board(board) if "/ Velocity / A" in q.where)
    asked = Check(influx, 7200.0)
    asked.end_ns = NOW
    chosen = dict.fromkeys(("site", "machine", "channel"), ".*")
    for range_s in LONG_RANGES_S.values():
        longer = copy.copy(question)
        object.__setattr__(longer, "range_s", range_s)
        assert asked._ask(longer, chosen).rows > 0
    # The same two hours, at full resolution: there is nothing of this time.
    assert asked._ask(question, chosen).rows == 0


def test_variables_narrow_each_other(plant):
    influx = ask(plant)
    asked = Check(influx, 7200.0)
    board = boards(PAGE)[1]
    queries = variables(board)
    known = machines()
    site = known[0].site
    flux = asked._filled(_question(queries["machine"]), {"site": site})
    assert influx.values(flux) == sorted({m.machine for m in known if m.site == site})
    flux = asked._filled(_question(queries["machine"]), {"site": ".*"})
    assert influx.values(flux) == sorted({m.machine for m in known})
    flux = asked._filled(_question(queries["channel"]), {"site": site, "machine": "nobody"})
    assert influx.values(flux) == []


def _question(query):
    from dashboards.questions import VARIABLE, Question  # noqa: PLC0415

    return Question("", VARIABLE, query)


def test_alert_rules_see_the_alarm_the_case_and_who_is_alive(plant):
    influx = ask(plant)
    asked = Check(influx, 7200.0)
    values = {}
    for question in of_group(rule_group(PAGE)):
        title = question.where.split(" / ")[1]
        tables = influx._tables(asked._filled(question, {}))
        values[title] = {
            (r.values.get("site"), r.values.get("machine")): r.get_value()
            for t in tables for r in t.records
        }  # fmt: skip
    known = [(m.site, m.machine) for m in machines()]
    alarm = values["Machine at alarm or worse"]
    assert {k: v > 2.5 for k, v in alarm.items()} == {k: k == known[0] for k in known}
    assert values["Case opened"] == {known[0]: 2.0}
    assert set(values["Node silent"]) == set(known)
    assert all(v < 120 for v in values["Node silent"].values())
    assert values["Samples lost"] == pytest.approx(dict.fromkeys(known, 3e-6), abs=1e-5)
    assert all(0.99 < v <= 1.0 for v in values["Spool headroom low"].values())
    (stale,) = values["InfluxDB feed stale"].values()
    assert stale < 120


# -- what is wrong is said -------------------------------------------------------------------------


def test_a_broken_query_and_one_that_finds_nothing_fail_the_check(plant, token, monkeypatch):
    made = boards(PAGE)
    panels = {p["title"]: p for b in made for p in b["panels"]}
    panels["Velocity"]["targets"][0]["query"] += "\n  |> nonsense()"
    kurtosis = panels["Kurtosis"]["targets"][0]
    kurtosis["query"] = kurtosis["query"].replace("kurtosis", "kurtoses")
    monkeypatch.setattr("dashboards.catalogue.boards", lambda _: made)
    done = check(plant, token)
    assert done.status == 1
    said = done.out.splitlines()
    velocity = next(line for line in said if "Velocity / A " in line)
    assert velocity.startswith("panel  Machine / Velocity / A  refused: ")
    assert any("nonsense" in line for line in said)
    assert "panel  Machine / Kurtosis / A  finds nothing" in said
    assert re.search(r"\d+ rows, 3 refused, 1 empty$", said[-1])


def test_a_missing_bucket_of_hours_is_said(influx, token, tmp_path):
    buckets = Buckets(influx, "lonely")
    buckets.fill()
    _drop(buckets, "lonely_1h")
    done = check(buckets, token)
    assert done.status == 1
    assert 'could not find bucket "lonely_1h"' in done.out


def _drop(buckets: Buckets, name: str) -> None:
    found = buckets._ask("GET", f"/api/v2/buckets?name={name}")["buckets"]
    buckets._ask("DELETE", f"/api/v2/buckets/{found[0]['id']}")


def test_an_empty_bucket_is_one_line(influx, token):
    done = check(Buckets(influx, "empty"), token)
    assert (done.status, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert "holds no status" in done.err
    assert "cloud.toml" in done.err


def test_a_bad_token_is_one_line_that_does_not_hold_it(plant, tmp_path):
    (tmp_path / "t").write_text("nobody-knows-this\n")
    done = check(plant, tmp_path / "t")
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert "refuses the token (401)" in done.err
    assert "nobody-knows" not in done.err + done.out


def test_a_wrong_organisation_bucket_or_address_is_one_line(plant, token):
    done = vibro(
        "dashboards", "check", "--url", plant.influx.url, "--token-file", token, "--org", "nobody"
    )
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert "--org" in done.err
    done = vibro(
        "dashboards", "check", "--url", plant.influx.url, "--token-file", token, "--org",
        plant.influx.org, "--bucket", "nowhere",
    )  # fmt: skip
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert "nowhere" in done.err
    done = vibro("dashboards", "check", "--url", "http://127.0.0.1:9", "--token-file", token)
    assert "does not answer" in done.err
    refused(vibro("dashboards", "check", "--url", "influx", "--token-file", token), "--url")


def test_the_audit_comes_first(plant, token, monkeypatch):
    made = boards(PAGE)
    del made[0]["panels"][1]["description"]
    monkeypatch.setattr("dashboards.catalogue.boards", lambda _: made)
    done = check(plant, token)
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert "has no description" in done.err


def test_what_the_server_refuses_is_its_own_words(plant):
    with pytest.raises(RefusedError, match="undefined identifier nonsense"):
        ask(plant).count("nonsense()")
