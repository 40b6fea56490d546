"""Where the relational store lies: where ``HOME/cloud.toml`` says, else in the home itself."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from cloud_jobs.config import CloudConfig, load
from vibro.errors import BadInputError

FILE = "store.db"

LOOPBACK = ("127.0.0.1", "::1", "localhost")

REMEDY = "write sqlite:///FILE or postgresql://USER@HOST:5432/DATABASE, or leave it out"


def of_home(home: Path) -> URL:
    """URL of a home folder's store.

    Raises
    ------
    BadInputError
        If ``cloud.toml`` cannot be used.
    """
    return of_config(load(home))


def check(home: Path) -> None:
    """See that there is a store to read, so that a mistyped home is not made.

    Raises
    ------
    BadInputError
        If the home has no file, and its configuration names no other store.
    """
    if not load(home).services.store and not (home / FILE).exists():
        raise BadInputError(
            f"{home} holds no {FILE}: name a home with --home, or make one with `vibro demo`"
        )


def of_config(config: CloudConfig) -> URL:
    """URL of the store that a configuration names, with its password.

    Beyond loopback PostgreSQL's certificate is verified, unless ``sslmode`` says another thing.

    Raises
    ------
    BadInputError
        Naming the key, and never what it holds: there may be a password in it.
    """
    services = config.services
    if not services.store:
        return _sqlite(config.home / FILE)
    url = _parsed(services.store)
    kind = url.drivername.partition("+")[0]
    if url.password is not None or "password" in url.query:
        raise BadInputError(
            "services.store holds a password: put it into a file of its own, "
            "and name that as services.store_password_file"
        )
    if kind == "sqlite" and url.database:
        return _sqlite(config.path(url.database))
    if kind not in ("postgresql", "postgres") or not url.database:
        raise BadInputError(f"services.store is no store's URL: {REMEDY}")
    url = url.set(drivername="postgresql+psycopg")
    if services.store_password_file:
        key = "services.store_password_file"
        url = url.set(password=config.secret(services.store_password_file, key))
    verified = "sslmode" in url.query or is_local(url)
    return url if verified else url.update_query_dict({"sslmode": "verify-full"})


def _parsed(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        raise BadInputError(f"services.store is no URL: {REMEDY}") from None


def _sqlite(file: Path) -> URL:
    file.parent.mkdir(parents=True, exist_ok=True)
    return URL.create("sqlite", database=str(file))


def is_local(url: URL) -> bool:
    """Whether a server is on this machine."""
    host = url.host or url.query.get("host", "")
    return host in LOOPBACK or not host or str(host).startswith("/")
