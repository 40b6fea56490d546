"""Every refusal of a Grafana is one line with its remedy, and no line holds a secret."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dashboards.board import FOLDER_UID
from dashboards.catalogue import boards, rule_group
from dashboards.grafana import Grafana
from dashboards.push import Place, plan, push
from tests.dashboards.contract import VIEWER, Contract
from tests.dashboards.rigs import failed, of_contract
from tests.services.certificates import Authority
from tests.vibro.cli.commands import refused, vibro
from vibro.cli.dashboards.options import PAGE, server_of
from vibro.errors import VibroError

UIDS = [b["uid"] for b in boards(PAGE)]


def test_a_dashboard_saved_by_somebody_meanwhile_is_not_overwritten(filled):
    made, group = boards("http://127.0.0.1:9999"), rule_group(PAGE)
    grafana = Grafana(filled.url, filled.token)
    steps = plan(grafana, made, group, Place())
    version = filled.edit("vibro-fleet", description="somebody else's")
    with pytest.raises(VibroError, match=r"(?s)Fleet.*push again.*412"):
        list(push(grafana, steps))
    held = filled.saved("vibro-fleet")["dashboard"]
    assert (held["version"], held["description"]) == (version, "somebody else's")


def test_the_conflict_is_one_line_for_who_pushes(filled):
    contract = filled.only_here

    def meanwhile() -> None:
        contract.before_save = lambda: None
        filled.edit("vibro-fleet", description="somebody else's")

    contract.before_save = meanwhile
    done = filled.push("--page", "http://127.0.0.1:9999")
    failed(done, "'Fleet'", "somebody else", "push again", "412")


def test_a_provisioned_dashboard_that_is_as_it_should_be_is_left_alone(rig):
    contract = rig.only_here
    contract.folders[FOLDER_UID] = {"uid": FOLDER_UID, "title": "Vibro"}
    contract.provisioned |= set(UIDS)
    for board in boards(PAGE):
        contract.put_board(board, FOLDER_UID)
    contract.put_group(rule_group(PAGE))
    done = rig.push("--json")
    assert (done.status, done.json["pushed"]) == (0, [])
    assert [s["provisioned"] for s in done.json["steps"][1:6]] == [True] * 5


def test_a_provisioned_dashboard_cannot_be_pushed_and_the_remedy_is_said(filled):
    contract = filled.only_here
    contract.provisioned.add("vibro-fleet")
    done = filled.push("--page", "http://127.0.0.1:9999")
    failed(done, "'Fleet'", "provisioned", "vibro dashboards build", "400")


def test_rules_from_a_file_cannot_be_pushed_and_the_remedy_is_said(filled):
    contract = filled.only_here
    group = filled.group()
    group["rules"][0]["for"] = "1h"
    contract.put_group(group, "file")
    contract.file_rules = True
    failed(filled.push(), "rule group 'Vibro'", "provisioned", "vibro dashboards build", "409")


def test_another_dashboard_of_the_same_name_is_named(rig):
    contract = rig.only_here
    contract.folders[FOLDER_UID] = {"uid": FOLDER_UID, "title": "Vibro"}
    contract.put_board({"uid": "other", "title": "Fleet"}, FOLDER_UID)
    rig.with_datasource()
    failed(rig.push(), "'Fleet'", "rename or delete", "412")


def test_a_bad_token_is_one_line_that_does_not_hold_it(rig):
    rig.file.write_text("glsa_nobody-knows-this\n")
    done = rig.push()
    failed(done, "the token is refused", "service account", "--token-file", "401")
    assert "nobody-knows" not in done.err + done.out


def test_a_token_that_may_only_look_is_told_what_it_lacks(rig):
    contract = rig.only_here
    rig.with_datasource()
    contract.writes.clear()
    rig.file.write_text(f"{VIEWER}\n")
    failed(rig.push(), "folder 'Vibro'", "Editor", "403")
    assert contract.writes == []


def test_the_token_stands_in_no_output(filled):
    filled.edit("vibro-fleet", description="other")
    for options in ([], ["--json"], ["--dry-run"], ["--folder", "Plant 7"]):
        done = filled.push(*options)
        assert filled.token not in done.out + done.err


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), ("", "no token"), ("\n\n", "no token"), ("a\x00b", "no token")],
)
def test_a_file_without_a_token_is_refused(tmp_path, content, words):
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    done = vibro("dashboards", "push", "--url", "http://127.0.0.1:9", "--token-file", file)
    refused(done, "--token-file", str(file), words)


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:3000", "ftp://127.0.0.1", "http://", "http://a:b:c", "http://127.0.0.1:0", ""],
)
def test_what_is_no_address_is_refused(tmp_path, url):
    (tmp_path / "token").write_text("t\n")
    done = vibro("dashboards", "push", "--url", url, "--token-file", tmp_path / "token")
    refused(done, "--url")


def test_an_address_with_a_password_is_refused_and_not_repeated(tmp_path):
    (tmp_path / "token").write_text("t\n")
    url = "http://admin:hunter2@127.0.0.1:3000"
    done = vibro("dashboards", "push", "--url", url, "--token-file", tmp_path / "token")
    refused(done, "--token-file")
    assert "hunter2" not in done.err


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://grafana.example.com", True),
        ("http://10.0.0.7:3000", True),
        ("https://grafana.example.com", False),
        ("http://localhost:3000", False),
        ("http://127.9.9.9", False),
        ("http://[::1]:3000", False),
    ],
)
def test_a_token_that_would_travel_unencrypted_is_warned_of(capsys, url, warned):
    assert server_of(url) == url
    assert ("not encrypted" in capsys.readouterr().err) == warned


def test_a_certificate_is_trusted_only_when_somebody_known_signed_it(tmp_path):
    authority = Authority(tmp_path)
    with Contract(authority.credentials("grafana")) as contract:
        rig = of_contract(contract, tmp_path)
        done = rig.push("--dry-run")
        failed(done, "its certificate is not trusted", "--ca-file")
        done = rig.push("--dry-run", "--ca-file", str(authority.certificate))
        assert (done.status, "new     dashboard Fleet" in done.out) == (0, True)
    refused(rig.push("--ca-file", str(tmp_path / "none.pem")), "--ca-file", "no such file")


def test_a_library_that_is_not_installed_names_the_extra(tmp_path):
    code = (
        "import sys\nsys.modules['grafana_foundation_sdk'] = None\n"
        f"from vibro.cli.main import main\nmain(['dashboards', 'build', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "pip install 'vibro[dashboards]'" in done.stderr


def test_nobody_there_is_one_line(tmp_path):
    (tmp_path / "token").write_text("t\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens here, and nobody else can
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = vibro("dashboards", "push", "--url", url, "--token-file", tmp_path / "token")
    failed(done, url, "does not answer", "--url")


def test_what_is_no_grafana_is_one_line(tmp_path):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *_):
            pass

    (tmp_path / "token").write_text("t\n")
    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    done = vibro("dashboards", "push", "--url", url, "--token-file", tmp_path / "token")
    server.shutdown()
    server.server_close()
    failed(done, "does not answer as Grafana's API does", "--url")


@pytest.mark.parametrize("page", ["http://x/${y}", 'http://x"y', "javascript:alert(1)", "x"])
def test_a_page_that_would_be_no_link_is_refused(rig, page):
    refused(rig.push("--page", page), "--page")
