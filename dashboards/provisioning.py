"""The same dashboards and rules as files that Grafana reads when it starts."""

from __future__ import annotations

import json
from pathlib import Path

from dashboards.board import DATASOURCE, DATASOURCE_UID, FOLDER, FOLDER_UID
from dashboards.catalogue import Json, boards, rule_group
from dashboards.schema import BUCKET

INSIDE = "/etc/grafana/dashboards"
"""Where Grafana finds the folder ``dashboards`` (in a container: where it is mounted)."""
TOKEN_FILE = "/run/secrets/influx_grafana_token"  # noqa: S105 (the file's name)

DATASOURCES = f"""\
# The datasource of Vibro's dashboards and alert rules; its uid is named by them.
# VIBRO_INFLUX_URL and VIBRO_INFLUX_ORG are environment variables of Grafana. The token (read access
# to the buckets {BUCKET}, {BUCKET}_1h and {BUCKET}_1d is enough) is the first line of a file.
apiVersion: 1
datasources:
  - name: {DATASOURCE}
    uid: {DATASOURCE_UID}
    type: influxdb
    access: proxy
    url: $VIBRO_INFLUX_URL
    isDefault: true
    editable: false
    jsonData:
      version: Flux
      organization: $VIBRO_INFLUX_ORG
      defaultBucket: {BUCKET}
      httpMode: POST
      maxSeries: 5000
    secureJsonData:
      token: $__file{{{TOKEN_FILE}}}
"""

PROVIDER = f"""\
# Dashboards from files. What is provisioned cannot be saved in Grafana: change the code instead,
# `vibro dashboards build` writes the files anew, and Grafana reads them again within half a minute.
apiVersion: 1
providers:
  - name: vibro
    orgId: 1
    folder: {FOLDER}
    folderUid: {FOLDER_UID}
    type: file
    disableDeletion: false
    allowUiUpdates: false
    updateIntervalSeconds: 30
    options:
      path: {INSIDE}
"""


def files(page: str) -> dict[str, str]:
    """Return every file by its path; the same page always yields the same bytes."""
    found = {f"dashboards/{board['uid']}.json": text(board) for board in boards(page)}
    return found | {
        "provisioning/datasources/vibro.yaml": DATASOURCES,
        "provisioning/dashboards/vibro.yaml": PROVIDER,
        "provisioning/alerting/vibro.json": text(alerting(rule_group(page))),
    }


def text(value: Json) -> str:
    """Return JSON as a file holds it."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def alerting(group: Json) -> Json:
    """Turn a rule group of the API into one of a provisioning file."""
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": group["title"],
                "folder": FOLDER,
                "interval": f"{group['interval']}s",
                "rules": [_rule(rule) for rule in group["rules"]],
            }
        ],
    }


def _rule(rule: Json) -> Json:
    """Return a rule of a file: its dashboard and panel are members of their own."""
    left_out = ("folderUID", "ruleGroup", "orgID", "annotations")
    told = dict(rule["annotations"])
    return {k: v for k, v in rule.items() if k not in left_out} | {
        "dashboardUid": told.pop("__dashboardUid__"),
        "panelId": int(told.pop("__panelId__")),
        "annotations": told,
    }


def write(folder: Path, page: str) -> list[Path]:
    """Write all files below a folder; return their paths."""
    written = []
    for name, content in files(page).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        written.append(file)
    return written
