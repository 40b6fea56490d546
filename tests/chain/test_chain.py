"""From the nodes' spools through a broker into every store, while everything on the way fails.

The same code runs for half a minute in `make test` and, with fifty nodes, in `make prove`. What a
node has made durable must be stored once, in each store that keeps it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from tests.chain.fleet import SITES
from tests.chain.ledger import ledger, show
from tests.services.influx import InfluxServer
from tests.services.kafka import KafkaServer
from tests.services.process import free_port, wait_until
from tests.services.proxy import Proxy

KINDS = ("features", "events", "clips", "health")
EPOCH = 1_780_000_000 * 10**9
PROCESSES = 2
CONSUMERS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is produced, and what fails when; instants in seconds since production began."""

    nodes: int
    ticks: int
    tick_s: float
    broker_kills: list[float] = field(default_factory=list)
    broker_stops: list[tuple[float, float]] = field(default_factory=list)
    cuts: list[tuple[float, float]] = field(default_factory=list)
    consumer_kills: list[float] = field(default_factory=list)
    influx_kills: list[float] = field(default_factory=list)
    full_disk: list[tuple[float, float]] = field(default_factory=list)
    settle_s: float = 240.0


QUICK = Plan(
    nodes=6,
    ticks=60,
    tick_s=0.25,
    broker_kills=[4.0],
    cuts=[(9.0, 1.0)],
    consumer_kills=[3.0, 11.0],
    influx_kills=[6.0],
)
LONG = Plan(
    nodes=50,
    ticks=420,
    tick_s=1.0,
    broker_kills=[20.0, 90.0, 170.0, 240.0, 330.0],
    broker_stops=[(100.0, 60.0)],
    cuts=[(t, 3.0) for t in (10, 40, 60, 80, 180, 190, 210, 260, 300, 380)],
    consumer_kills=[15.0, 35.0, 55.0, 75.0, 175.0, 200.0, 230.0, 280.0, 320.0, 370.0],
    influx_kills=[30.0, 195.0, 340.0],
    full_disk=[(270.0, 25.0)],
    settle_s=900.0,
)


