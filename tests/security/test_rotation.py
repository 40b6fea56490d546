"""A running node gets another key and certificate, and loses no window."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from cloud_jobs.authority import Authority, Wish
from cloud_jobs.consume import Consumer
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store
from tests.security.hands import ended
from tests.security.plants import done, plant_on
from tests.services.process import wait_until
from tests.vibro.cli.commands import vibro
from tests.vibro.cli.homes import NODE
from vibro.cli.assets import register_of
from vibro.errors import VibroError
from vibro.log.kafka.certificates import read_certificates
from vibro.log.kafka.feed import KafkaFeed
from vibro.log.kafka.transport import KafkaTransport

SITE = f"s{secrets.token_hex(4)}"
MACHINE = f"{SITE}/fan-1"
FIRST_S = 90.0
"""Term of the certificate that expires."""


def laid_out(plant):
    """A node that simulates in real time and ships to the broker."""
    register = files("vibro.simulate").joinpath("plant.csv").read_text().replace("austin", SITE)
    (plant.home / "assets.csv").write_text(register)
    config = plant.root / f"{SITE}-fan-1" / "node.toml"
    config.parent.mkdir()
    text = NODE.format(t0=0, seconds=600.0, half=300.0).replace("austin", SITE)
    text = text.replace('pace = "fast"', 'pace = "real"').replace("../../assets.csv", "assets.csv")
    (config.parent / "assets.csv").write_text(register)
    config.write_text(
        f'{text}status_s = 1\ncommit_s = 1\n[ship]\ntransport = "kafka"\n'
        f'[kafka]\nservers = ["{plant.server.servers}"]\n'.replace("status_s = 10\n", "")
    )
    return config


def renewed(plant, config, days):
    """Do what a person does: ask, sign, take."""
    asked = done(vibro("edge", "enroll", config, "--json")).json
    wish = Wish(datetime.now(UTC), days)
    issued = Authority(plant.home).sign_node(Path(asked["request"]), register_of(plant.home), wish)
    signed = config.parent / "signed.pem"
    signed.write_bytes(issued.pem)
    return done(vibro("edge", "enroll", config, "--certificate", signed, "--json")).json


def connections(pid, port):
    """Local ports of a process's connections to a port."""
    inodes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            inodes.add(str(fd.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {
        row[1] for row in rows if row[9] in inodes and int(row[2].rpartition(":")[2], 16) == port
    }


class Cloud:
    """Takes in what the node ships."""

    def __init__(self, plant):
        settings = plant.settings(plant.home / "secrets/cloud.pem")
        self.store = Store(plant.home)
        self._log = KafkaTransport(settings, plant.root, "cloud")
        pattern = rf"vibro\.v1\.{SITE}\.(features|events|clips|health)"
        self._feed = KafkaFeed(settings, plant.root, f"vibro-{SITE}", pattern)
        self._consumer = Consumer(self._feed, self._log, Lake(plant.home), self.store)

    def records(self):
        """Records taken in so far, and the numbers that never came."""
        with suppress(VibroError):  # the broker may just be away
            self._consumer.poll(0.2)
        taken, missing = self.store.received()
        return sum(taken.values()), missing

    def grows(self, what, by=3):
        before = self.records()[0]
        wait_until(what, lambda: self.records()[0] >= before + by, 120.0)

    def close(self):
        self._feed.close()
        self._log.close()
        self.store.close()


@pytest.mark.slow_nojit
@pytest.mark.parametrize(
    "expires", [False, pytest.param(True, marks=pytest.mark.prove)], ids=["in time", "at the end"]
)
def test_a_running_node_takes_a_new_certificate_and_loses_nothing(tmp_path, kafka_secure, expires):
    plant = plant_on(tmp_path, kafka_secure, MACHINE)
    config = laid_out(plant)
    renewed(plant, config, FIRST_S / 86_400 if expires else 0.5)
    pair = plant.pair(MACHINE)
    first = pair.read_bytes()
    done(plant.cloud("setup", "--yes"))
    port = int(kafka_secure.servers.rpartition(":")[2])
    argv = [sys.executable, "-P", "-m", "vibro", "edge", "run", "--log-format", "json", "--json"]
    log = (tmp_path / "edge.log").open("w+")
    edge = subprocess.Popen([*argv, str(config)], stderr=log, stdout=subprocess.PIPE, text=True)
    try:
        with closing(Cloud(plant)) as cloud:
            cloud.grows("the first records")
            before = connections(edge.pid, port)
            assert before

            assert not renewed(plant, config, 0.5)["configured"]
            assert pair.read_bytes() != first
            edge.send_signal(signal.SIGHUP)
            wait_until(
                "other connections",
                lambda: (now := connections(edge.pid, port)) and not now & before,
                60.0,
            )
            cloud.grows("records after the reload")

            if expires:
                old = tmp_path / "old.pem"
                old.write_bytes(first)
                wait_until("the old one's end", lambda: ended(old), 2 * FIRST_S)
                # Whoever connects now must show the new one.
                kafka_secure.kill()
                kafka_secure.start()
                cloud.grows("records after the old one's end")

            edge.send_signal(signal.SIGTERM)
            out, _ = edge.communicate(timeout=60.0)
            report = json.loads(out)[0]
            samples = report["samples"]
            assert samples["lost"] == 0
            assert samples["seen"] == samples["processed"] > 0
            wait_until("the last records", lambda: cloud.records()[0] >= 6, 60.0)
            assert cloud.records()[1] == 0
    finally:
        edge.kill()
        edge.wait()
        log.seek(0)
        told = log.read()
        log.close()
    assert "reloaded" in told
    assert "PRIVATE KEY" not in told
    assert read_certificates(pair)[0].not_valid_after_utc > datetime.now(UTC)
