"""A spool's SQLite file: opening it, all-or-nothing changes, and errors that are one clear line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import disk_usage
from typing import Any

from edge_node.spool.entry import failure
from edge_node.spool.schema import SCHEMA, VERSION
from vibro.errors import VibroError
from vibro.log.journal import immediate, write_ahead

BUSY_S = 30.0
PIECE_BYTES = 65_536
MARGIN_BYTES = 8_000_000
"""With less than this free the file may not grow; above what the journal may still need to land."""
_MOST_PAGES = 2**31 - 2


class Database:
    """One file, or memory, with the tables of `schema`.

    Parameters
    ----------
    path : Path or None
        None for memory.
    reserve_bytes : int
        Room that a new file takes at once and keeps.
    first_id : int
        Id of the first record of a new one.
    """

    def __init__(self, path: Path | None, reserve_bytes: int, first_id: int) -> None:
        self._path, self._tight = path, False
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with self.reporting():
            self.connection = sqlite3.connect(
                path or ":memory:", timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(reserve_bytes, first_id)
            except BaseException:
                self.connection.close()
                raise

    def _prepare(self, reserve_bytes: int, first_id: int) -> None:
        db = self.connection
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if version != VERSION and tables:
            raise VibroError(f"spool {self._path} is of another version: move it away")
        if self._path is not None:
            write_ahead(db, BUSY_S)
            db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA temp_store=MEMORY")
        db.execute("CREATE TEMP TABLE flying (id INTEGER PRIMARY KEY)")
        if version == VERSION:
            return
        # One transaction: whoever is killed here leaves an empty file.
        db.executescript(f"BEGIN IMMEDIATE;{SCHEMA}COMMIT;")
        if first_id > 1:
            db.execute("INSERT INTO sqlite_sequence VALUES ('record', ?)", (first_id - 1,))
        if reserve_bytes:
            # The journal grows with it and keeps its length too.
            # In pieces: one value would stand in memory twice.
            db.execute(
                "CREATE TABLE room AS WITH RECURSIVE piece(n) AS (SELECT 1 UNION ALL"
                " SELECT n + 1 FROM piece WHERE n < ?) SELECT ZEROBLOB(?) AS bytes FROM piece",
                (-(-reserve_bytes // PIECE_BYTES), PIECE_BYTES),
            )
            db.execute("DROP TABLE room")

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Any failure of the disk or file is one clear error."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise failure(self._path, error) from None

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """All or nothing.

        Parameters
        ----------
        durable : bool
            Whether it must outlive a power cut once it has returned.
        """
        db = self.connection
        with self.reporting():
            if not durable:
                db.execute("PRAGMA synchronous=NORMAL")
            try:
                with immediate(db):
                    yield db
            finally:
                if not durable:
                    db.execute("PRAGMA synchronous=FULL")

    def hold_size(self) -> None:
        """Let the file grow only while the disk has room to spare.

        What is committed to the journal must find its place in the file later, or the journal
        could never be written over again.
        """
        if self._path is None:
            return
        tight = _free_bytes(self._path.parent) < MARGIN_BYTES
        if tight == self._tight:
            return
        self._tight = tight
        with suppress(sqlite3.Error):
            self.connection.execute(f"PRAGMA max_page_count={1 if tight else _MOST_PAGES}")
        if tight:
            self.settle()

    def settle(self) -> None:
        """Move the journal into the file, so that it is written from its beginning again."""
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def ask(self, query: str, *values: object) -> list[Any]:
        """Rows of a query."""
        with self.reporting():
            return self.connection.execute(query, values).fetchall()


def _free_bytes(folder: Path) -> int:
    try:
        return disk_usage(folder).free
    except OSError:
        return 0