class Chain:
    """Broker, database, consumers and nodes of one run, each of which may be made to fail."""

    def __init__(self, folder: Path, plan: Plan, stack: ExitStack) -> None:
        self.folder, self.plan, self._stack = folder, plan, stack
        self._home = folder / "home"
        self._home.mkdir(parents=True)
        port = free_port()
        settings = {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}"}
        self.broker = KafkaServer(self._broker_folder(), settings)
        self.proxy = stack.enter_context(Proxy(self.broker.servers, port))
        stack.enter_context(self.broker)
        (folder / "influx").mkdir()
        self.influx = stack.enter_context(InfluxServer(folder / "influx"))
        self._lay_out()
        self.consumers = [self._consumer() for _ in range(CONSUMERS)]
        stack.callback(self._end_consumers)
        (folder / "epoch").write_text(str(EPOCH))

    def _broker_folder(self) -> Path:
        """Its data lies on a small disk of its own where one is to be filled."""
        place = self.folder / "broker"
        place.mkdir()
        if self.plan.full_disk:
            options = ["-t", "tmpfs", "-o", "size=1500m", "tmpfs"]
            subprocess.run(["mount", *options, str(place)], check=True)
            self._stack.callback(subprocess.run, ["umount", "-l", str(place)], check=False)
        return place

    def _lay_out(self) -> None:
        """Topics, and the consumers' configuration."""
        admin = KafkaAdminClient(bootstrap_servers=self.broker.servers)
        names = [f"vibro.v1.site-{s}.{k}" for s in range(SITES) for k in KINDS]
        admin.create_topics(
            [NewTopic(name, 3, 1) for name in names] + [NewTopic("vibro.v1.dead", 1, 1)]
        )
        admin.close()
        token = self._home / "influx.token"
        token.write_text(self.influx.token)
        (self._home / "cloud.toml").write_text(
            '[services]\ntransport = "kafka"\ntimeseries = "influxdb"\n'
            f'[kafka]\nservers = ["{self.proxy.address}"]\nsecurity = "plaintext"\n'
            "request_timeout_s = 5.0\n"
            f'[influxdb]\nurl = "{self.influx.url}"\norg = "{self.influx.org}"\n'
            'token_file = "influx.token"\nbucket = "first"\n'
        )

    def _consumer(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "vibro", "cloud", "consume", "--home", str(self._home)]
        with (self.folder / "consumer.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def _end_consumers(self) -> None:
        for consumer in self.consumers:
            consumer.send_signal(signal.SIGKILL)
            consumer.wait()

    def kill_a_consumer(self, which: int) -> None:
        self.consumers[which].send_signal(signal.SIGKILL)
        self.consumers[which].wait()
        self.consumers[which] = self._consumer()

    def kill_the_broker(self) -> None:
        self.broker.kill()
        self.broker.start()

    def kill_influx(self) -> None:
        self.influx.kill()
        self.influx.start()

    def fill_the_disk(self) -> None:
        """Write until nothing more fits."""
        with (self.folder / "broker" / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(bytes(1 << 20)):
                    pass
            except OSError:
                return

    def free_the_disk(self) -> None:
        """A broker that gave up for want of room is started again, as its service would be."""
        (self.folder / "broker" / "filler").unlink()
        if not self.broker.running:
            self.broker.start()

    def faults(self) -> list[tuple[float, str, Callable[[], None]]]:
        """All faults of the plan in their order."""
        plan, found = self.plan, []
        found += [(t, "broker SIGKILL", self.kill_the_broker) for t in plan.broker_kills]
        found += [(t, "broker SIGSTOP", self.broker.pause) for t, _ in plan.broker_stops]
        found += [(t + d, "broker SIGCONT", self.broker.resume) for t, d in plan.broker_stops]
        found += [(t, "network cut", self.proxy.cut) for t, _ in plan.cuts]
        found += [(t + d, "network mended", self.proxy.mend) for t, d in plan.cuts]
        found += [(t, "influx SIGKILL", self.kill_influx) for t in plan.influx_kills]
        found += [(t, "disk full", self.fill_the_disk) for t, _ in plan.full_disk]
        found += [(t + d, "disk free", self.free_the_disk) for t, d in plan.full_disk]
        found += [
            (t, "consumer SIGKILL", partial(self.kill_a_consumer, n % CONSUMERS))
            for n, t in enumerate(plan.consumer_kills)
        ]
        return sorted(found, key=lambda f: f[0])

    def nodes(self) -> list[subprocess.Popen[bytes]]:
        """Processes of nodes, which end when everything has been shipped."""
        plan, found = self.plan, []
        each = -(-plan.nodes // PROCESSES)
        for first in range(0, plan.nodes, each):
            last = min(plan.nodes, first + each)
            amount = map(str, (first, last, plan.ticks, plan.tick_s))
            where = (str(self.folder), self.proxy.address)
            command = [sys.executable, "-m", "tests.chain.fleet", *where, *amount]
            with (self.folder / "nodes.log").open("ab") as log:
                found.append(subprocess.Popen(command, stdout=log, stderr=log))
        return found


def run(folder: Path, plan: Plan) -> None:
    """Let everything of the plan happen, and wait until all has arrived."""
    with ExitStack() as stack:
        chain = Chain(folder, plan, stack)
        nodes = chain.nodes()
        for node in nodes:
            stack.callback(node.kill)
        began = time.monotonic()
        with (folder / "faults.txt").open("w") as told:
            for at_s, name, fault in chain.faults():
                time.sleep(max(0.0, began + at_s - time.monotonic()))
                fault()
                told.write(f"{time.monotonic() - began:8.1f} s  {name}\n")
                told.flush()
        for node in nodes:
            left = plan.ticks * plan.tick_s + plan.settle_s - (time.monotonic() - began)
            assert node.wait(max(1.0, left)) == 0, (folder / "nodes.log").read_text()[-2000:]
        try:
            wait_until(
                "everything stored",
                lambda: all(not line.lost for line in ledger(folder)),
                plan.settle_s,
                every_s=1.0,
            )
        except TimeoutError:
            print((folder / "consumer.log").read_text()[-4000:])
        print("\n" + show(lines := ledger(folder)))
        assert all((line.lost, line.doubled) == (0, 0) for line in lines)
        assert all(line.produced == line.stored > 0 for line in lines)
        assert {line.where for line in lines} == {"lake", "store", "influxdb"}


def test_nothing_is_lost_or_doubled(tmp_path, kafka, influx):
    """The fixtures only say whether there are such servers here: these are killed."""
    run(tmp_path, QUICK)


@pytest.mark.prove
def test_fifty_nodes(tmp_path, kafka, influx):
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a disk of the broker's own, which is filled, needs root")
    run(tmp_path, LONG)
