"""A Grafana to push into: the contract server, or a real one where `GRAFANA_URL` names it.

A real one must be there for tests: dashboards and rules with our uids are deleted in it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from grafana_api.grafana_api import GrafanaClientError
from grafana_api.grafana_face import GrafanaFace

from dashboards.board import DATASOURCE_UID, FOLDER_UID
from tests.dashboards.contract import EDITOR, Contract
from tests.vibro.cli.commands import Done, vibro

KINDS = ["contract", *(["real"] if os.environ.get("GRAFANA_URL") else [])]


@dataclass
class Rig:
    """A Grafana, its token, and a way to do things in it by hand."""

    url: str
    token: str
    file: Path
    contract: Contract | None = None

    @property
    def face(self) -> GrafanaFace:
        parts = urlsplit(self.url)
        prefix = parts.path.strip("/")
        return GrafanaFace(
            auth=self.token,
            host=parts.hostname,
            port=parts.port,
            protocol=parts.scheme,
            url_path_prefix=f"{prefix}/" if prefix else "",
        )

    @property
    def only_here(self) -> Contract:
        """The contract server; where a real Grafana is asked the test is skipped."""
        if self.contract is None:
            pytest.skip("a real Grafana cannot be brought into this state from outside")
        return self.contract

    def push(self, *options: str) -> Done:
        return vibro("dashboards", "push", "--url", self.url, "--token-file", self.file, *options)

    def saved(self, uid: str) -> dict:
        return self.face.dashboard.get_dashboard(uid)

    def edit(self, uid: str, **members: object) -> int:
        """Save a dashboard by hand, as somebody does in the browser."""
        held = self.saved(uid)
        body = {
            "dashboard": {**held["dashboard"], **members},
            "folderUid": held["meta"]["folderUid"],
        }
        return self.face.dashboard.update_dashboard(body)["version"]

    def group(self, title: str = "Vibro") -> dict:
        return self.face.api.GET(f"/v1/provisioning/folder/{FOLDER_UID}/rule-groups/{title}")

    def put_group(self, group: dict) -> None:
        path = f"/v1/provisioning/folder/{FOLDER_UID}/rule-groups/{group['title']}"
        self.face.api.PUT(path, json=group, headers={"X-Disable-Provenance": "true"})

    def with_datasource(self) -> None:
        body = {
            "name": "Vibro InfluxDB",
            "uid": DATASOURCE_UID,
            "type": "influxdb",
            "access": "proxy",
            "url": "http://127.0.0.1:8086",
            "jsonData": {"version": "Flux"},
        }
        self.face.datasource.create_datasource(body)

    def clear(self) -> None:
        """Take away what an earlier test left in a real Grafana."""
        for path in (
            f"/folders/{FOLDER_UID}?forceDeleteRules=true",
            "/folders/plant-7?forceDeleteRules=true",
            f"/datasources/uid/{DATASOURCE_UID}",
        ):
            with contextlib.suppress(GrafanaClientError):  # it is not there
                self.face.api.DELETE(path)


def real(folder: Path) -> Rig:
    """Return the Grafana that the environment names."""
    token = os.environ["GRAFANA_TOKEN"]
    rig = Rig(os.environ["GRAFANA_URL"], token, _token_file(folder, token))
    rig.clear()
    return rig


def of_contract(contract: Contract, folder: Path, token: str = EDITOR) -> Rig:
    """Return the contract server as a rig."""
    return Rig(contract.url, token, _token_file(folder, token), contract)


def _token_file(folder: Path, token: str) -> Path:
    file = folder / "grafana.token"
    file.write_text(f"{token}\n")
    return file


def failed(done: Done, *words: str) -> None:
    """One clear line on stderr, status 1."""
    assert (done.status, len(done.err.splitlines())) == (1, 1), done
    assert done.err.startswith("vibro: ")
    for word in words:
        assert word in done.err, done.err
