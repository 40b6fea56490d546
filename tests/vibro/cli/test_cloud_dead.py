"""`vibro cloud dead`: what could not be taken in is listed, and sent back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloud_jobs.consume import intake
from cloud_jobs.store import Store
from tests.cloud_jobs.builders import Sender, event
from tests.vibro.cli.commands import refused, vibro
from tests.vibro.cli.homes import signals_put_back
from vibro.wire import encode


def consumed(home) -> dict:
    with signals_put_back():
        return vibro("cloud", "consume", "--once", "--home", home, "--json").json


@pytest.fixture
def home(tmp_path):
    """Three letters of two sites, and an event that is none."""
    sender = Sender(tmp_path)
    sender.send(event(1.0))
    sender.send_raw("vibro.v1.a.events", b"rubbish \x1b[31m")
    sender.send_raw("vibro.v1.b.clips", encode(event(2.0)), "b/m1")
    sender.send_raw("vibro.v1.b.clips", b"\xc3\x01" + bytes(20), "b/m1")
    assert consumed(tmp_path)["dead"] == 3
    return tmp_path


def listed(home, *options) -> list[dict]:
    done = vibro("cloud", "dead", "list", "--home", home, "--json", *options)
    assert (done.status, done.err) == (0, "")
    return done.json


def test_letters_are_listed_with_all_that_is_known_the_newest_first(home):
    found = listed(home)
    assert [(f["id"], f["site"], f["error"]) for f in found] == [
        ("vibro.v1.b.clips/0/2", "b", "unknown_schema"),
        ("vibro.v1.b.clips/0/1", "b", "refused"),
        ("vibro.v1.a.events/0/2", "a", "no_record"),
    ]
    assert found[1]["reason"] == "a record of events does not belong on vibro.v1.b.clips"
    assert (found[1]["machine"], found[1]["topic"]) == ("b/m1", "vibro.v1.b.clips")
    assert (found[2]["tries"], found[2]["bytes"], len(found[2]["sha256"])) == (0, 13, 64)
    since_s = datetime.now(UTC).timestamp() - found[0]["time_ns"] * 1e-9
    assert 0.0 <= since_s < 300.0


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (("--site", "a"), ["vibro.v1.a.events/0/2"]),
        (("--site", "c"), []),
        (("--reason", "belong"), ["vibro.v1.b.clips/0/1"]),
        (("--reason", "unknown_schema"), ["vibro.v1.b.clips/0/2"]),
        (("--limit", "1"), ["vibro.v1.b.clips/0/2"]),
    ],
)
def test_letters_are_chosen_by_site_reason_and_number(home, options, ids):
    assert [f["id"] for f in listed(home, *options)] == ids


def test_people_read_one_line_a_letter(home):
    done = vibro("cloud", "dead", "list", "--home", home, "--limit", "2")
    first, second, more = done.out.splitlines()
    assert first.startswith("vibro.v1.b.clips/0/2  20")
    assert "  unknown_schema  schema fingerprint 0000000000000000 is not known" in first
    assert "  refused  a record of events" in second
    assert more == "and 1 older ones (--limit)"


def test_what_is_sent_back_is_not_listed_until_it_comes_to_nothing_again(home):
    done = vibro("cloud", "dead", "replay", "vibro.v1.a.events/0/2", "--home", home)
    assert (done.status, done.out) == (0, "sent back: vibro.v1.a.events/0/2\n")
    assert len(listed(home)) == 2
    assert consumed(home)["dead"] == 1
    (letter,) = listed(home, "--site", "a")
    assert (letter["id"], letter["tries"]) == ("vibro.v1.a.events/0/2", 1)
    told = vibro("cloud", "dead", "list", "--home", home, "--site", "a").out
    assert "  no_record  tried 1 times  value is not" in told


def test_all_that_match_are_sent_back_in_their_order(home, monkeypatch):
    sent = vibro("cloud", "dead", "replay", "--all", "--site", "b", "--home", home, "--json").json
    assert sent == ["vibro.v1.b.clips/0/1", "vibro.v1.b.clips/0/2"]
    assert [f["site"] for f in listed(home)] == ["a"]


def test_what_an_update_can_read_is_taken_in(home, monkeypatch):
    (letter,) = listed(home, "--site", "a")
    good = encode(event(7.0))
    with monkeypatch.context() as update:
        admit = intake.admit

        def newer(topic, kind, value):
            return admit(topic, kind, good if value.startswith(b"rubbish") else value)

        update.setattr(intake, "admit", newer)
        vibro("cloud", "dead", "replay", letter["id"], "--home", home)
        assert consumed(home)["events"] == 1
    assert listed(home, "--site", "a") == []
    store = Store(home)
    assert len(store.events()) == 2
    assert store.received() == ({"events": 2}, 0)
    store.close()


def test_what_does_not_wait_is_refused(home):
    refused(vibro("cloud", "dead", "replay", "x/0/1", "--home", home), "'x/0/1' is not waiting")
    refused(vibro("cloud", "dead", "replay", "--home", home), "--all")
    refused(vibro("cloud", "dead", "replay", "x", "--all", "--home", home), "--all")


def test_a_home_without_letters_lists_none(tmp_path):
    assert listed(tmp_path) == []
    assert vibro("cloud", "dead", "replay", "--all", "--home", tmp_path, "--json").json == []
