"""`vibro cloud maintenance`: what was done to the machines, noted and listed."""

from __future__ import annotations

import time

import pytest

from cloud_jobs.store import Store
from tests.cloud_jobs.builders import S
from tests.cloud_jobs.serve.homes import REGISTER
from tests.vibro.cli.commands import refused, vibro
from vibro.assets import parse_register

MORNING = 1_769_846_400 * S  # 2026-01-31T08:00


@pytest.fixture
def home(tmp_path):
    store = Store(tmp_path)
    store.put_register(parse_register(REGISTER, "made"))
    store.close()
    return tmp_path


def add(home, *argv):
    return vibro("cloud", "maintenance", "add", *argv, "--home", home)


def listed(home, *argv):
    done = vibro("cloud", "maintenance", "list", *argv, "--home", home, "--json")
    assert (done.status, done.err) == (0, "")
    return done.json


def test_a_note_says_when_to_whom_and_what(home):
    done = add(home, "a/m1", "bearing DE replaced", "--at", "2026-01-31T08:00")
    assert (done.status, done.err) == (0, "")
    assert done.out == "2026-01-31 08:00:00  a/m1  bearing DE replaced\n"
    told = {"machine": "a/m1", "t_ns": MORNING, "note": "bearing DE replaced"}
    assert listed(home) == [told]
    assert vibro("cloud", "maintenance", "list", "--home", home).out == done.out


def test_a_second_note_of_the_same_time_mends_the_first(home):
    add(home, "a/m1", "bearing NDE replaced", "--at", "2026-01-31T08:00Z")
    mended = add(home, "a/m1", "bearing DE replaced", "--at", "2026-01-31T09:00+01:00", "--json")
    assert listed(home) == [mended.json]
    assert mended.json["note"] == "bearing DE replaced"


def test_without_a_time_it_was_done_now_and_the_newest_stands_first(home):
    add(home, "a/m1", "belt tightened", "--at", "2h")
    before = time.time_ns()
    add(home, "a/m2", "greased")
    newest, older = listed(home)
    assert before <= newest["t_ns"] <= time.time_ns()
    assert abs(before - older["t_ns"] - 7200 * S) < 600 * S
    assert [n["machine"] for n in listed(home, "a/m1")] == ["a/m1"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("a/m9", "greased"), ("'a/m9'", "SITE/MACHINE")),
        (("m1", "greased"), ("'m1'", "SITE/MACHINE")),
        (("a/m1", " "), ("what was done",)),
        (("a/m1", "greased", "--at", "yesterday"), ("--at", "'yesterday'", "24h")),
        (("a/m1", "greased", "--at", "9999-01-01"), ("--at", "2262")),
        (("a/m1", "greased", "--at", "99999w"), ("--at", "1677")),
    ],
)
def test_what_cannot_be_noted_is_refused_in_one_line(home, argv, words):
    refused(add(home, *argv), *words)
    assert listed(home) == []


def test_a_home_that_is_none_is_not_made(tmp_path):
    refused(vibro("cloud", "maintenance", "list", "--home", tmp_path / "no"), "holds no store.db")
    assert not (tmp_path / "no").exists()
