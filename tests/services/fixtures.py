"""The session's fixtures: a service is started by the first test that asks, for its worker."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.services import chromium as browsers
from tests.services.influx import InfluxServer
from tests.services.kafka import KafkaServer
from tests.services.kafka_secure import SecureKafkaServer
from tests.services.kept import ServiceMissingError
from tests.services.postgres import PostgresServer
from tests.services.process import Server

__all__ = ["chromium", "influx", "kafka", "kafka_secure", "postgres"]

S = TypeVar("S", bound=Server)


@contextmanager
def missing_is_told() -> Iterator[None]:
    """Skip the test where a service cannot be had, or fail with ``VIBRO_SERVICES=required``."""
    try:
        yield
    except ServiceMissingError as error:
        if os.environ.get("VIBRO_SERVICES") == "required":
            pytest.fail(f"VIBRO_SERVICES=required: {error}", pytrace=False)
        pytest.skip(str(error))


@contextmanager
def session_server(server: S) -> Iterator[S]:
    """Start a server; at the end of the session kill it and remove its data."""
    try:
        with missing_is_told():
            server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker that asks nobody who he is."""
    with session_server(KafkaServer(tmp_path_factory.mktemp("kafka"))) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafkaServer]:
    """A broker with mutual TLS and ACLs."""
    with session_server(SecureKafkaServer(tmp_path_factory.mktemp("kafka-secure"))) as server:
        yield server


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """An InfluxDB server with an organisation and its operator's token."""
    with session_server(InfluxServer(tmp_path_factory.mktemp("influx"))) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; not in pytest's folder, which other users may not enter."""
    folder = Path(tempfile.mkdtemp(prefix="vibro-postgres-"))
    with session_server(PostgresServer(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Path of a browser that needs no screen."""
    with missing_is_told():
        return browsers.browser()
