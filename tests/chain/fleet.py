"""Nodes that ship over Kafka, in a process of their own: real spools, lanes and shippers.

    python -m tests.chain.fleet FOLDER SERVERS FIRST LAST TICKS TICK_S

What they ship is made up from the node and the tick, so that everybody can say what must have
arrived: a block of features each tick, an event with two revisions every 7th, a clip every 13th, a
heartbeat every 5th. After the last tick each node ships until its spool is empty. What a node has
made durable it writes into its journal.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_node.ship import Shipper
from edge_node.spool import EnduringSpool, SpoolWriter
from vibro.faults import Severity
from vibro.features.table import FAST_NAMES, SCHEMA_HASH
from vibro.log.kafka.settings import KafkaSection
from vibro.log.kafka.transport import KafkaTransport
from vibro.records import Clip, Event, FeatureBlock, Health, Origin, Record, RecordId

S = 10**9
LIVE_S = 3.0
"""What waits longer makes newer records backfill, as after two minutes at a plant."""
REQUEST_S = 5.0
SITES = 3
ROWS = 4
CHANNELS = ("de-h", "nde-h")


def origin(number: int, epoch: int) -> Origin:
    site = f"site-{number % SITES}"
    return Origin(f"node-{number}", site, f"m{number}", "live", 0, epoch)


def records(number: int, tick: int, epoch: int) -> Iterator[Record]:
    """What node `number` finds in a tick."""
    who, at = origin(number, epoch), epoch + tick * 60 * S
    rng = np.random.default_rng((number, tick))
    rows = np.arange(ROWS)
    columns = {
        "channel": (rows % 2).astype(np.int16),
        "first_sample": (tick * ROWS + rows) * 2048,
        "t0_ns": at + rows // 2 * 10 * S,
        "state": np.zeros(ROWS, np.int16),
    }
    columns |= {n: rng.standard_normal(ROWS).astype(np.float32) for n in FAST_NAMES}
    yield FeatureBlock(who, "mean", "fast", SCHEMA_HASH, "v1", CHANNELS, ("run",), columns)
    if tick % 7 == 0:
        first = event(who, at, tick)
        yield first
        cleared = replace(first.id, revision=1)
        yield replace(first, id=cleared, t_clear_ns=at + 9 * S, t_decided_ns=at + 9 * S)
    if tick % 13 == 0:
        yield clip(who, at, tick, rng)
    if tick % 5 == 0:
        ident = RecordId("health", who.node, epoch, tick)
        seen = (tick + 1) * 2048
        yield Health(ident, who, "heartbeat", at, seen, seen, 0, 2 * seen, "v1", {"lag_s": 0.5})


def event(who: Origin, at: int, tick: int) -> Event:
    return Event(
        id=RecordId("event", f"{who.machine_path}/de-h", who.stream_epoch, tick),
        origin=who,
        channel="de-h",
        t_onset_ns=at,
        t_last_ns=at + S,
        t_clear_ns=None,
        t_decided_ns=at + S,
        severity=Severity.WATCH,
        causes=("forest_fast",),
        state="run",
        score=0.7,
        p_value=1e-4,
        velocity_rms_mm_s=1.5,
        rpm=1480.0,
        bundle="v1",
    )


def clip(who: Origin, at: int, tick: int, rng: np.random.Generator) -> Clip:
    return Clip(
        id=RecordId("clip", who.machine_path, who.stream_epoch, tick),
        origin=who,
        reason="daily",
        event="",
        t0_ns=at,
        rate_hz=25600.0,
        rpm=1480.0,
        state="run",
        channels=CHANNELS,
        scale=np.full(2, 0.01, np.float32),
        samples=rng.integers(-300, 300, (2, 8192)).astype(np.int16),
    )


class Node:
    """One node's spool and shipper; `alive` until everything has left."""

    def __init__(self, folder: Path, transport: KafkaTransport, number: int, epoch: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        who = origin(number, epoch)
        self._number, self._epoch = number, epoch
        self._spool = EnduringSpool(folder / "spool.db", 50_000_000, 30 * 86_400 * S)
        self._writer = SpoolWriter(self._spool, who.machine_path, round(LIVE_S * S))
        rng = random.Random(number)  # noqa: S311 (jitter)
        self._shipper = Shipper(self._spool, transport, who.site, who.node, rng)
        self._journal = (folder / "journal.txt").open("a", encoding="utf-8")

    def tick(self, tick: int) -> None:
        """Make durable what a tick finds, and write it down."""
        found = list(records(self._number, tick, self._epoch))
        # Lanes go by how long things wait: stream time is that of the wall here.
        self._writer.write(found, [], b"{}", time.monotonic_ns())
        for record in found:
            self._journal.write(f"{name_of(record)}\n")
        self._journal.flush()

    def ship(self) -> bool:
        """Ship for a while; whether anything is left."""
        self._shipper.drain(time.monotonic())
        return self._shipper.pending

    def close(self) -> None:
        self._spool.close()
        self._journal.close()


def name_of(record: Record) -> str:
    """What a record must be found under in the stores."""
    if isinstance(record, FeatureBlock):
        who, first = record.origin, int(record.columns["first_sample"][0])
        return f"features {who.machine_path} {first}"
    kind = {Event: "event", Clip: "clip", Health: "health"}[type(record)]
    return f"{kind} {record.id}"


def main() -> None:
    folder, servers = Path(sys.argv[1]), sys.argv[2]
    first, last, ticks = map(int, sys.argv[3:6])
    tick_s = float(sys.argv[6])
    settings = KafkaSection((servers,), security="plaintext", request_timeout_s=REQUEST_S)
    epoch = int((folder / "epoch").read_text())
    with ExitStack() as stack:
        transport = KafkaTransport(settings, folder, f"fleet-{first}")
        stack.callback(transport.close)
        nodes = [Node(folder / f"node-{n}", transport, n, epoch) for n in range(first, last)]
        for node in nodes:
            stack.callback(node.close)
        began, tick, left = time.monotonic(), 0, True
        while tick < ticks or left:
            # A tick that fell into a broker's timeout is made up for: production never waits.
            due = min(ticks, 1 + int((time.monotonic() - began) / tick_s))
            for late in range(tick, due):
                for node in nodes:
                    node.tick(late)
            tick = due
            left = sum(node.ship() for node in nodes) > 0  # Each ships, not only the first.
            time.sleep(0.02)


if __name__ == "__main__":
    main()
