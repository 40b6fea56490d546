"""A plant's topics on a real broker, and consumers of them, for the tests of the cloud."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from cloud_jobs.consume import KINDS
from cloud_jobs.consume.letters import DEAD
from tests.cloud_jobs.builders import Sender
from tests.services.process import wait_until
from vibro.log.kafka.feed import KafkaFeed
from vibro.log.kafka.settings import KafkaSection
from vibro.log.kafka.transport import KafkaTransport
from vibro.records import topic

SESSION_S = 6.0
"""The shortest that a broker allows."""
PATIENCE_S = 60.0
"""Of what the test itself sends: a busy machine's broker may take its time."""


class KafkaPlant:
    """Sites of one test: their names begin with its own word, so that tests share a broker.

    Parameters
    ----------
    servers : str
    folder : Path
    """

    def __init__(self, servers: str, folder: Path) -> None:
        self.servers, self.folder = servers, folder
        self.word = f"p{uuid.uuid4().hex[:8]}"
        self.settings = KafkaSection(servers=(servers,), security="plaintext")
        patient = replace(self.settings, request_timeout_s=PATIENCE_S)
        self.log = KafkaTransport(patient, folder, "test")
        self.admin = KafkaAdminClient(bootstrap_servers=servers)
        self.group = f"vibro-{self.word}"
        self.pattern = rf"^vibro\.v1\.{self.word}[a-z0-9-]*\.({'|'.join(KINDS)})$"
        self._create([DEAD], 1)

    def site(self, name: str, partitions: int = 2) -> str:
        """Make a site's topics; return its whole name."""
        site = f"{self.word}{name}"
        self._create([topic(site, kind) for kind in KINDS], partitions)
        return site

    def _create(self, names: list[str], partitions: int) -> None:
        new = [NewTopic(name=n, num_partitions=partitions, replication_factor=1) for n in names]
        there = set(self.admin.list_topics())
        if missing := [t for t in new if t.name not in there]:
            self.admin.create_topics(missing)
            wait_until("topics", lambda: set(names) <= set(self.admin.list_topics()))

    def feed(self, **options: object) -> KafkaFeed:
        """Make a consumer of this plant's group."""
        options = {"session_s": SESSION_S, **options}
        return KafkaFeed(self.settings, self.folder, self.group, self.pattern, **options)

    def sender(self) -> Sender:
        """Make a sender of records."""
        return Sender(self.folder, self.log)

    def close(self) -> None:
        """Let go of the broker."""
        self.log.close()
        self.admin.close()


CONSUMER = """
import signal, sys, threading, time
from pathlib import Path
from cloud_jobs.consume import Consumer, Holding
from cloud_jobs.lake import Lake
from cloud_jobs.store import Database, Store
from vibro.errors import VibroError
from vibro.log.kafka.feed import KafkaFeed
from vibro.log.kafka.settings import KafkaSection
from vibro.log.kafka.transport import KafkaTransport

home, servers, group, pattern, session_s, most, hold_s, url = sys.argv[1:]
home, stop = Path(home), threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
settings = KafkaSection(servers=(servers,), security="plaintext")
feed = KafkaFeed(settings, home, group, pattern, most=int(most), session_s=float(session_s))
store = Store(home, Database(url) if url else None)
jobs = Consumer(feed, KafkaTransport(settings, home, "test"), Lake(home), store,
                holding=Holding(float(hold_s)))
while not stop.is_set():
    try:
        counts = jobs.poll(0.3)
    except VibroError as error:
        print("trouble", error, flush=True)
        time.sleep(0.3)
        continue
    if counts.messages or counts.overtaken:
        print(counts.messages, counts.repeats, counts.overtaken, flush=True)
feed.close()
"""


class ConsumerProcess:
    """A consumer in a process of its own, to be killed, stopped and continued."""

    def __init__(
        self, plant: KafkaPlant, home: Path, most: int = 200, hold_s: float = 0.0, url: str = ""
    ) -> None:
        self._out = home / f"consumer-{uuid.uuid4().hex[:6]}.log"
        arguments = [home, plant.servers, plant.group, plant.pattern, SESSION_S, most, hold_s, url]
        with self._out.open("w") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-c", CONSUMER, *map(str, arguments)],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def end(self) -> int:
        """End it in order; return its exit status."""
        self._process.terminate()
        return self._process.wait(timeout=30)

    @property
    def polls(self) -> list[tuple[int, int, int]]:
        """Messages, repeats and overtaken of each poll that did something."""
        lines = self._out.read_text().splitlines()
        return [tuple(map(int, line.split())) for line in lines if line[:1].isdigit()]

    @property
    def said(self) -> str:
        """Everything it wrote."""
        return self._out.read_text()


@contextmanager
def consumers(plant: KafkaPlant, home: Path, count: int, **options: object) -> Iterator[list]:
    """Run consuming processes; those that are still there at the end are killed."""
    running = [ConsumerProcess(plant, home, **options) for _ in range(count)]
    try:
        yield running
    finally:
        for each in running:
            each.kill()
