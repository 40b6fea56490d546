"""A plant with buckets of its own on the tests' InfluxDB."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException

from cloud_jobs.config import CloudConfig, InfluxSection
from cloud_jobs.consume import PATTERNS, Consumer
from cloud_jobs.lake import Lake
from cloud_jobs.setup import apply
from cloud_jobs.store import Store
from cloud_jobs.timeseries.setup import SETUP_TOKEN, plan
from cloud_jobs.timeseries.tap import InfluxTap
from tests.cloud_jobs.builders import Sender
from tests.services.influx import InfluxServer
from tests.services.process import wait_until
from vibro.log import EmbeddedFeed, EmbeddedLog

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_numbers = itertools.count()


class Plant:
    """A home with log, lake and store, its buckets, and a consumer that has a tap."""

    def __init__(self, server: InfluxServer, home: Path) -> None:
        self.server, self.home = server, home
        section = InfluxSection(
            url=server.url, org=server.org, bucket=f"plant{next(_numbers)}", timeout_s=2.0
        )
        self.config = CloudConfig(home, influxdb=section)
        secret = home / SETUP_TOKEN
        secret.parent.mkdir(parents=True)
        secret.write_text(server.token + "\n")
        self.client = InfluxDBClient(server.url, server.token, org=server.org, timeout=60_000)
        self.store, self.lake, self.sender = Store(home), Lake(home), Sender(home)
        self.taps: list[InfluxTap] = []

    @property
    def bucket(self) -> str:
        return self.config.influxdb.bucket

    def set_up(self) -> None:
        apply(plan(self.config), lambda change: None)

    def tap(self, **options: Any) -> InfluxTap:
        tap = InfluxTap(self.config, EmbeddedLog(self.home / "log"), self.store, **options)
        self.taps.append(tap)
        return tap

    def consumer(self, tap: InfluxTap | None) -> Consumer:
        log = EmbeddedLog(self.home / "log")
        return Consumer(EmbeddedFeed(log, PATTERNS), log, self.lake, self.store, tap=tap)

    def rows(self, measurement: str = "", bucket: str = "", more: str = "") -> list[dict[str, Any]]:
        """One row a point: its tags, its time and its fields."""
        which = (
            f'r._measurement == "{measurement}"' if measurement else 'r._measurement != "rollup"'
        )
        flux = (
            f'from(bucket: "{bucket or self.bucket}") '
            f"|> range(start: 0, stop: 2100-01-01T00:00:00Z) |> filter(fn: (r) => {which}) {more}"
        )
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for record in self.query(flux):
            tags = {k: v for k, v in record.items() if not k.startswith("_") and v is not None}
            t_ns = (record["_time"] - EPOCH) // timedelta(microseconds=1) * 1000
            key = (record["_measurement"], t_ns, *sorted(tags.items()))
            row = found.setdefault(key, {**tags, "t_ns": t_ns})
            row[record["_field"]] = record["_value"]
        return list(found.values())

    def query(self, flux: str) -> list[dict[str, Any]]:
        tables = self.client.query_api().query(flux)
        return [
            {k: v for k, v in r.values.items() if k not in ("result", "table", "_start", "_stop")}
            for t in tables
            for r in t.records
        ]

    def run(self, task: str) -> None:
        """Run a task now, and wait for its end."""
        tasks = self.client.tasks_api()
        (found,) = tasks.find_tasks(name=task)
        run = tasks.run_manually(found.id)
        status = ""

        def ended() -> bool:
            nonlocal status
            # Between running and being told of as history a run is nowhere.
            with suppress(ApiException):
                status = tasks.get_run(found.id, run.id).status
            return status in ("success", "failed", "canceled")

        wait_until("the task", ended)
        if status != "success":
            raise AssertionError([m.message for m in tasks.get_run_logs(found.id, run.id)])

    def settled(self, tap: InfluxTap) -> None:
        """Wait until the server has everything that the tap was told of."""
        wait_until("the time series to catch up", lambda: not tap.facts()["behind_messages"])

    def close(self) -> None:
        for tap in self.taps:
            tap.close()
        self.sender.log.close()
        self.store.close()
        self.client.close()


@pytest.fixture
def plant(influx: InfluxServer, tmp_path: Path) -> Iterator[Plant]:
    made = Plant(influx, tmp_path)
    made.set_up()
    yield made
    made.close()
