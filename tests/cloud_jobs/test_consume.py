from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from cloud_jobs.consume import DEAD, Consumer
from cloud_jobs.lake import Lake
from cloud_jobs.serve.daily import spectra_of
from cloud_jobs.store import Store, ingest, progress
from tests.cloud_jobs.builders import (
    S,
    Sender,
    block,
    clip,
    consuming,
    event,
    heartbeat,
    spectrum,
)
from vibro.faults import Severity
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.records import ChannelPath

pytestmark = pytest.mark.usefixtures("backend")


@pytest.fixture
def sender(tmp_path):
    return Sender(tmp_path)


def consumer(tmp_path, sender, **options) -> Consumer:
    return consuming(tmp_path, sender.log, **options)


def all_of(sender) -> None:
    sender.send(
        block("status", ""),
        block("mean", "fast"),
        block("sample", "fast"),
        block("sample", "long"),
        event(10.0),
        clip(9.0, of=event(10.0).id.thing),
        heartbeat(11.0),
    )


def test_every_kind_finds_its_place(tmp_path, sender):
    all_of(sender)
    counts = consumer(tmp_path, sender).poll()
    assert (counts.features, counts.events, counts.clips, counts.health) == (4, 1, 1, 1)
    assert counts.machines == {"a/m1"}
    lake, store = Lake(tmp_path), Store(tmp_path)
    assert [len(lake.table(t)) for t in ("status", "features_fast", "features_long")] == [2, 4, 2]
    (row,) = store.events()
    assert (row.path, row.severity, row.velocity_rms_mm_s) == ("a/m1", Severity.ALERT, None)
    assert row.contributions == [["kurtosis", 6.5]]
    (kept,) = store.clips("a/m1")
    assert kept.t_end_ns - kept.t0_ns == S
    sent = clip(9.0)
    assert np.array_equal(lake.clip(kept.thing).samples, sent.samples)
    assert store.totals() == {"seen": 1000, "processed": 1000, "lost": 0, "raw_bytes": 2000}


def test_a_spectrum_and_its_waveform_are_kept_once_and_not_diagnosed(tmp_path, sender):
    sender.send(block("mean", "fast"), spectrum(5.0), clip(5.0, reason="daily"))
    sender.send(spectrum(5.0), again=True)
    counts = consumer(tmp_path, sender).poll()
    assert (counts.features, counts.repeats) == (2, 1)
    (kept,) = spectra_of(Lake(tmp_path), "a/m1")
    np.testing.assert_allclose(kept.values, spectrum(5.0).values, rtol=0.05)
    assert (kept.reason, kept.averages, kept.step_hz) == ("daily", 61, 3.125)
    assert spectra_of(Lake(tmp_path), "a/m2") == []
    store = Store(tmp_path)
    (waveform,) = store.clips("a/m1")
    assert (waveform.reason, waveform.diagnosed) == ("daily", True)


def test_nothing_new_is_nothing_done(tmp_path, sender):
    all_of(sender)
    jobs = consumer(tmp_path, sender)
    jobs.poll()
    assert jobs.poll().messages == 0
    again = consumer(tmp_path, sender)
    assert again.poll().messages == 0


def test_what_was_shipped_twice_is_taken_once(tmp_path, sender):
    sender.send(block("mean", "fast"))
    sender.send(block("mean", "fast"), again=True)
    sender.send(clip(1.0), clip(3.0))
    sender.send(clip(3.0), again=True)
    counts = consumer(tmp_path, sender).poll()
    assert counts.repeats == 2
    assert len(Lake(tmp_path).table("features_fast")) == 2
    assert len(Lake(tmp_path).table("clips")) == 2


def test_a_new_stream_epoch_counts_its_sequences_afresh(tmp_path, sender):
    sender.send(block("mean", "fast"), block("mean", "fast"))
    fresh = Sender(tmp_path)
    fresh._message = 100
    fresh.send(block("mean", "fast", epoch=8))
    assert consumer(tmp_path, sender).poll().repeats == 0
    assert Store(tmp_path).received() == ({"features": 3}, 0)


def test_a_node_that_goes_on_counting_after_a_restart_is_counted_once(tmp_path, sender):
    sender.send(*[heartbeat(i) for i in range(3)], *[heartbeat(i, epoch=8) for i in range(2)])
    consumer(tmp_path, sender).poll()
    assert Store(tmp_path).received() == ({"health": 5}, 0)


def test_sequences_that_never_came_are_counted(tmp_path, sender):
    sender.send(heartbeat(1.0))
    sender._next["a-m1", "health"] = 4
    sender.send(heartbeat(2.0))
    consumer(tmp_path, sender).poll()
    with Store(tmp_path).transaction() as session:
        assert progress.sequences(session) == {("a-m1", "health", "live", 7, 0): (0, 5, 4)}


