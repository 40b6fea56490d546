"""The compose file brought up without an engine: each service in its box, in compose's own order.

Our two images are built from the Dockerfile. Of the official ones their programs are taken from
the tests' own services, and started as the image's entry point starts them; Grafana is not to be
had. Everything else is what compose says: commands, mounts, secrets, users, rights, healthchecks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deploy.builder import PATH, Builder, Image
from tests.deploy.namespaces import Box, Mount, Network, command, etc_of
from tests.deploy.tools import compose_model
from tests.services.influx import influxd
from tests.services.kafka import kafka_home
from tests.services.postgres import binaries
from tests.services.process import wait_until

Folders = Mapping[str, tuple[int, int, int]]
"""Owner, group and mode of folders of an image: a new volume in such a place gets them."""

KAFKA = """
said=$(java -Xmx256m -cp '/opt/kafka/libs/*' kafka.docker.KafkaDockerWrapper setup \
  --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config \
  --final-configs-dir /opt/kafka/config 2>&1) || echo "$said" | grep "already formatted" || exit 1
exec java $KAFKA_HEAP_OPTS -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  -cp '/opt/kafka/libs/*' kafka.Kafka /opt/kafka/config/server.properties
"""
INFLUXDB = """
/opt/influxd --http-bind-address=:8086 --bolt-path=/var/lib/influxdb2/influxd.bolt \
  --sqlite-path=/var/lib/influxdb2/influxd.sqlite --engine-path=/var/lib/influxdb2/engine &
until curl --silent --fail http://127.0.0.1:8086/health > /tmp/health; do sleep 0.1; done
curl --silent --fail http://127.0.0.1:8086/api/v2/setup --data "{
  \\"username\\": \\"$DOCKER_INFLUXDB_INIT_USERNAME\\", \\"org\\": \\"$DOCKER_INFLUXDB_INIT_ORG\\",
  \\"bucket\\": \\"$DOCKER_INFLUXDB_INIT_BUCKET\\",
  \\"password\\": \\"$(cat $DOCKER_INFLUXDB_INIT_PASSWORD_FILE)\\",
  \\"token\\": \\"$(cat $DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE)\\"}" > /tmp/setup
wait
"""
POSTGRES = """
cp "$POSTGRES_PASSWORD_FILE" /tmp/password
initdb -D "$PGDATA" -U "$POSTGRES_USER" --encoding=UTF8 --locale=C.UTF-8 \
  --auth=scram-sha-256 --pwfile=/tmp/password > /tmp/initdb
echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
postgres -D "$PGDATA" -c listen_addresses='*' &
export PGPASSWORD="$(cat /tmp/password)"
until psql -h 127.0.0.1 -U "$POSTGRES_USER" -d postgres -c "create database $POSTGRES_DB"
do sleep 0.1; done
wait
"""


@dataclass(frozen=True, slots=True)
class Official:
    """What is known of an official image."""

    script: str
    user: str
    mounts: Sequence[Mount]
    folders: Folders
    environment: Mapping[str, str] = field(default_factory=dict)


def official(name: str) -> Official:
    """An official image, its programs being those of the tests' own services."""
    if name == "apache/kafka":
        jars = Mount("/opt/kafka/libs", kafka_home() / "libs", read_only=True)
        folders = {
            "/var/lib/kafka/data": (1000, 0, 0o775),
            "/opt/kafka/config": (1000, 1000, 0o755),
        }
        return Official(KAFKA, "1000:1000", [jars], folders)
    if name == "influxdb":
        program = Mount("/opt/influxd", influxd(), read_only=True)
        folders = {f"/{top}/influxdb2": (1000, 1000, 0o755) for top in ("var/lib", "etc")}
        return Official(INFLUXDB, "0:0", [program], folders)
    if name == "postgres":
        folder = binaries()
        programs = [] if folder.is_relative_to("/usr") else [Mount(str(folder), folder, True)]
        data = "/var/lib/postgresql/data"
        environment = {"PGDATA": data, "PATH": f"{folder}:{PATH}"}
        return Official(POSTGRES, "0:0", programs, {data: (999, 999, 0o1777)}, environment)
    raise AssertionError(f"{name}: the tests have no such image")


