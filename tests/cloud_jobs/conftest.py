"""The relational store of the cloud's tests: a file in each home, or a database on a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from cloud_jobs.config import CloudConfig, load
from cloud_jobs.store import Database, address
from tests.services.postgres import PASSWORD, PostgresServer


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> str:
    """A database with the newest tables, that others are copied from."""
    url = postgres.new_database()
    Database(url).close()
    return url


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name of what every home of the module has its store on: run once with each."""
    if request.param == "sqlite":
        yield "sqlite"
        return
    server, template = request.getfixturevalue("postgres"), request.getfixturevalue("migrated")
    made, of_config = [], address.of_config

    def on_the_server(config: CloudConfig) -> URL:
        if config.services.store:
            return of_config(config)
        if not (config.home / "cloud.toml").exists():
            made.append(server.new_database(template))
            lay(config.home, made[-1])
        return of_config(load(config.home))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(address, "of_config", on_the_server)
        yield "postgres"
    for url in made:
        server.drop_database(url)


def lay(home: Path, url: str) -> None:
    """Write a home's configuration that says where its store lies."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "store.password").write_text(PASSWORD + "\n")
    full = make_url(url)
    bare = URL.create(full.drivername, full.username, None, full.host, full.port, full.database)
    (home / "cloud.toml").write_text(
        f'[services]\nstore = "{bare.render_as_string()}"\nstore_password_file = "store.password"\n'
    )
