"""The sink of points against the real server: outages, restarts, repeats, refusals."""

from __future__ import annotations

import logging
import sqlite3
import time
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from cloud_jobs.timeseries.offsets import TapOffsets
from cloud_jobs.timeseries.setup import wanted_buckets
from cloud_jobs.timeseries.tap import InfluxTap
from tests.cloud_jobs.builders import S, block, case_row, clip, event, heartbeat, model_row
from tests.cloud_jobs.timeseries.conftest import Plant
from tests.services.process import wait_until
from vibro.errors import BadInputError
from vibro.features.table import FAST_NAMES
from vibro.records import Record, topic

NOW = time.time_ns() // (3600 * S) * 3600 * S - 7200 * S
"""Two hours ago: within the retention."""
FEATURES = (topic("a", "features"), 0)


def hour_of_data(machine: str = "m1", t0_ns: int = NOW, n: int = 12) -> list[Record]:
    """Blocks of mean, maximum and status, a sampled vector and a clip for each of n steps."""
    found: list[Record] = []
    for i in range(n):
        t_ns = t0_ns + 60 * i * S
        for content, path in (
            ("mean", "fast"),
            ("max", "fast"),
            ("status", ""),
            ("sample", "fast"),
        ):
            found.append(block(content, path, t_ns, machine=machine))
        found.append(heartbeat(t_ns / S, machine=machine))
    return found


def expected(n: int = 12) -> dict[str, int]:
    return {"features_fast": 2 * n, "status": 2 * n, "node": n}


def counts(plant: Plant) -> dict[str, int]:
    return {m: len(plant.rows(m)) for m in ("features_fast", "status", "node")}


def told(tap: InfluxTap) -> dict[str, float]:
    """What Prometheus would read."""
    registry = CollectorRegistry()
    registry.register(tap)
    return {s.name: s.value for m in registry.collect() for s in m.samples}


def test_everything_arrives_as_it_was_sent(plant: Plant):
    tap = plant.tap()
    consumer = plant.consumer(tap)
    sent = block("mean", "fast", NOW, rows=4)
    largest = replace(sent, content="max")
    plant.sender.send(sent, largest, clip(NOW / S), *hour_of_data("m2"))
    consumer.poll()
    plant.settled(tap)
    rows = plant.rows("features_fast", more='|> filter(fn: (r) => r.machine == "m1")')
    assert len(rows) == 4
    for row in rows:
        i = (row["t_ns"] - NOW) // S
        assert row["channel"] == ("de-h", "de-v")[i % 2]
        assert (row["site"], row["machine"], row["state"]) == ("a", "m1", "run")
        for name in FAST_NAMES:
            assert row[name] == row[f"{name}_max"] == float(sent.columns[name][i])
    assert counts(plant) == {**expected(), "features_fast": 4 + 2 * 12}
    assert tap.facts()["trouble"] == ""
    assert tap.facts()["refused"] == 0


def test_tags_are_the_four_and_series_are_bounded(plant: Plant):
    tap = plant.tap()
    consumer = plant.consumer(tap)
    for i in range(3):
        odd = [replace(b, states=(f"odd, state={k}",)) for k, b in enumerate(hour_of_data(n=2)[:3])]
        later = NOW + 1800 * i * S
        plant.sender.send(*hour_of_data("m1", later), *hour_of_data("m2", later), *odd)
        plant.sender.send(event(later / S), event(later / S, channel="de-v", machine="m2"))
    plant.store.put_model(model_row("a", "pump", "v1", NOW))
    consumer.poll()
    plant.settled(tap)
    bucket = plant.bucket
    schema = f'import "influxdata/influxdb/schema" schema.tagKeys(bucket: "{bucket}", start: -30d)'
    tags = {r["_value"] for r in plant.query(schema)} - {
        "_start",
        "_stop",
        "_field",
        "_measurement",
    }
    assert tags == {"site", "machine", "channel", "state"}
    cardinality = (
        f'import "influxdata/influxdb" influxdb.cardinality(bucket: "{bucket}", start: -30d)'
    )
    (held,) = (r["_value"] for r in plant.query(cardinality))
    # The server counts each field of a series by itself.
    machines, channels, states = 2, 2, 2
    fields = 2 * len(FAST_NAMES) + 3
    of_machines = machines * channels * states * fields + machines * (channels * 10 + 7)
    assert held <= of_machines + 10, "and the fields of models and of the ledger"


