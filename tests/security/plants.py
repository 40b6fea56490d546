"""A plant whose cloud and nodes are set up on a real secure broker, with our own verbs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.services.kafka_secure import SecureKafkaServer
from tests.vibro.cli.commands import Done, vibro
from vibro.assets import Machine, Point, Register, export
from vibro.log.kafka.settings import KafkaSection

MESSAGE_MAX_MB = 1.0
"""Small, so that what is too large is made quickly."""


@dataclass(frozen=True)
class PlantOnKafka:
    """A home folder and the broker that it is set up on.

    Attributes
    ----------
    root : Path
        Holds ``home`` and a folder for each node.
    """

    root: Path
    server: SecureKafkaServer

    @property
    def home(self) -> Path:
        return self.root / "home"

    def settings(self, pair: str | Path) -> KafkaSection:
        """How whoever has this file of key and certificate reaches the broker."""
        return KafkaSection(
            servers=(self.server.servers,),
            ca_file=str(self.server.ca / "ca.pem"),
            cert_file=str(pair),
            key_file=str(pair),
            request_timeout_s=20.0,
            message_max_mb=MESSAGE_MAX_MB,
        )

    def cloud(self, verb: str, *argv: object) -> Done:
        """Run a verb of the cloud on this home."""
        return vibro("cloud", verb, *argv, "--home", self.home)

    def register(self, *machines: str) -> None:
        """Let the register hold these machines, each ``site/machine``."""
        made = [
            Machine(*m.split("/"), "motor", points=(Point("de-h", "DE", "H"),)) for m in machines
        ]
        text = export(Register({m.path: m for m in made}))
        (self.home / "assets.csv").write_text(text, encoding="utf-8")

    def enrolled(self, machine: str, **entries: object) -> Path:
        """Enrol a machine's node as a person does; return its configuration."""
        site, name = machine.split("/")
        config = self.root / f"{site}-{name}" / "node.toml"
        if not config.exists():
            config.parent.mkdir()
            config.write_text(
                f'[node]\nid = "{site}-{name}"\nsite = "{site}"\nmachine = "{name}"\n'
            )
        done(vibro("edge", "enroll", config))
        request = config.parent / "tls" / f"{site}-{name}.csr"
        signed = config.parent / "signed.pem"
        done(self.cloud("sign", request, "--out", signed, "--days", 1))
        done(vibro("edge", "enroll", config, "--certificate", signed))
        return config

    def pair(self, machine: str) -> Path:
        """Key and certificate of an enrolled node."""
        return self.root / machine.replace("/", "-") / "tls" / "node.pem"


def done(result: Done) -> Done:
    """Insist that a verb went well."""
    assert result.status == 0, result
    return result


def plant_on(root: Path, server: SecureKafkaServer, *machines: str) -> PlantOnKafka:
    """Make a home whose authority is the broker's, with its cloud and admin certificates."""
    plant = PlantOnKafka(root, server)
    (plant.home / "authority").mkdir(parents=True)
    for name in ("ca.pem", "ca.key"):
        shutil.copy(server.ca / name, plant.home / "authority" / name)
    (plant.home / "authority" / "ca.key").chmod(0o600)
    for service in ("cloud", "admin"):
        pair = plant.home / f"secrets/{service}.pem"
        done(plant.cloud("sign", "--service", service, "--out", pair, "--days", 1))
    (plant.home / "cloud.toml").write_text(
        '[services]\ntransport = "kafka"\n[kafka]\n'
        f'servers = ["{server.servers}"]\nca_file = "authority/ca.pem"\n'
        'cert_file = "secrets/cloud.pem"\nkey_file = "secrets/cloud.pem"\n'
        f"message_max_mb = {MESSAGE_MAX_MB}\n"
    )
    plant.register(*machines)
    return plant
