"""`vibro bench ingest`: from a broker into lake, store and time series, beside decoding only.

What several sites ship in good health at the default intervals is produced once; then, in turn,
a whole consumer with fresh stores takes it in, and a kafka-python consumer decodes the same
messages and lets them go. Seconds are processor time of this process alone: broker and database
are others' processes. At last one, two and three consumer processes take it in, each time from the
beginning.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from vibro.cli.bench.ingest_plant import SITES, Plant, produce, servers
from vibro.cli.bench.ingest_shared import rate
from vibro.cli.bench.measure import case, spread, target
from vibro.errors import VibroError
from vibro.log.kafka.settings import KafkaSection

ROUNDS = 5
"""Each takes seconds."""
WAIT_S = 120.0
HOLD_S = 3.0
CONSUMERS, SHARED_ROUNDS = (1, 2, 3), 3


def run(rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Produce, then measure; at most `ROUNDS` rounds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vibro-bench-")))
        plant = stack.enter_context(servers(folder))
        messages, rows = produce(plant)
        ours, theirs, walls = [], [], []
        for n in range(min(rounds, ROUNDS) + 1):
            with _home(folder / f"home-{n}", plant) as home:
                spent, took = _ingest(home, messages, rows)
            decoded, decoding = _decode_only(plant, messages)
            if n:  # The first loads libraries, and makes topics known.
                ours.append(spent / rows)
                theirs.append(decoded / rows)
                walls.append((took, decoding))
        shared: dict[int, list[float]] = {number: [] for number in CONSUMERS}
        for n in range(min(rounds, SHARED_ROUNDS)):
            for number, rates in shared.items():
                with _home(folder / f"shared-{number}-{n}", plant) as home:
                    rates.append(rate(home, number, rows, _rows_in))
    seconds = {"vibro": np.array(ours), "decode only (kafka-python)": np.array(theirs)}
    by_wall = {
        "vibro": np.array([w for w, _ in walls]) / rows,
        "decode only (kafka-python)": np.array([w for _, w in walls]) / rows,
    }
    cases = [
        case(f"a row of {rows}, {messages} messages, processor time", seconds),
        case("the same by the clock on the wall, beside broker and database", by_wall),
        *(
            {"case": f"rows a second by the clock, consumer processes: {number}", "unit": "",
             "vibro": spread(np.array(rates)), "peers": {}}
            for number, rates in shared.items()
        ),
    ]  # fmt: skip
    ratio = float(np.median(seconds["vibro"] / seconds["decode only (kafka-python)"]))
    targets = [
        target("ingest_rows_per_s", float(np.median(1.0 / seconds["vibro"])), ">=", 20_000),
        target("ingest_vs_decode_only", ratio, "<=", 3.0),
    ]
    return cases, targets, []


@contextmanager
def _home(home: Path, plant: Plant) -> Iterator[Path]:
    """A home with nothing in it but its configuration; points overwrite."""
    home.mkdir()
    (home / "influx.token").write_text(plant.influx.token)
    (home / "cloud.toml").write_text(
        '[services]\ntransport = "kafka"\ntimeseries = "influxdb"\n'
        f'[kafka]\nservers = ["{plant.kafka.servers}"]\nsecurity = "plaintext"\n'
        f'[influxdb]\nurl = "{plant.influx.url}"\norg = "{plant.influx.org}"\n'
        'token_file = "influx.token"\nbucket = "first"\n'
    )
    try:
        yield home
    finally:
        shutil.rmtree(home)


def _ingest(home: Path, messages: int, rows: int) -> tuple[float, float]:
    """Take everything in; return seconds of processor and of wall time."""
    from cloud_jobs.config import load  # noqa: PLC0415
    from cloud_jobs.consume import Holding  # noqa: PLC0415
    from cloud_jobs.lake import Lake  # noqa: PLC0415
    from cloud_jobs.run import consumer_of  # noqa: PLC0415
    from cloud_jobs.services import open_services  # noqa: PLC0415
    from cloud_jobs.timeseries.tap import InfluxTap  # noqa: PLC0415

    spent, began = time.process_time(), time.monotonic()
    services, lake, kept = open_services(load(home)), Lake(home), 0
    tap = services.tap
    assert isinstance(tap, InfluxTap)  # noqa: S101 (for the type checker)
    try:
        consumer = consumer_of(services, lake, holding=Holding(HOLD_S), clock=time.time_ns)
        while kept < messages:
            kept += consumer.poll(0.2).messages
            _still(began, f"{kept} of {messages} messages")
        while (facts := tap.facts())["behind_messages"] or facts["queue_bytes"]:
            time.sleep(0.01)
            _still(began, f"the time series: {facts['trouble'] or facts}")
        took = time.monotonic() - began
    finally:
        services.close()
    spent = time.process_time() - spent
    held = _rows_in(home)
    if held != rows or facts["refused"]:
        raise VibroError(f"bench ingest: {held} of {rows} rows are in the lake; {facts}")
    return spent, took


def _rows_in(home: Path) -> int:
    from cloud_jobs.lake import Lake  # noqa: PLC0415

    lake = Lake(home)
    return sum(lake.table(t, columns=["site"]).num_rows for t in _TABLES)


_TABLES = ("status", "features_fast", "features_long")


def _decode_only(plant: Plant, messages: int) -> tuple[float, float]:
    """Decode every message; return seconds of processor and of wall time."""
    from kafka import KafkaConsumer, TopicPartition  # noqa: PLC0415

    from vibro.log.kafka.client import client_options  # noqa: PLC0415
    from vibro.records import topic  # noqa: PLC0415
    from vibro.wire import decode  # noqa: PLC0415

    settings = KafkaSection((plant.kafka.servers,), security="plaintext")
    spent, began, decoded = time.process_time(), time.monotonic(), 0
    reader = KafkaConsumer(
        **client_options(settings, Path(), "vibro-bench"),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    try:
        names = [topic(site, kind) for site in SITES for kind in ("features", "health")]
        reader.assign(
            [TopicPartition(n, p) for n in names for p in reader.partitions_for_topic(n) or ()]
        )
        reader.seek_to_beginning()
        while decoded < messages:
            for found in reader.poll(200, max_records=2000).values():
                for message in found:
                    decode(message.value)
                decoded += len(found)
            _still(began, f"{decoded} of {messages} messages decoded")
    finally:
        reader.close()
    return time.process_time() - spent, time.monotonic() - began


def _still(began: float, where: str) -> None:
    if time.monotonic() - began > WAIT_S:
        raise VibroError(f"bench ingest: not done after {WAIT_S:g} s, at {where}")
