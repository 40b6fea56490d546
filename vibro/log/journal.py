"""SQLite's write-ahead journal, for every file of ours that two processes may open at once."""

from __future__ import annotations

import sqlite3
import time

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
