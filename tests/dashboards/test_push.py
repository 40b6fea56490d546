"""Pushing: the difference first, and only what differs."""

from __future__ import annotations

from dashboards.board import FOLDER_UID
from dashboards.catalogue import rule_group
from tests.vibro.cli.commands import refused
from vibro.cli.dashboards.options import PAGE

UIDS = ["vibro-fleet", "vibro-machine", "vibro-bearings", "vibro-nodes", "vibro-models"]
TITLES = ["Fleet", "Machine", "Bearings and gears", "Edge nodes", "Models"]


# -- what is pushed --------------------------------------------------------------------------------


def test_a_dry_run_shows_everything_and_changes_nothing(rig):
    done = rig.push("--dry-run")
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[0] == "new     folder Vibro"
    assert lines[1:6] == [f"new     dashboard {t}" for t in TITLES]
    assert lines[6:] == ["new     rules Vibro", "nothing was changed (--dry-run)"]
    assert "no datasource 'vibro-influxdb'" in done.err
    assert rig.face.search.search_dashboards(tag="vibro") == []


def test_a_first_push_brings_everything_into_the_folder(rig):
    rig.with_datasource()
    done = rig.push()
    assert (done.status, done.err) == (0, "")
    assert [line for line in done.out.splitlines() if line.startswith("pushed")] == [
        "pushed  folder Vibro",
        *(f"pushed  dashboard {t}, version 1" for t in TITLES),
        "pushed  rules Vibro",
    ]
    for uid, title in zip(UIDS, TITLES, strict=True):
        held = rig.saved(uid)
        assert (held["dashboard"]["title"], held["meta"]["folderUid"]) == (title, FOLDER_UID)
    assert [r["uid"] for r in rig.group()["rules"]] == [r["uid"] for r in rule_group(PAGE)["rules"]]


def test_a_repeat_pushes_nothing(filled):
    versions = [filled.saved(uid)["dashboard"]["version"] for uid in UIDS]
    done = filled.push()
    assert done.status == 0
    assert done.out.splitlines()[-1] == "nothing to push"
    assert all(line.startswith("same") for line in done.out.splitlines()[:-1])
    assert [filled.saved(uid)["dashboard"]["version"] for uid in UIDS] == versions


def test_a_repeat_asks_only_for_reading(filled):
    contract = filled.only_here
    contract.writes.clear()
    assert filled.push().status == 0
    assert contract.writes == []


def test_only_what_differs_is_pushed_and_how_it_differs_is_said(filled):
    panels = filled.saved("vibro-machine")["dashboard"]["panels"]
    velocity = next(p for p in panels if p["title"] == "Velocity")
    velocity |= {"description": "mine", "gridPos": {**velocity["gridPos"], "h": 3}}
    mine = {"type": "text", "title": "My notes", "id": 99, "gridPos": velocity["gridPos"]}
    kept = [p for p in panels if p["title"] != "Speed"]
    filled.edit("vibro-machine", panels=[*kept, mine])
    done = filled.push()
    assert done.status == 0
    lines = done.out.splitlines()
    at = lines.index("changed dashboard Machine")
    assert [line.strip() for line in lines[at + 1 : at + 5]] == [
        "~ panels[Velocity].description",
        "~ panels[Velocity].gridPos.h: 3 -> 10",
        "+ panels[Speed]",
        "- panels[My notes]",
    ]
    assert [line for line in lines if line.startswith("pushed")] == [
        "pushed  dashboard Machine, version 3"
    ]
    assert filled.push().out.splitlines()[-1] == "nothing to push"


def test_a_dashboard_that_was_moved_comes_back(filled):
    filled.face.folder.create_folder("Plant 7", uid="plant-7")
    held = filled.saved("vibro-fleet")
    filled.face.dashboard.update_dashboard({"dashboard": held["dashboard"], "folderUid": "plant-7"})
    done = filled.push()
    assert "~ folder: plant-7 -> vibro" in done.out
    assert filled.saved("vibro-fleet")["meta"]["folderUid"] == FOLDER_UID


def test_rules_that_were_changed_by_hand_are_put_back(filled):
    group = filled.group()
    group["rules"][0]["for"] = "1h"
    group["rules"].pop()
    filled.put_group(group)
    done = filled.push()
    assert "changed rules Vibro" in done.out
    assert "~ rules[Machine at alarm or worse].for: 1h -> 2m" in done.out
    assert "+ rules[InfluxDB feed stale]" in done.out
    assert filled.group()["rules"][0]["for"] == "2m"
    assert filled.push().out.splitlines()[-1] == "nothing to push"


def test_rules_can_be_left_alone(rig):
    done = rig.push("--no-alerts", "--json")
    assert done.status == 0
    assert {s["kind"] for s in done.json["steps"]} == {"folder", "dashboard"}


def test_another_folder_has_a_uid_of_its_own(rig):
    assert rig.push("--folder", "Plant 7").status == 0
    assert rig.saved("vibro-fleet")["meta"]["folderUid"] == "plant-7"
    refused(rig.push("--folder", "!?"), "--folder", "letter")


def test_json_tells_steps_and_what_was_pushed(rig):
    done = rig.push("--json")
    assert [s["change"] for s in done.json["steps"]] == ["new"] * 7
    assert [p["version"] for p in done.json["pushed"]] == [None, *[1] * 5, None]
    again = rig.push("--json").json
    assert ({s["change"] for s in again["steps"]}, again["pushed"]) == ({"same"}, [])