@pytest.mark.parametrize("crash_at", ["lake", "store", "offsets"])
@pytest.mark.parametrize("limit", [1, 100])
def test_a_crash_at_any_point_neither_loses_nor_doubles(
    tmp_path, sender, monkeypatch, crash_at, limit
):
    for i in range(4):
        sender.send(block("mean", "fast", t0_ns=100 * i * S), block("sample", "long"))
        sender.send(event(10.0, revision=i, lasted_s=3.0 + i), clip(20.0 * i), heartbeat(i))
    sender.send_raw("vibro.v1.a.events", b"rubbish")
    calls = {"n": 0}
    original = {
        "lake": Lake._write,
        "store": ingest.keep_events,
        "offsets": progress.move_offsets,
    }[crash_at]

    def crashing(*arguments, **named):
        calls["n"] += 1
        if calls["n"] % 2 == 1:
            if crash_at == "lake":
                original(*arguments, **named)
            raise OperationalError("power cut", None, Exception())
        return original(*arguments, **named)

    place, name = {
        "lake": (Lake, "_write"),
        "store": (ingest, "keep_events"),
        "offsets": (progress, "move_offsets"),
    }[crash_at]
    monkeypatch.setattr(place, name, crashing)
    for _ in range(200):
        try:
            if consumer(tmp_path, sender, most=limit).poll().messages == 0:
                break
        except OperationalError:
            continue
    else:
        pytest.fail("never came to an end")
    lake, store = Lake(tmp_path), Store(tmp_path)
    assert sorted(lake.table("features_fast")["t0_ns"].to_pylist()) == [
        (100 * i + j) * S for i in range(4) for j in range(2)
    ]
    assert len(lake.table("features_long")) == 8
    assert sorted(lake.table("clips")["t0_ns"].to_pylist()) == [20 * i * S for i in range(4)]
    (row,) = store.events()
    assert (row.revision, row.t_last_ns) == (3, 16 * S)
    assert len(store.clips("a/m1")) == 4
    assert len(sender.log.read(DEAD, 0, 100)) == 1


def test_the_highest_revision_wins_in_any_order(tmp_path, sender):
    sender.send(event(10.0, revision=2, severity=Severity.DANGER, cleared=True))
    sender.send(event(10.0, revision=1, severity=Severity.WATCH), event(10.0, revision=2))
    consumer(tmp_path, sender).poll()
    (row,) = Store(tmp_path).events()
    assert (row.revision, row.severity) == (2, Severity.DANGER)
    assert row.t_clear_ns is not None


def test_what_cannot_be_decoded_is_kept_with_its_reason(tmp_path, sender):
    all_of(sender)
    sender.send_raw("vibro.v1.a.clips", b"\xc3\x01 not a record")
    foreign = Sender(tmp_path / "other")
    foreign.send(heartbeat(1.0, site="b"))
    (value,) = foreign.log.read("vibro.v1.b.health", 0, 1)
    sender.send_raw("vibro.v1.a.health", value.value)
    sender.send_raw("vibro.v1.a.events", value.value)
    counts = consumer(tmp_path, sender).poll()
    assert counts.dead == 3
    letters = sender.log.read(DEAD, 0, 10)
    headers = [dict(letter.headers) for letter in letters]
    assert {h["topic"] for h in headers} == {
        b"vibro.v1.a.clips",
        b"vibro.v1.a.health",
        b"vibro.v1.a.events",
    }
    assert all(h["reason"] for h in headers)
    assert Store(tmp_path).totals()["seen"] == 1000


def test_training_vectors_are_samples_only_in_the_tables_order(tmp_path, sender):
    sender.send(block("mean", "fast"), block("max", "fast"), block("mean", "long"))
    sender.send(block("sample", "fast", 100 * S, rows=6), block("sample", "long", 100 * S, rows=4))
    sender.send(block("sample", "fast", machine="m2"), block("sample", "fast", site="b"))
    consumer(tmp_path, sender).poll()
    lake = Lake(tmp_path)
    vectors = lake.training_vectors("a", ["m1"], until_ns=10**18)
    h = ChannelPath("a", "m1", "de-h")
    assert sorted(c.channel for c, _ in vectors) == ["de-h", "de-v"]
    fast, long = vectors[h, "run"]
    assert fast.shape == (3, len(FAST_NAMES))
    assert long.shape == (2, len(LONG_NAMES))
    expected = np.array([100.0, 102.0, 104.0])[:, None] + 0.01 * np.arange(len(FAST_NAMES))
    assert np.allclose(fast, expected, rtol=0.01)
    early = lake.training_vectors("a", ["m1"], until_ns=103 * S)
    assert len(early[h, "run"][0]) == 2
    calm = lake.training_vectors("a", ["m1"], 10**18, exclude={"a/m1": [(101 * S, 103 * S)]})
    assert len(calm[h, "run"][0]) == 2
    assert lake.training_vectors("a", ["m3"], 10**18) == {}
    assert len(lake.training_vectors("a", ["m1", "m2"], 10**18)) == 4


def test_trends_and_compaction(tmp_path, sender):
    jobs = consumer(tmp_path, sender)
    for i in range(5):
        sender.send(block("mean", "fast", 10 * i * S), block("status", "", 10 * i * S))
        jobs.poll()
    lake = Lake(tmp_path)
    channel = ChannelPath("a", "m1", "de-h")
    times, values = lake.trend(channel, "rms")
    assert list(times) == [10 * i * S for i in range(5)]
    assert np.allclose(values, 10.0 * np.arange(5) + 0.01, rtol=0.01, atol=0.01)
    assert len(lake.trend(channel, "score_fast", since_ns=15 * S, until_ns=40 * S)[0]) == 2
    lake.compact()
    assert len(lake.table("features_fast")) == 10
    topic = "vibro.v1.a.features"
    assert Lake(tmp_path).positions("features_fast", [topic]) == {topic: 10}
    with pytest.raises(ValueError, match="not in the feature table"):
        lake.trend(channel, "nonsense")