def test_repeats_overwrite(plant: Plant):
    """A tap that has forgotten how far it came reads everything again: it is there once."""
    tap = plant.tap()
    consumer = plant.consumer(tap)
    plant.sender.send(*hour_of_data(), event(NOW / S))
    consumer.poll()
    plant.settled(tap)
    before = plant.rows()
    tap.close()
    places = TapOffsets(plant.store, "influxdb").load([FEATURES])
    assert places[FEATURES] > 0
    TapOffsets(plant.store, "influxdb").forget(
        [FEATURES, (topic("a", "events"), 0), (topic("a", "health"), 0)]
    )
    again = plant.tap()
    plant.sender.send(
        *hour_of_data("m2", n=1), event(NOW / S + 1), heartbeat(NOW / S, machine="m2")
    )
    plant.consumer(again).poll()
    plant.settled(again)
    assert again.facts()["points"] > len(before), "all over again"
    of_m1 = plant.rows(more='|> filter(fn: (r) => r.machine == "m1")')
    assert len(of_m1) == len(before) + 1, "and one new event"


# -- outages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_an_outage_holds_up_nobody_and_nothing_is_lost(plant: Plant, how: str):
    """Twenty seconds of data while the server is dead, or stopped so that it does not answer."""
    tap = plant.tap()
    consumer = plant.consumer(tap)
    plant.sender.send(*hour_of_data(n=1))
    consumer.poll()
    plant.settled(tap)
    getattr(plant.server, how)()
    try:
        slowest = 0.0
        for i in range(1, 21):
            plant.sender.send(*hour_of_data(t0_ns=NOW + 60 * i * S, n=1))
            begun = time.monotonic()
            consumer.poll()
            slowest = max(slowest, time.monotonic() - begun)
            begun = time.monotonic()
            tap.facts()
            assert time.monotonic() - begun < 1.0
        assert slowest < plant.config.influxdb.timeout_s, "a poll never waits for the server"
        wait_until("the tap to notice", lambda: bool(tap.facts()["trouble"]))
        assert "does not answer" in str(tap.facts()["trouble"])
        assert told(tap)["vibro_timeseries_up"] == 0.0
        assert told(tap)["vibro_timeseries_behind_messages"] > 0
        assert tap.facts()["behind_messages"] > 0
        assert tap.facts()["behind_s"] > 0
        assert len(plant.lake.table("features_fast")) == 21 * 6
    finally:
        plant.server.start() if how == "kill" else plant.server.resume()
    plant.settled(tap)
    assert counts(plant) == expected(21)
    assert tap.facts()["trouble"] == ""
    assert tap.facts()["overflows"] == 0
    assert told(tap)["vibro_timeseries_up"] == 1.0
    assert told(tap)["vibro_timeseries_points_total"] == 21 * 7
    assert told(tap)["vibro_timeseries_behind_seconds"] == 0.0


def test_a_full_queue_is_caught_up_from_the_log(plant: Plant):
    tap = plant.tap(queue_bytes=20_000)
    consumer = plant.consumer(tap)
    plant.sender.send(*hour_of_data(n=1))
    consumer.poll()
    plant.settled(tap)
    plant.server.kill()
    try:
        for i in range(1, 31):
            plant.sender.send(*hour_of_data(t0_ns=NOW + 60 * i * S, n=1))
            consumer.poll()
            assert tap.facts()["queue_bytes"] <= 20_000
        assert tap.facts()["overflows"] > 0
    finally:
        plant.server.start()
    plant.settled(tap)
    assert counts(plant) == expected(31)
    plant.sender.send(*hour_of_data(t0_ns=NOW + 60 * 31 * S, n=1))
    consumer.poll()
    plant.settled(tap)
    assert counts(plant) == expected(32)


def test_a_process_that_ends_in_an_outage_goes_on_where_the_server_stands(plant: Plant):
    tap = plant.tap()
    consumer = plant.consumer(tap)
    plant.sender.send(*hour_of_data(n=2))
    consumer.poll()
    plant.settled(tap)
    wait_until(
        "it to be kept", lambda: TapOffsets(plant.store, "influxdb").load([FEATURES])[FEATURES] == 8
    )
    plant.server.kill()
    try:
        plant.sender.send(*hour_of_data(t0_ns=NOW + 120 * S, n=3))
        consumer.poll()
        tap.close()
        again = plant.tap()
        consumer = plant.consumer(again)
        plant.sender.send(*hour_of_data(t0_ns=NOW + 300 * S, n=1))
        consumer.poll()
        assert again.facts()["behind_messages"] > 0
    finally:
        plant.server.start()
    plant.settled(again)
    assert counts(plant) == expected(6)
    assert again.facts()["points"] <= 4 * (2 * 2 + 2 + 1), "four steps and not all over again"


