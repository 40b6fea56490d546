"""All jobs over one home, from what arrives to the case, and over restarts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from cloud_jobs.consume import PATTERNS
from cloud_jobs.run import CloudJobs
from cloud_jobs.services import Services
from cloud_jobs.store import Store
from tests.cloud_jobs.builders import S, Sender, clip, event, heartbeat
from tests.cloud_jobs.serve.homes import REGISTER, damaged
from tests.vibro.bundle.bundles import bundle
from vibro.errors import BadInputError
from vibro.log import EmbeddedFeed, EmbeddedLog

MODELS = "vibro.v1.harbour.models"


@pytest.fixture
def started(tmp_path):
    """Starts the jobs over the home, as often as asked; the last one is closed at the end."""
    running: list[CloudJobs] = []

    def start(**options) -> CloudJobs:
        if running:
            running.pop().close()
        running.append(CloudJobs(tmp_path, **options))
        return running[-1]

    yield start
    if running:
        running.pop().close()


def register(home, text: str = REGISTER) -> None:
    (home / "assets.csv").write_text(text, encoding="utf-8")


def all_steps(jobs: CloudJobs) -> None:
    while jobs.step().messages:
        pass


def test_what_arrives_becomes_a_case_and_stays_one_over_restarts(tmp_path, started):
    register(tmp_path)
    sender, grown = Sender(tmp_path), event(100.0, 50.0)
    sender.send(
        replace(clip(10.0, reason="commissioning"), samples=clip(10.0).samples // 10),
        grown,
        damaged(120.0, grown.id.thing),
        event(20.0, 1.0, cleared=True, machine="m2"),
        heartbeat(160.0),
    )
    jobs = started()
    counts = jobs.step()
    assert (counts.events, counts.clips, counts.machines) == (2, 2, {"a/m1", "a/m2"})
    (case,) = jobs.store.cases()
    assert (case.path, case.fault, case.state) == ("a/m1", "bearing_outer", "open")
    assert (case.t_onset_ns, case.t_opened_ns, case.t_last_ns) == (100 * S, 123 * S, 160 * S)
    assert jobs.store.case_events() == {case.id: [grown.id.thing]}
    for _ in range(2):
        jobs = started()
        assert jobs.step().messages == 0
        assert [c.id for c in jobs.store.cases()] == [case.id]
        assert len(jobs.store.assessments()) == 2


def test_a_standing_event_becomes_a_case_by_heartbeats_alone(tmp_path, started):
    sender, jobs = Sender(tmp_path), started()
    sender.send(event(100.0, 3.0), heartbeat(110.0))
    all_steps(jobs)
    assert jobs.store.cases() == []
    sender.send(heartbeat(139.0), heartbeat(150.0, machine="m2"))
    all_steps(jobs)
    assert jobs.store.cases() == []
    sender.send(heartbeat(140.0))
    all_steps(jobs)
    assert [c.t_opened_ns for c in jobs.store.cases()] == [140 * S]


def test_a_step_without_news_asks_nothing_of_the_rules(tmp_path, started, monkeypatch):
    sender, jobs = Sender(tmp_path), started()
    sender.send(event(100.0, 60.0, cleared=True), heartbeat(300.0))
    all_steps(jobs)
    before = jobs.store.cases()[0].id
    monkeypatch.setattr("cloud_jobs.correlate.common_causes", lambda *_: 1 / 0)
    sender.send(heartbeat(400.0))
    assert jobs.step().alive == {"a/m1"}
    assert jobs.store.cases()[0].id == before


def test_clips_wait_for_the_register(tmp_path, started):
    sender, jobs = Sender(tmp_path), started()
    sender.send(damaged(120.0, ""))
    all_steps(jobs)
    assert len(jobs.store.clips(undiagnosed=True)) == 1
    assert jobs.store.cases() == []
    register(tmp_path)
    jobs.read_register()
    jobs.step()
    assert [c.fault for c in jobs.store.cases()] == ["bearing_outer"]


def test_the_register_is_read_at_every_start_and_a_bad_one_is_named(tmp_path, started):
    assert started().store.machines() == {}
    register(tmp_path)
    assert list(started().store.machines()) == ["a/m1", "a/m2"]
    (tmp_path / "assets.csv").unlink()
    assert list(started().store.machines()) == ["a/m1", "a/m2"]
    register(tmp_path, REGISTER.replace(",main,1,", ",main,fast,"))
    with pytest.raises(BadInputError, match=r"assets\.csv"):
        CloudJobs(tmp_path)


def published(jobs: CloudJobs) -> dict[str, str]:
    found = jobs.log.read(MODELS, 0, 100)
    return {m.key: json.loads(m.value)["version"] for m in found}


def test_every_start_announces_again_what_is_published(tmp_path, started):
    """A notice that was lost with the process, or with the log, is not lost for good."""
    jobs = started()
    for version, kind, created in [("v1", "pump", 1), ("w1", "fan", 2), ("v2", "pump", 3)]:
        jobs.publish(bundle(version=version, machine_class=kind, created_ns=created * S))
    newest = {"pump": "v2", "fan": "w1"}
    assert published(jobs) == newest
    end = jobs.log.end_offset(MODELS)
    assert started().log.end_offset(MODELS) == end
    started().close()
    shutil.rmtree(tmp_path / "log")
    assert published(started()) == newest


def test_a_process_that_died_between_row_and_notice_announces_when_it_is_back(started, monkeypatch):
    jobs = started()

    def dies(*_):
        raise InterruptedError

    with monkeypatch.context() as dying:
        dying.setattr("cloud_jobs.publish.announce", dies)
        with pytest.raises(InterruptedError):
            jobs.publish(bundle())
    assert published(jobs) == {}
    assert published(started()) == {"pump": "v1"}


def test_closing_merges_small_files_and_lets_go_of_the_log(tmp_path, started):
    sender, jobs = Sender(tmp_path), started()
    for i in range(3):
        sender.send(clip(10.0 * i))
        jobs.step()
    assert len(jobs.lake._table("clips").file_uris()) == 3
    assert jobs.log._open
    jobs.close()
    assert len(jobs.lake._table("clips").file_uris()) == 1
    assert not jobs.log._open


def test_other_services_are_used_and_closed(tmp_path):
    elsewhere = Sender(tmp_path / "elsewhere")
    elsewhere.send(event(1.0))
    log = EmbeddedLog(tmp_path / "elsewhere" / "log")
    services = Services(Store(tmp_path / "far"), log, EmbeddedFeed(log, PATTERNS))
    jobs = CloudJobs(tmp_path / "home", services)
    assert jobs.step().events == 1
    jobs.close()
    assert not log._open
    assert not (tmp_path / "home" / "log").exists()
    assert len(Store(tmp_path / "far").events()) == 1
