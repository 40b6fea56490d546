"""What several sites ship in a quarter of a day of good health, and the servers that take it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.columns import STATUS_COUNTS, STATUS_VALUES
from vibro.errors import VibroError
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.log import Message
from vibro.log.kafka.settings import KafkaSection
from vibro.records import TOPIC_OF, FeatureBlock, Health, Origin, Record, RecordId, topic
from vibro.wire import encode, precision

SITES = tuple(f"bench-{n}" for n in range(4))
MACHINES, CHANNELS, PARTITIONS = 12, 8, 3
"""Machines a site, channels a machine, partitions a topic."""
S = 10**9
T0_NS = 1_790_000_000 * S
BULK_ROWS, STATUS_ROWS, STATUS_TIMES = 72, 20, 18
"""Of six hours: rows of each channel in a block of features and of status, and blocks of status."""
NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES}


@dataclass(frozen=True, slots=True)
class Plant:
    """A broker and a database of the checkout's tests, running."""

    kafka: Any
    influx: Any


@contextmanager
def servers(folder: Path) -> Iterator[Plant]:
    """Start both; they are killed at the end.

    Raises
    ------
    VibroError
        Outside a checkout, or where a server cannot be had.
    """
    try:
        kafka = importlib.import_module("tests.services.kafka").KafkaServer
        influx = importlib.import_module("tests.services.influx").InfluxServer
    except ImportError:
        raise VibroError(
            "bench ingest starts the servers of the tests: run it in a checkout of Vibro"
        ) from None
    for name in ("kafka", "influx"):
        (folder / name).mkdir()
    with kafka(folder / "kafka") as broker, influx(folder / "influx") as database:
        yield Plant(broker, database)


def produce(plant: Plant) -> tuple[int, int]:
    """Ship everything; return messages and rows of features and status."""
    from kafka.admin import KafkaAdminClient, NewTopic  # noqa: PLC0415

    from vibro.log.kafka.transport import KafkaTransport  # noqa: PLC0415

    admin = KafkaAdminClient(bootstrap_servers=plant.kafka.servers)
    names = [topic(site, kind) for site in SITES for kind in ("features", "health")]
    admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
    admin.close()
    settings = KafkaSection((plant.kafka.servers,), security="plaintext")
    transport = KafkaTransport(settings, Path(), "vibro-bench")
    messages = rows = 0
    try:
        for site in SITES:
            for number in range(MACHINES):
                by_topic: dict[str, list[Message]] = {}
                for record in quarter_of_a_day(site, number):
                    rows += record.rows if isinstance(record, FeatureBlock) else 0
                    name = topic(site, TOPIC_OF[type(record)])
                    origin = record.origin
                    message = Message(
                        origin.machine_path, encode(record), origin.node, origin.sequence
                    )
                    by_topic.setdefault(name, []).append(message)
                for name, found in by_topic.items():
                    transport.send(name, found)
                    messages += len(found)
    finally:
        transport.close()
    return messages, rows


def quarter_of_a_day(site: str, number: int) -> Iterator[Record]:
    """Records of one machine; values scatter as windows do and are rounded as a node rounds."""
    rng = np.random.default_rng((SITES.index(site), number))
    origin = Origin(f"{site}-{number}", site, f"m{number}", "live", 0, T0_NS)
    numbers = {"features": 0, "health": 0}

    def next_of(kind: str) -> Origin:
        numbers[kind] += 1
        return replace(origin, sequence=numbers[kind])

    for content in ("mean", "max", "sample"):
        for path, names in NAMES.items():
            columns = _keys(BULK_ROWS, 300)
            n = BULK_ROWS * CHANNELS
            values = rng.lognormal(0.0, 0.1, (n, len(names))) * np.arange(1, len(names) + 1)
            mean, spread = values.mean(0), values.std(0)
            rounded = precision.round_to_spread(
                values.astype(np.float32), mean, spread, precision.STEPS[content], True
            )
            columns |= {name: rounded[:, i] for i, name in enumerate(names)}
            yield _block(next_of("features"), content, path, SCHEMA_HASH, columns)
    for k in range(STATUS_TIMES):
        columns = _keys(STATUS_ROWS, 60, k * STATUS_ROWS * 60)
        n = STATUS_ROWS * CHANNELS
        for name in STATUS_VALUES:
            drawn = rng.uniform(0.3, 0.6, n).astype(np.float32)
            columns[name] = precision.status(name, drawn)
        columns["severity"] = np.zeros(n, np.float32)
        seen = columns["first_sample"] + 1_536_000
        counts = dict(zip(STATUS_COUNTS, (seen, seen, np.zeros(n, np.int64)), strict=True))
        yield _block(next_of("features"), "status", "", "", columns | counts)
    for k in range(6):
        at = T0_NS + k * 3600 * S
        ident = RecordId("health", origin.node, T0_NS, k)
        heard = k * 3600 * 25_600 * CHANNELS
        detail = {"lag_s": 0.25, "spool_bytes": 4096, "version": "0.1.0"}
        yield Health(
            ident, next_of("health"), "heartbeat", at, heard, heard, 0, 2 * heard, "v1", detail
        )


def _keys(rows: int, every_s: int, from_s: int = 0) -> dict[str, NDArray[Any]]:
    n = np.arange(rows * CHANNELS)
    at_s = from_s + n // CHANNELS * every_s
    return {
        "channel": (n % CHANNELS).astype(np.int16),
        "first_sample": at_s * 25_600,
        "t0_ns": T0_NS + at_s * S,
        "state": np.zeros(n.size, np.int16),
    }


def _block(
    origin: Origin, content: str, path: str, schema: str, columns: dict[str, NDArray[Any]]
) -> FeatureBlock:
    channels = tuple(f"p{n}-h" for n in range(CHANNELS))
    return FeatureBlock(origin, content, path, schema, "v1", channels, ("n1480",), columns)