class Stack:
    """Services of a compose file.

    Parameters
    ----------
    deploy : Path
        Folder of the compose file: a copy, with secrets.
    work : Path
        For images, volumes and logs.
    """

    def __init__(self, deploy: Path, work: Path, network: Network) -> None:
        self.model = compose_model(deploy)
        self._work, self._network = work, network
        self._builder = Builder(work / "images")
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def service(self, name: str) -> dict[str, Any]:
        """What compose says of a service."""
        found: dict[str, Any] = self.model["services"][name]
        return found

    def volume(self, name: str) -> Path:
        """Where a named volume lies."""
        return self._work / "volumes" / name

    def log(self, name: str) -> str:
        """Everything that a service has said."""
        return (self._work / f"{name}.log").read_text(errors="replace")

    def up(self, name: str, deadline_s: float = 180.0) -> None:
        """Start a service after those that it depends on, in the state that it wants them in."""
        for other, wish in self.service(name).get("depends_on", {}).items():
            if other not in self._running:
                self.up(other, deadline_s)
            if wish["condition"] == "service_completed_successfully":
                status = self._running[other].wait(deadline_s)
                assert status == 0, f"{other} ended with {status}: {self.log(other)[-3000:]}"
            elif wish["condition"] == "service_healthy":
                self.wait_healthy(other, deadline_s)
        self._running[name] = self._start(name)

    def wait_healthy(self, name: str, deadline_s: float = 180.0) -> None:
        """Wait until a service's own healthcheck succeeds."""
        _, *test = self.service(name)["healthcheck"]["test"]

        def healthy() -> bool:
            status = self._running[name].poll()
            assert status is None, f"{name} ended with {status}: {self.log(name)[-3000:]}"
            return self.run(name, test).returncode == 0

        wait_until(f"{name} healthy", healthy, deadline_s)

    def run(self, name: str, argv: Sequence[str], **more: Path) -> subprocess.CompletedProcess[str]:
        """Run a command as one of a service's containers would; it sees ``more`` below /more."""
        extra = [Mount(f"/more/{key}", path, read_only=True) for key, path in more.items()]
        return subprocess.run(
            self._argv(name, argv, extra), capture_output=True, text=True, check=False
        )

    def again(self, name: str, deadline_s: float = 180.0) -> None:
        """Run a service that ends once more; it must end well."""
        status = self._start(name).wait(deadline_s)
        assert status == 0, f"{name} ended with {status}: {self.log(name)[-3000:]}"

    def down(self) -> None:
        """End everything."""
        for process in self._running.values():
            process.kill()
            process.wait()

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        with (self._work / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", *self._argv(name, self._command(name))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _argv(self, name: str, argv: Sequence[str], extra: Sequence[Mount] = ()) -> list[str]:
        root = self._work / "roots" / f"{name}-{time.monotonic_ns()}"
        root.mkdir(parents=True)
        return self._network.inside(command(self._box(name, extra), argv, root))

    def _image(self, service: Mapping[str, Any]) -> Image | Official:
        if "build" in service:
            return self._builder.build(service["build"]["target"])
        return official(service["image"].split(":")[0])

    def _command(self, name: str) -> list[str]:
        service = self.service(name)
        image = self._image(service)
        if isinstance(image, Official):
            return ["bash", "-c", image.script]
        entry = service.get("entrypoint")
        argv = service.get("command") or (image.command if entry is None else ())
        return [*(image.entrypoint if entry is None else entry), *argv]

    def _box(self, name: str, extra: Sequence[Mount]) -> Box:
        service = self.service(name)
        image = self._image(service)
        ours = isinstance(image, Image)
        uid, gid = map(int, (service.get("user") or image.user).split(":"))
        base = list(image.mounts()) if ours else list(image.mounts)
        return Box(
            etc=self._etc(name),
            mounts=[*base, *self._mounts(service, image), *extra],
            environment={"PATH": PATH} | dict(image.environment) | _texts(service["environment"])
            if "environment" in service
            else {"PATH": PATH} | dict(image.environment),
            user=(uid, gid),
            capabilities=[c.lower() for c in service.get("cap_add", [])],
            folder=image.folder if ours else "/",
            read_only=service.get("read_only", False),
            no_new_privileges="no-new-privileges:true" in service.get("security_opt", []),
        )

    def _etc(self, name: str) -> Path:
        folder = self._work / "etc" / name
        if not folder.exists():
            users = {"appuser": (1000, 1000), "postgres": (999, 999), "vibro": (10001, 10001)}
            folder.parent.mkdir(exist_ok=True)
            etc_of(folder, users, [*self.model["services"], "grafana"])
        return folder

    def _mounts(self, service: Mapping[str, Any], image: Image | Official) -> list[Mount]:
        found = [self._tmpfs(text) for text in service.get("tmpfs", [])]
        for volume in service.get("volumes", []):
            target, read_only = volume["target"], volume.get("read_only", False)
            source = (
                Path(volume["source"])
                if volume["type"] == "bind"
                else self._filled(volume.get("source") or target.replace("/", "-"), target, image)
            )
            assert source.exists(), f"{source} is mounted and is not there"
            found.append(Mount(target, source, read_only))
        for secret in service.get("secrets", []):
            file = Path(self.model["secrets"][secret["source"]]["file"])
            target = secret.get("target") or f"/run/secrets/{secret['source']}"
            found.append(Mount(target, file, read_only=True))
        return found

    @staticmethod
    def _tmpfs(text: str) -> Mount:
        """Docker's options for a tmpfs: nothing in it is run unless that is said."""
        target, _, options = text.partition(":")
        given = options.split(",")
        return Mount(
            target, None, options=",".join(given if "exec" in given else ["noexec", *given])
        )

    def _filled(self, name: str, target: str, image: Image | Official) -> Path:
        """Make a volume as docker does at its first use: owned as the image's folder there."""
        folder = self.volume(name)
        if folder.exists():
            return folder
        folder.mkdir(parents=True)
        if isinstance(image, Official):
            uid, gid, mode = image.folders.get(target, (0, 0, 0o755))
            os.chown(folder, uid, gid)
            folder.chmod(mode)
        elif (there := image.host_path(target)) is not None and there.is_dir():
            shutil.copytree(there, folder, dirs_exist_ok=True)
            status = there.stat()
            os.chown(folder, status.st_uid, status.st_gid)
        return folder


def _texts(environment: Mapping[str, Any]) -> dict[str, str]:
    return {key: "" if value is None else str(value) for key, value in environment.items()}
