"""A Kafka broker of one node (KRaft), its controller in the same process."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.services.kept import kept, need, run
from tests.services.process import Server, free_port

POM = Path(__file__).parent / "kafka_jars" / "pom.xml"
CLUSTER = "dmlicm8tdGVzdHMtMDAwMQ"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A killed broker may come back only when the controller has given up its last session.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Memory for compaction, of which tests have little to do.
    "log.cleaner.dedupe.buffer.size": "16777216",
}

LOGGING = tuple(
    f"-Dorg.slf4j.simpleLogger.{key}"
    for key in (
        "showDateTime=true",
        "dateTimeFormat=HH:mm:ss.SSS",
        "defaultLogLevel=warn",
        "log.kafka.server.KafkaRaftServer=info",
    )
)
"""Warnings, and the line that says that the broker is ready."""


def kafka_home() -> Path:
    """Folder with the broker's jars (``libs``) and an empty, formatted ``data`` folder."""
    return kept("kafka", [POM], _make)


def _make(folder: Path) -> None:
    java, maven = need("java", "openjdk-17-jre-headless"), need("mvn", "maven")
    libs = folder / "libs"
    run(
        [
            maven,
            "-q",
            "-B",
            "-f",
            POM,
            PLUGIN,
            "-DincludeScope=runtime",
            f"-DoutputDirectory={libs}",
        ]
    )
    # Formatting knows neither ports nor paths: one empty store is copied for each broker.
    settings = folder / "format.properties"
    listeners = {
        "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
        "controller.quorum.voters": "1@127.0.0.1:9093",
    }
    write_properties(settings, SETTINGS | listeners | {"log.dirs": str(folder / "data")})
    tool = [java, "-Xmx128m", "-cp", f"{libs}/*", "kafka.tools.StorageTool"]
    run([*tool, "format", "-t", CLUSTER, "-c", settings])
    settings.unlink()


class KafkaServer(Server):
    """A broker that anyone on this machine may use.

    Parameters
    ----------
    folder : Path
        For its data, settings and log.
    settings : mapping, optional
        Properties of the broker that differ from those of `SETTINGS`.
    """

    name = "kafka"

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self._port, self._controller = free_port(), free_port()
        self._settings = dict(settings or {})
        self._read_from = 0

    @property
    def servers(self) -> str:
        """Address of the broker, ``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self._port}"

    def command(self) -> list[str]:
        """Java with a small heap and its first compiler only, which halves the time to start."""
        java = need("java", "openjdk-17-jre-headless")
        return [
            *(java, "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *LOGGING,
            *("-cp", f"{kafka_home() / 'libs'}/*", "kafka.Kafka"),
            str(self.folder / "server.properties"),
        ]

    def start(self) -> None:
        """Start it, the first time on an empty store."""
        if not self.running:
            data = self.folder / "data"
            if not data.exists():
                shutil.copytree(kafka_home() / "data", data)
            write_properties(self.folder / "server.properties", self.properties())
            self._read_from = self.log.stat().st_size if self.log.exists() else 0
        super().start()

    def ready(self) -> bool:
        """Whether the log says so since this start."""
        with self.log.open("rb") as log:
            log.seek(self._read_from)
            return b"Kafka Server started" in log.read()

    def properties(self) -> dict[str, str]:
        """All settings of the broker."""
        return (
            SETTINGS
            | {
                "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
                "log.dirs": str(self.folder / "data"),
            }
            | self.listeners()
            | self._settings
        )

    def listeners(self) -> dict[str, str]:
        """Where it listens, and who may do what there."""
        return {
            "listeners": f"PLAINTEXT://{self.servers},CONTROLLER://127.0.0.1:{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{self.servers}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }


def write_properties(file: Path, values: Mapping[str, str]) -> None:
    """Write a file of Java properties."""
    file.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
