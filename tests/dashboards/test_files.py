"""The files that Grafana reads when it starts, and the verb that writes them."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from dashboards.board import DATASOURCE_UID, FOLDER, FOLDER_UID
from dashboards.provisioning import files
from tests.conftest import ROOT
from tests.vibro.cli.commands import refused, vibro
from vibro.cli.dashboards.options import PAGE


def test_files_are_the_same_each_time():
    assert files(PAGE) == files(PAGE)
    assert files(PAGE) != files("https://page.example")


def test_the_files_of_the_project_are_what_the_code_writes():
    """Else: vibro dashboards build deploy/grafana."""
    folder = ROOT / "deploy" / "grafana"
    held = {str(f.relative_to(folder)): f.read_text() for f in folder.rglob("*") if f.is_file()}
    assert held == files(PAGE)


def test_datasource_and_provider_are_what_dashboards_and_rules_name():
    found = files(PAGE)
    source = yaml.safe_load(found["provisioning/datasources/vibro.yaml"])["datasources"]
    assert [(s["uid"], s["type"], s["isDefault"]) for s in source] == [
        (DATASOURCE_UID, "influxdb", True)
    ]
    assert source[0]["jsonData"]["version"] == "Flux"
    assert source[0]["secureJsonData"]["token"].startswith("$__file{/run/secrets/")
    provider = yaml.safe_load(found["provisioning/dashboards/vibro.yaml"])["providers"]
    assert [(p["folder"], p["folderUid"]) for p in provider] == [(FOLDER, FOLDER_UID)]


def test_the_file_of_rules_is_in_the_format_of_files():
    held = json.loads(files(PAGE)["provisioning/alerting/vibro.json"])
    (group,) = held["groups"]
    assert (held["apiVersion"], group["folder"], group["interval"]) == (1, FOLDER, "60s")
    for rule in group["rules"]:
        assert set(rule) == {
            "uid", "title", "condition", "data", "dashboardUid", "panelId", "noDataState",
            "execErrState", "for", "annotations", "labels", "isPaused",
        }  # fmt: skip
        assert "$" not in json.dumps(rule)


def test_build_writes_them_and_tells_which(tmp_path):
    done = vibro("dashboards", "build", tmp_path / "g", "--page", "https://page.example/", "--json")
    assert done.status == 0
    assert sorted(done.json["files"]) == sorted(files("https://page.example"))
    for name, content in files("https://page.example").items():
        assert (tmp_path / "g" / name).read_text() == content
    assert "vibro-fleet.json" in vibro("dashboards", "build", tmp_path / "g").out


def test_build_refuses_what_is_no_folder_or_page(tmp_path):
    (tmp_path / "file").write_text("")
    refused(vibro("dashboards", "build", tmp_path / "file"), "file")
    refused(vibro("dashboards", "build", tmp_path, "--page", "page"), "--page")
    done = vibro("dashboards", "build", Path("/proc/nowhere"))
    assert (done.status, len(done.err.splitlines())) == (1, 1)