def test_what_is_queued_is_written_at_the_end(plant: Plant):
    tap = plant.tap()
    consumer = plant.consumer(tap)
    plant.sender.send(*hour_of_data(n=1))
    consumer.poll()
    plant.settled(tap)
    plant.sender.send(*hour_of_data(t0_ns=NOW + 60 * S, n=5))
    consumer.poll()
    tap.close()
    assert counts(plant) == expected(6)
    held = TapOffsets(plant.store, "influxdb").load([FEATURES])
    assert held == {FEATURES: 6 * 4}


def test_a_server_that_was_never_there_is_waited_for(plant: Plant):
    plant.server.kill()
    try:
        tap = plant.tap()
        consumer = plant.consumer(tap)
        plant.sender.send(*hour_of_data(n=2))
        consumer.poll()
        wait_until("the tap to notice", lambda: bool(tap.facts()["trouble"]))
        tap.close()
    finally:
        plant.server.start()


# -- refusals --------------------------------------------------------------------------------------


def test_what_the_server_refuses_stops_nothing_else(plant: Plant, caplog):
    """A field of another type, a point older than the retention; the reason is said once."""
    with plant.client.write_api() as api:
        api.write(plant.bucket, record=f'status,site=a score_fast="text" {NOW}')
    old = NOW - 365 * 86_400 * S
    with caplog.at_level(logging.WARNING, "vibro.timeseries"):
        tap = plant.tap()
        consumer = plant.consumer(tap)
        for i in range(3):
            for records in (hour_of_data(t0_ns=NOW + 600 * i * S, n=5), [block("mean", t0_ns=old)]):
                plant.sender.send(*records)
                consumer.poll()
                plant.settled(tap)
    assert counts(plant) == {"features_fast": 30, "status": 1, "node": 15}
    assert tap.facts()["refused"] == 30 + 6
    assert tap.facts()["points"] == 2 * 30 + 15, "means and maxima are lines of their own"
    said = [r.getMessage() for r in caplog.records]
    assert len(said) == 2
    assert any("field type conflict" in s for s in said)
    assert any("outside retention policy" in s for s in said)


def test_one_line_that_cannot_be_parsed_does_not_take_others_along(plant: Plant):
    tap = plant.tap()
    lines = b"".join(b"m x=%d %d\n" % (i, NOW + i) for i in range(100))
    bad = b"m x= 5\n" + lines + b"not a line\n" + lines.replace(b"m x", b"n x")
    refused = tap._server.write(bad)
    assert [r.points for r in refused] == [1, 1]
    assert all("unable to parse" in r.reason for r in refused)
    found = plant.rows("m") + plant.rows("n")
    assert len(found) == 200 // 1000 + 2, "times of the rows are told in microseconds"


def test_a_token_that_is_not_taken_is_said_and_a_new_one_is_found(plant: Plant):
    file = plant.config.path(plant.config.influxdb.token_file)
    right = file.read_text()
    file.write_text("a-wrong-token\n")
    tap = plant.tap()
    consumer = plant.consumer(tap)
    plant.sender.send(*hour_of_data(n=2))
    consumer.poll()
    wait_until("the refusal", lambda: "token" in str(tap.facts()["trouble"]))
    said = str(tap.facts()["trouble"])
    assert "secrets/influx.token" in said
    assert "vibro cloud setup" in said
    assert "a-wrong-token" not in said
    assert "\n" not in said
    file.write_text(right)
    plant.settled(tap)
    assert counts(plant) == expected(2)


def test_a_bucket_that_is_missing_is_waited_for(plant: Plant):
    buckets = plant.client.buckets_api()
    buckets.delete_bucket(buckets.find_bucket_by_name(plant.bucket))
    tap = plant.tap()
    consumer = plant.consumer(tap)
    plant.sender.send(*hour_of_data(n=2))
    consumer.poll()
    wait_until("the refusal", lambda: "vibro cloud setup" in str(tap.facts()["trouble"]))
    plant.set_up()
    plant.settled(tap)
    assert counts(plant) == expected(2)


def test_without_a_token_there_is_one_clear_line(plant: Plant):
    plant.config.path(plant.config.influxdb.token_file).unlink()
    with pytest.raises(BadInputError, match=r"influxdb.token_file = 'secrets/influx.token'"):
        plant.tap()


# -- events and facts of the store -----------------------------------------------------------------


