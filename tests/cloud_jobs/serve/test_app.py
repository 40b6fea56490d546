"""The page over a small home: what stands on it, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cloud_jobs.lake import Lake
from cloud_jobs.serve.app import application
from cloud_jobs.serve.facts import patience_s
from cloud_jobs.store import Store
from cloud_jobs.store.tables import NodeRow
from tests.cloud_jobs.serve import homes


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    homes.make(folder)
    return folder


@pytest.fixture(scope="module")
def event(home: Path) -> str:
    return next(e.thing for e in homes_events(home) if e.machine == "m1")


def homes_events(home: Path):
    store = Store(home)
    try:
        return store.events()
    finally:
        store.close()


@pytest.fixture
def page(home: Path):
    store = Store(home)
    app = application(store, Lake(home), now_ns=lambda: homes.NOW_NS)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client
    store.close()


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_fleet_shows_every_machine_its_case_and_the_line_that_speaks_for_it(page):
    said = text_of(page.get("/").text)
    assert "a/m1 motor bearing, outer race" in said
    assert re.search(r"BPFO expected 89\.\d\d Hz, found (88|89|90)\.\d\d Hz", said)
    assert "a/m2" in said
    assert "6 k samples" not in said
    assert "2 k samples seen = 2 k processed + 0 lost" in said


def test_the_zone_shown_is_that_of_the_worst_channels_newest_velocity(page):
    html = page.get("/").text
    row = html[html.index('href="/machines/a/m2"') :]
    assert "3.2" in row
    assert 'aria-label="zone C"' in row  # 2.8 < 3.2 < 4.5: group 2, rigid


def test_a_node_that_fell_silent_is_said_to_be(home):
    store = Store(home)
    late = application(store, Lake(home), now_ns=lambda: homes.NOW_NS + 3600 * homes.S)
    said = text_of(TestClient(late, base_url="http://127.0.0.1").get("/").text)
    assert "2 silent" in said
    assert "silent since 00:03:00" in said


def test_a_node_is_waited_for_as_long_as_it_says():
    assert patience_s(NodeRow(detail={})) == 300.0
    assert patience_s(NodeRow(detail={"every_s": 600.0})) == 1500.0
    assert patience_s(NodeRow(detail={"every_s": "often"})) == 300.0


def test_a_status_is_a_sign_of_life(home):
    """The last heartbeat and the last status of both machines are of 180 s."""
    store = Store(home)
    with store.transaction() as session:
        for row in session.query(NodeRow):
            row.t0_ns -= 100 * homes.S
    late = application(store, Lake(home), now_ns=lambda: 440 * homes.S)
    said = text_of(TestClient(late, base_url="http://127.0.0.1").get("/").text)
    with store.transaction() as session:
        for row in session.query(NodeRow):
            row.t0_ns += 100 * homes.S
    store.close()
    assert "silent" not in said


def test_a_machine_shows_its_newest_spectrum_over_the_first(page):
    html = page.get("/machines/a/m1").text
    said = text_of(html)
    assert "Spectra" in said
    assert "Spectrum of de-h, run" in said
    assert "newest, 61 averages" in said
    assert "Spectra" not in text_of(page.get("/machines/a/m2").text)


def test_a_daily_waveform_has_a_picture_and_asks_for_no_verdict(page, home):
    store = Store(home)
    (thing,) = [c.thing for c in store.clips("a/m1") if c.reason == "daily"]
    store.close()
    assert page.get(f"/clips/{thing}").status_code == 200
    assert "not yet assessed" not in text_of(page.get("/machines/a/m1").text)


def test_a_question_is_answered_as_the_verb_answers_it(page):
    rows = page.get("/api/query", params={"q": "fault=bearing_outer"}).json()
    assert [r["machine"] for r in rows] == ["a/m1"]
    html = page.get("/", params={"q": "fault=bearing_outer"}).text
    assert 'class="answer"' in html
    assert "No machine shows that" in page.get("/", params={"q": "fault=gear_mesh"}).text


def test_a_question_that_cannot_be_read_says_where(page):
    assert "is not a field" in page.get("/", params={"q": "colour=red"}).text
    refused = page.get("/api/query", params={"q": "colour=red"})
    assert refused.status_code == 400
    assert "is not a field" in refused.json()["error"]


def test_a_machine_page_has_trends_events_and_clips(page):
    html = page.get("/machines/a/m1").text
    said = text_of(html)
    assert "ISO 10816-3 A/B 1.4" in said
    assert "commissioning" in said
    assert html.count('<svg class="plot"') >= 4
    assert "forest_fast" in said


def test_maintenance_is_listed_and_marked_on_every_trend(page, home):
    assert "Maintenance" not in text_of(page.get("/machines/a/m1").text)
    store = Store(home)
    store.put_maintenance("a/m1", homes.NOW_NS - 100 * 10**9, "bearing <DE> replaced")
    store.close()
    html = page.get("/machines/a/m1").text
    assert "Maintenance" in text_of(html)
    trends = html.count('data-name="when"')
    assert trends >= 4
    assert html.count("<title>bearing &lt;DE&gt; replaced</title>") == trends
    assert "Maintenance" not in text_of(page.get("/machines/a/m2").text)


def test_an_event_page_shows_the_damaged_channel_with_its_lines(page, event):
    html = page.get(f"/events/{event}").text
    assert '<a class="on" href="?channel=de-h">' in html
    assert html.count('<svg class="plot"') == 4
    assert "BPFO found at" in html
    assert "commissioning" in html
    other = page.get(f"/events/{event}", params={"channel": "de-v"}).text
    assert '<a class="on" href="?channel=de-v">' in other


def test_zooming_is_an_address(page, event):
    html = page.get(f"/events/{event}", params={"envelope": "50,120"}).text
    zoomed = next(t for t in re.findall(r"<svg class=\"plot\"[^>]*>", html) if '"envelope"' in t)
    assert 'data-x0="50"' in zoomed
    assert 'data-x1="120"' in zoomed
    for nonsense in ("120,50", "a,b", "1", "nan,inf"):
        assert page.get(f"/events/{event}", params={"envelope": nonsense}).status_code == 200


def test_an_event_without_a_clip_says_so(page, home):
    short = next(e.thing for e in homes_events(home) if e.machine == "m2")
    assert "No clip of this event has arrived" in page.get(f"/events/{short}").text


@pytest.mark.parametrize(
    "path",
    ["/machines/a/none", "/events/event:a/m1/x:1:2", "/clips/nothing", "/nowhere"],
)
def test_what_is_not_there_is_a_page_that_says_so(page, path):
    answer = page.get(path)
    assert answer.status_code == 404
    assert "To the fleet" in answer.text


def test_a_channel_that_is_not_there_is_refused(page, event):
    assert page.get(f"/events/{event}", params={"channel": "zz"}).status_code == 404


def test_names_from_outside_are_escaped(page):
    assert "<script>alert" not in page.get("/clips/<script>alert(1)</script>").text
    assert "<script>alert" not in page.get("/", params={"q": "<script>alert(1)</script>"}).text


def test_a_foreign_host_name_is_refused(home):
    store = Store(home)
    app = application(store, Lake(home), now_ns=lambda: 0)
    assert TestClient(app, base_url="http://evil.example").get("/").status_code == 400
    store.close()


def test_nothing_is_loaded_from_elsewhere(page, event):
    for path in ("/", "/machines/a/m1", f"/events/{event}"):
        answer = page.get(path)
        links = re.findall(r'(?:src|href|action)="([^"]+)"', answer.text)
        assert all(u.startswith(("/", "?")) for u in links)
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        for local in {u for u in links if u.startswith("/static/")}:
            assert page.get(local).status_code == 200


def test_every_link_of_every_page_leads_somewhere(page):
    seen, todo = set(), ["/"]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = page.get(path)
        assert answer.status_code == 200, path
        todo += [u for u in re.findall(r'href="(/(?!static)[^"]*)"', answer.text) if u not in seen]
    assert len(seen) > 5


def test_an_empty_home_is_a_page_too(tmp_path):
    store = Store(tmp_path)
    app = application(store, Lake(tmp_path), now_ns=lambda: 0)
    said = text_of(TestClient(app, base_url="http://127.0.0.1").get("/").text)
    assert "The asset register is empty" in said
    store.close()


def served(home: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "vibro", "serve", "--home", str(home), *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_verb_serves_until_it_is_told_to_stop(home, number):
    process = served(home, "--port", "0", "--json")
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    with urllib.request.urlopen(url + "healthz", timeout=10) as answer:  # noqa: S310
        assert answer.read() == b"ok\n"
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


def test_a_port_in_use_is_one_clear_line(home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = served(home, "--port", str(taken.getsockname()[1]))
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert out == ""
    assert re.fullmatch(r"vibro: cannot listen on 127\.0\.0\.1:\d+ .*another --port.*\n", err)


def test_a_home_without_a_store_is_refused(tmp_path):
    _, err = served(tmp_path).communicate(timeout=30)
    assert "holds no store.db" in err
