"""The database itself: where it lies, its migrations, transactions and upserts."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, inspect, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from cloud_jobs.store import address
from cloud_jobs.store.tables import Base
from vibro.errors import BadInputError, MissingExtraError, VibroError
from vibro.log.journal import write_ahead

HEAD = "0006"
"""Newest migration; a test keeps it equal to what the migrations folder says."""

BUSY_S = 30
"""Longest wait for another process that writes."""

CONNECTING = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "options": "-c idle_in_transaction_session_timeout=60s",
}
"""Of a connection to a server. Words are UTF-8, also in a database that knows of no encoding
(SQL_ASCII). One that is gone is noticed within a minute (s; the last timeout in ms), and what a
process that hangs in the middle of a transaction has locked is free after one."""

MIGRATING_KEY = 0x766962726F
"""Of PostgreSQL's lock that is held by who migrates."""

NOT_ALLOWED = "42501"
"""PostgreSQL's code where the user may not do that."""

_MIGRATING = threading.Lock()
"""Alembic's context is one a process."""


class Database:
    """Engine and sessions over one URL, migrated to `HEAD` when opened.

    Parameters
    ----------
    url : str or URL
        SQLAlchemy URL, ``sqlite:///...`` or ``postgresql+psycopg://...``.

    Raises
    ------
    VibroError
        If the file or the server cannot be opened; what is damaged or gone may be met only later.
    BadInputError
        If it is no database, or one of a newer Vibro.
    MissingExtraError
        If PostgreSQL's driver is not installed.
    """

    def __init__(self, url: str | URL) -> None:
        self.engine = _engine(url)
        self._migrate()
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @classmethod
    def of_home(cls, home: Path) -> Database:
        """Open the database of a home folder, where its ``cloud.toml`` says that it lies."""
        return cls(address.of_home(home))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back on an error."""
        with self._clear_errors(), self._sessions.begin() as session:
            yield session

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()

    def _migrate(self) -> None:
        with self._clear_errors():
            with self.engine.connect() as connection:
                version = _version(connection)
            if version != HEAD:
                upgrade(self.engine)

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Say in one line what is wrong with the file or server; else it is a fault of ours."""
        try:
            yield
        except DBAPIError as error:
            told = _told(error, self.engine)
            if told is None:
                raise
            raise told from None


def _engine(url: str | URL) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, json_serializer=_dumps)
        event.listen(engine, "connect", _sqlite_settings)
        return engine
    try:
        return create_engine(
            url, json_serializer=_dumps, pool_pre_ping=True, connect_args=CONNECTING
        )
    except ImportError:
        raise MissingExtraError("a store on PostgreSQL", "postgres") from None


def _told(error: DBAPIError, engine: Engine) -> VibroError | None:
    """Return the one line about a file or a server; None if the program is at fault."""
    driver, url = engine.dialect.loaded_dbapi, engine.url
    if isinstance(error, IntegrityError) or not isinstance(error.orig, driver.Error):
        return None
    said = " ".join(str(error.orig).split())
    if isinstance(error.orig, sqlite3.Error):
        if "not a database" in said or "malformed" in said:
            return BadInputError(
                f"{url.database} is damaged or no store ({said}): "
                "move it away; the log fills a new one"
            )
        return VibroError(f"store {url.database}: {said}")
    if isinstance(error, OperationalError | InterfaceError):
        return VibroError(f"store {_shown(url)}: {said}{_remedy(said)}")
    if getattr(error.orig, "sqlstate", None) == NOT_ALLOWED:
        return VibroError(f"store {_shown(url)}: {said}; its user must own the database")
    return None


def _remedy(said: str) -> str:
    if "password" in said:
        return "; services.store_password_file names the file with the password"
    if "SSL" in said or "certificate" in said:
        return "; sslmode and sslrootcert in services.store say what is verified"
    return ""


def _shown(url: URL) -> str:
    """Name the file, or the server's database without secrets."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database
    ).render_as_string()


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.scalar(text("select version_num from alembic_version"))
    return None if version is None else str(version)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations up to a revision, all or none of them.

    SQLite would commit each statement of a migration by itself; the explicit transaction makes a
    process that is killed meanwhile leave nothing behind, and another one that opens the same store
    wait for its turn, as the lock does on PostgreSQL.

    Raises
    ------
    BadInputError
        If the store was written by a newer Vibro.
    """
    # Imported here because a home needs them once.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "cloud_jobs.store:migrations")
    with _MIGRATING, engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("begin immediate")
        else:
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({MIGRATING_KEY})")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise BadInputError(
                f"{_shown(engine.url)} holds a newer store than this Vibro knows ({error}): "
                "update Vibro or name another home"
            ) from None


def upsert(session: Session, row: type[Base], values: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, overwriting those with the same primary key."""
    if not values:
        return
    table = row.__table__
    assert isinstance(table, Table)  # noqa: S101 (for the type checker)
    dialect = session.get_bind().dialect.name
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    keys = [c.name for c in table.primary_key]
    others = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in keys}
    statement = (
        insert.on_conflict_do_update(index_elements=keys, set_=others)
        if others
        else insert.on_conflict_do_nothing(index_elements=keys)
    )
    session.execute(statement, list(values))


def measured(value: float) -> float | None:
    """NULL for what was not measured (NaN) or is not finite."""
    return float(value) if math.isfinite(value) else None


def finite(value: Any) -> Any:
    """Replace NaN and infinities by None, and arrays by lists, throughout a JSON value."""
    if isinstance(value, dict):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    if isinstance(value, float):
        return measured(value)
    return value


def _dumps(value: Any) -> str:
    return json.dumps(finite(value), separators=(",", ":"), allow_nan=False)


def _sqlite_settings(connection: Any, record: Any) -> None:
    del record
    cursor = connection.cursor()
    cursor.execute(f"pragma busy_timeout={BUSY_S * 1000}")
    # WAL lets the page read while the jobs write; a transaction lost in a power cut is consumed
    # again, because its offsets are lost with it.
    write_ahead(cursor, BUSY_S)
    cursor.execute("pragma synchronous=normal")
    cursor.close()
