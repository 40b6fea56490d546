"""SQLite's write-ahead journal and transactions, for files that two processes may open at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE_S = 0.01


def write_ahead(opened: sqlite3.Connection | sqlite3.Cursor, busy_s: float) -> None:
    """Change a new file's journal; SQLite itself does not wait while another process does so.

    Raises
    ------
    sqlite3.OperationalError
        If the file stays locked for ``busy_s``.
    """
    until = time.monotonic() + busy_s
    while True:
        try:
            opened.execute("pragma journal_mode=wal")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)
        else:
            return


@contextmanager
def immediate(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, whatever is raised; waits for other writers where it begins."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