def test_an_event_is_one_point_of_its_highest_revision(plant: Plant):
    """The backfill brings an older revision after a newer one; so does reading all again."""
    tap = plant.tap()
    consumer = plant.consumer(tap)
    at = NOW / S
    first, last = event(at), replace(event(at, revision=2, cleared=True), state="stopped")
    plant.sender.send(first)
    consumer.poll()
    plant.settled(tap)
    plant.sender.send(last)
    consumer.poll()
    plant.settled(tap)
    plant.sender.send(event(at, revision=1))
    consumer.poll()
    plant.settled(tap)
    (row,) = plant.rows("event")
    assert (row["revision"], row["open"], row["t_clear_ns"]) == (2, False, last.t_clear_ns)
    assert (row["thing"], row["t_ns"]) == (last.id.thing, last.t_onset_ns)


def test_cases_and_models_are_written_when_they_change(plant: Plant, monkeypatch):
    monkeypatch.setattr("cloud_jobs.timeseries.tap.NEWS_S", 0.05)
    opened = case_row("c1", t_opened_ns=NOW)
    with plant.store.transaction() as session:
        session.merge(opened)
    plant.store.put_model(model_row("a", "pump", "v1", NOW, metrics={"auc": 0.9}))
    plant.tap()
    wait_until("the case", lambda: len(plant.rows("case")) == 1)
    with plant.store.transaction() as session:
        session.merge(case_row("c1", t_opened_ns=NOW, state="closed", note="bearing replaced"))
    wait_until("its end", lambda: plant.rows("case")[0]["state"] == "closed")
    (row,) = plant.rows("case")
    assert (row["site"], row["machine"], row["note"]) == ("a", "m1", "bearing replaced")
    (model,) = plant.rows("model")
    assert (model["machine_class"], model["auc"], model["bytes"]) == ("pump", 0.9, 100)


def test_places_of_another_consumer_are_read_anew(plant: Plant):
    """Between two turns as owner another process took messages: nobody may skip them."""
    tap = plant.tap()
    consumer = plant.consumer(tap)
    plant.sender.send(*hour_of_data(n=1))
    consumer.poll()
    plant.settled(tap)
    plant.sender.send(*hour_of_data(t0_ns=NOW + 60 * S, n=2))
    plant.consumer(None).poll()
    plant.sender.send(*hour_of_data(t0_ns=NOW + 180 * S, n=1))
    plant.consumer(tap).poll()
    plant.settled(tap)
    assert counts(plant) == expected(4)


def test_what_has_left_the_log_is_counted_and_passed_over(plant: Plant, caplog):
    plant.sender.send(*[block("mean", t0_ns=NOW + 60 * i * S) for i in range(5)])
    plant.consumer(None).poll()
    with sqlite3.connect(plant.home / "log" / f"{FEATURES[0]}.db") as db:
        db.execute('delete from message where "offset" <= 3')
    with caplog.at_level(logging.WARNING, "vibro.timeseries"):
        tap = plant.tap()
        plant.consumer(tap).poll()
        plant.settled(tap)
    assert len(plant.rows("features_fast")) == 4
    assert tap.facts()["refused"] == 3
    assert [r.getMessage() for r in caplog.records] == [
        f"time series: log topic {FEATURES[0]} no longer holds messages"
    ]


def test_a_log_that_tells_nothing_is_asked_again_and_nothing_is_passed_over(
    plant: Plant, monkeypatch
):
    """A broker that is slow gives an empty answer, too."""
    monkeypatch.setattr("cloud_jobs.timeseries.tap.LATER_S", 0.05)
    plant.sender.send(*hour_of_data(n=2))
    plant.consumer(None).poll()
    tap = plant.tap()
    read, empty = tap._log.read, [0]

    def slow(topic_, after, limit, partition=0):
        empty[0] += 1
        return [] if empty[0] < 12 else read(topic_, after, limit, partition)

    monkeypatch.setattr(tap._log, "read", slow)
    consumer = plant.consumer(tap)
    consumer.poll()
    plant.sender.send(*hour_of_data("m2", n=1))
    consumer.poll()
    plant.settled(tap)
    assert counts(plant) == expected(3)
    assert empty[0] >= 12
    assert tap.facts()["refused"] == 0


def test_the_buckets_of_a_plant_are_its_own(plant: Plant):
    assert set(wanted_buckets(plant.config)) == {f"{plant.bucket}{s}" for s in ("", "_1h", "_1d")}
    assert np.all([not plant.rows(bucket=b) for b in wanted_buckets(plant.config)])
