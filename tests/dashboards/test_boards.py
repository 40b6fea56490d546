"""What holds of every dashboard, rule and file, without any server."""

from __future__ import annotations

import copy
import re

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.models import alerting
from grafana_foundation_sdk.models import dashboard as model

from dashboards import schema
from dashboards.audit import problems
from dashboards.board import DATASOURCE_UID
from dashboards.catalogue import boards, plain, rule_group
from dashboards.flux import register
from dashboards.push import differences
from dashboards.questions import constants, of_board, of_group, variables
from vibro.cli.dashboards.options import PAGE
from vibro.features.table import FAST_NAMES, LONG_NAMES, ORDERS

BOARDS, GROUP = boards(PAGE), rule_group(PAGE)
BY_UID = {b["uid"]: b for b in BOARDS}
QUERIES = [q for b in BOARDS for q in of_board(b)] + list(of_group(GROUP))
PANELS = [(b["title"], p) for b in BOARDS for p in b["panels"] if p["type"] != "row"]
RESERVED = ("timeRangeStart", "timeRangeStop", "windowPeriod", "bucket", "defaultBucket")


def panel(uid: str, title: str) -> dict:
    return next(p for p in BY_UID[uid]["panels"] if p["title"] == title)


# -- the audit -------------------------------------------------------------------------------------


def test_nothing_is_wrong_with_them():
    assert problems(BOARDS, GROUP) == []


def _broken(change):
    made, group = copy.deepcopy(BOARDS), copy.deepcopy(GROUP)
    change(made, group)
    return problems(made, group)


def _move(made, _):
    made[0]["panels"][1]["gridPos"]["x"] += 1


def _same_id(made, _):
    made[0]["panels"][1]["id"] = made[0]["panels"][2]["id"]


def _of(name):
    return lambda made, _: made[1]["panels"][1]["fieldConfig"]["defaults"].pop(name)


def _undeclared(made, _):
    made[1]["panels"][1]["targets"][0]["query"] += " // ${plant:regex}"


def _fixed_source(made, _):
    made[1]["panels"][1]["datasource"]["uid"] = DATASOURCE_UID


def _condition(_, group):
    group["rules"][0]["condition"] = "D"


def _expression(_, group):
    group["rules"][0]["data"][2]["model"]["expression"] = "X"


def _interval(_, group):
    group["interval"] = 65


def _dollar(_, group):
    group["rules"][0]["annotations"]["summary"] = "{{ $labels.machine }}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_move, "lie on each other"),
        (_same_id, "panel id '"),
        (_of("unit"), "has no unit"),
        (_of("noValue"), "does not say what no data means"),
        (_of("thresholds"), "has no thresholds"),
        (lambda m, _: m[1]["panels"][1].pop("description"), "has no description"),
        (lambda m, _: m[1].update(uid=m[0]["uid"]), "uid vibro-fleet is given twice"),
        (_undeclared, "variable 'plant' is used and not declared"),
        (_fixed_source, "does not use the dashboard's datasource"),
        (_condition, "has the condition D, which none of its queries is called"),
        (_expression, "builds on X"),
        (_interval, "10 s do not divide the interval of 65 s"),
        (_dollar, "dollar sign"),
        (lambda _, g: g["rules"][0].update({"for": ""}), "does not say 'for'"),
        (lambda _, g: g["rules"][0]["labels"].clear(), "no label 'severity'"),
        (lambda _, g: g["rules"][0]["annotations"].pop("link"), "no annotation 'link'"),
        (lambda _, g: g["rules"].append(g["rules"][0]), "uid vibro-machine-alarm"),
    ],
)
def test_the_audit_finds_what_grafana_would_not_say(change, words):
    found = _broken(change)
    assert any(words in p for p in found), found


# -- dashboards ------------------------------------------------------------------------------------


def test_the_sdk_reads_back_what_it_wrote():
    register()
    plugins.register_default_plugins()
    for board in BOARDS:
        again = plain(model.Dashboard.from_json(copy.deepcopy(board)))
        lost = list(differences(board, again))  # what it adds are its defaults
        # Its own type of an annotation's target knows no queries.
        assert all(re.search(r"annotations.*target", line) for line in lost), lost
    assert plain(alerting.RuleGroup.from_json(copy.deepcopy(GROUP))) == GROUP


def test_uids_and_numbers_are_what_links_and_bookmarks_say():
    assert list(BY_UID) == [
        "vibro-fleet", "vibro-machine", "vibro-bearings", "vibro-nodes", "vibro-models",
    ]  # fmt: skip
    for board in BOARDS:
        assert [p["id"] for p in board["panels"]] == list(range(1, len(board["panels"]) + 1))
        assert (board["tags"], board["time"]["to"]) == (["vibro"], "now")
        assert "id" not in board


@pytest.mark.parametrize("uid", list(BY_UID))
def test_variables_build_on_each_other_and_all_works(uid):
    found = variables(BY_UID[uid])
    names = list(found)
    assert names in (["site", "machine"], ["site", "machine", "channel"])
    for i, name in enumerate(names):
        for above in names[:i]:
            assert f"r.{above} =~ /^${{{above}:regex}}$/" in found[name]
    listed = {v["name"]: v for v in BY_UID[uid]["templating"]["list"]}
    for name in names:
        assert (listed[name]["includeAll"], listed[name]["allValue"]) == (True, ".*")
        assert (listed[name]["multi"], listed[name]["refresh"]) == (True, 2)
    assert listed["datasource"]["current"]["value"] == DATASOURCE_UID


