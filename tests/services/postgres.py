"""A PostgreSQL server with a cluster of its own."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
from pathlib import Path

import psycopg
from sqlalchemy import URL, make_url

from tests.services.debian import installed
from tests.services.kept import run
from tests.services.process import Server, free_port

USER = "vibro"
PASSWORD = "of the tests: p@ss/word"  # noqa: S105 (with characters that a URL must quote)


def binaries() -> Path:
    """Folder of ``initdb`` and ``postgres``."""
    return installed(_find, "postgresql").parent


def _find() -> Path | None:
    on_path = shutil.which("postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return Path(on_path).resolve() if on_path else (debian[-1] if debian else None)


class PostgresServer(Server):
    """A server on loopback with a password; texts are sorted as people sort them, not by bytes.

    Parameters
    ----------
    folder : Path
        For its data and log. PostgreSQL refuses to run as root: its user must get there.
    """

    name = "postgres"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._port = free_port()
        self._numbers = itertools.count(1)
        if os.geteuid() == 0:
            owner = _owner()
            self.user = (f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups")
            os.chown(folder, owner.pw_uid, owner.pw_gid)

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the maintenance database."""
        return self._url("postgres")

    def new_database(self, template: str = "") -> str:
        """Create a database, empty or a copy of the one with this URL; return its URL."""
        name = f"vibro_{next(self._numbers)}"
        copied = make_url(template).database if template else "template1"
        self._execute(f'create database "{name}" template "{copied}"')
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._execute(f'drop database "{make_url(url).database}" with (force)')

    def command(self) -> list[str]:
        """TCP on loopback only; the disk may lose what the machine would, not the process."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self._port,
            "unix_socket_directories": "",
            "shared_buffers": "32MB",
            "fsync": "off",
        }
        settings = [f"--{key}={value}" for key, value in options.items()]
        return [str(binaries() / "postgres"), "-D", str(self.folder / "data"), *settings]

    def start(self) -> None:
        """Start it, the first time with a new cluster."""
        if not (self.folder / "data").exists():
            self._make_cluster()
        super().start()

    def ready(self) -> bool:
        """Whether it lets its user in."""
        try:
            self._execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def _make_cluster(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        initdb = [binaries() / "initdb", "-D", self.folder / "data", "-U", USER, "--no-sync"]
        initdb += ["-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        initdb += ["--auth=scram-sha-256", f"--pwfile={password}"]
        run([*self.as_user(), *initdb], cwd=self.folder)
        password.unlink()

    def _execute(self, statement: str) -> None:
        url = make_url(self.url)
        with psycopg.connect(
            host=url.host,
            port=url.port,
            user=USER,
            password=PASSWORD,
            dbname=url.database,
            connect_timeout=5,
            autocommit=True,
        ) as connection:
            connection.execute(statement)

    def _url(self, database: str) -> str:
        url = URL.create("postgresql+psycopg", USER, PASSWORD, "127.0.0.1", self._port, database)
        return url.render_as_string(hide_password=False)


def _owner() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")