def test_the_page_is_a_hidden_constant_so_that_no_address_turns_links_elsewhere():
    for board in boards("https://page.example"):
        assert constants(board) == {"page": "https://page.example"}
        listed = next(v for v in board["templating"]["list"] if v["name"] == "page")
        assert (listed["type"], listed["hide"]) == ("constant", 2)


@pytest.mark.parametrize(
    ("title", "p"), PANELS, ids=lambda v: v if isinstance(v, str) else v["title"]
)
def test_every_panel_says_what_it_shows(title, p):
    defaults = p["fieldConfig"]["defaults"]
    assert len(p["description"]) > 60, title
    assert p["description"].rstrip().endswith(".")
    assert defaults["unit"]
    assert defaults["noValue"]
    steps = defaults["thresholds"]["steps"]
    assert steps[0]["value"] is None
    assert [s["value"] for s in steps[1:]] == sorted(s["value"] for s in steps[1:])


def test_lists_come_as_one_table_of_bounded_length():
    for board in BOARDS:
        for p in board["panels"]:
            if p["type"] == "table":
                query = p["targets"][0]["query"]
                assert "group()" in query, p["title"]
                assert re.search(r"limit\(n: (\d+)", query), p["title"]


def test_marks_are_few_enough_that_grafana_cuts_none():
    for board in BOARDS:
        for mark in board.get("annotations", {}).get("list", []):
            assert "limit(n: 100)" in mark["target"]["query"]


def test_events_lead_to_the_page():
    machine = boards("https://page.example")[1]
    events = next(m for m in machine["annotations"]["list"] if m["name"] == "Events")
    assert '<a href=\\"${page:raw}/events/" + r.thing' in events["target"]["query"]
    overrides = panel("vibro-machine", "Events")["fieldConfig"]["overrides"]
    links = [p["value"] for o in overrides for p in o["properties"] if p["id"] == "links"]
    assert links[0][0]["url"] == "${page:raw}/events/${__data.fields.thing}"


def test_a_heatmap_of_levels_hides_none_below_zero():
    bands = panel("vibro-bearings", "Band levels of ${channel}")
    assert bands["options"]["filterValues"]["le"] <= -400
    assert (bands["repeat"], bands["options"]["calculate"]) == ("channel", False)


def test_a_number_is_the_newest_one():
    for title, p in PANELS:
        if p["type"] == "stat":
            assert p["options"]["reduceOptions"]["calcs"] == ["lastNotNull"], title


def test_a_status_history_asks_for_no_more_cells_than_it_draws():
    assert panel("vibro-fleet", "Worst severity of each machine")["maxDataPoints"] <= 100


# -- queries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUERIES, ids=lambda q: q.where)
def test_no_name_of_ours_is_taken_for_one_of_grafanas(question):
    """Grafana's server replaces ``anything.bucket`` and the like, wherever it stands."""
    for before, name in re.findall(r"([a-zA-Z]+)\.([a-zA-Z]+)", question.query):
        assert name not in RESERVED or before == "v", f"{before}.{name}"


@pytest.mark.parametrize("question", QUERIES, ids=lambda q: q.where)
def test_every_field_that_is_asked_for_is_in_the_schema(question):
    for measurement in re.findall(r'_measurement == "(\w+)"', question.query):
        fields = set(re.findall(r'_field == "(\w+)"', question.query))
        known = {f for m in re.findall(r'_measurement == "(\w+)"', question.query)
                 for f in schema.FIELDS[m]}  # fmt: skip
        assert measurement in schema.FIELDS
        assert fields <= known, fields - known


def test_trends_read_the_bucket_that_fits_the_range_and_lists_the_full_one():
    trends = [q for q in QUERIES if "aggregateWindow" in q.query and "severity" in q.query]
    assert trends
    assert all(q.follows_range for q in trends)
    for question in QUERIES:
        assert ("createEmpty: false" in question.query) == ("aggregateWindow" in question.query)


def test_fields_of_features_are_the_tables():
    fast = {f.removesuffix("_max") for f in schema.FIELDS[schema.FAST]}
    assert fast <= set(FAST_NAMES)
    assert set(schema.FIELDS[schema.LONG]) <= set(LONG_NAMES)
    assert len(schema.ORDER_FIELDS) == len(ORDERS)


def test_alert_queries_name_no_variable_of_a_dashboard():
    assert all("${" not in q.query for q in of_group(GROUP))


def test_rules_say_what_silence_and_errors_mean():
    states = {r["title"]: (r["noDataState"], r["execErrState"]) for r in GROUP["rules"]}
    assert states.pop("InfluxDB feed stale") == ("Alerting", "Alerting")
    assert set(states.values()) == {("OK", "Error")}
    assert all(re.fullmatch(r"\d+[ms]", r["for"]) for r in GROUP["rules"])


def test_rules_lead_to_a_panel_that_is_there():
    for rule in GROUP["rules"]:
        told = rule["annotations"]
        ids = [p["id"] for p in BY_UID[told["__dashboardUid__"]]["panels"] if p["type"] != "row"]
        assert int(told["__panelId__"]) in ids
        assert told["link"].startswith(PAGE)
