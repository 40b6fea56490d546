"""The embedded log: a directory with one append-only SQLite file a topic.

Several processes may append and read at once (WAL). Appends are idempotent per producer, durable
when they return (``synchronous=FULL``), and ordered. Topics that end in ``.models`` are compacted:
the newest message of a key is kept.
"""

from __future__ import annotations

import fnmatch
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vibro.errors import BadInputError, VibroError
from vibro.log.journal import immediate, write_ahead
from vibro.log.port import Message, Stored

_TOPIC = re.compile(r"[a-z0-9][a-z0-9.-]{0,200}\Z")
_BUSY_S = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
  "offset" INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, value BLOB NOT NULL,
  headers TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS producer (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS consumer (name TEXT PRIMARY KEY, "offset" INTEGER NOT NULL)
  WITHOUT ROWID;
"""


class EmbeddedLog:
    """Append-only topics in a directory; see `vibro.log.port.Transport`.

    Parameters
    ----------
    folder : Path
        Made when it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._open: dict[str, sqlite3.Connection] = {}

    def close(self) -> None:
        """Close all files; the log may be used again afterwards."""
        while self._open:
            self._open.popitem()[1].close()

    def _connect(self, topic: str) -> sqlite3.Connection:
        if not _TOPIC.match(topic):
            raise BadInputError(f"topic '{topic}' is not a name: use a-z, 0-9, '.' and '-'")
        if topic not in self._open:
            db = sqlite3.connect(
                self._folder / f"{topic}.db",
                timeout=_BUSY_S,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                write_ahead(db, _BUSY_S)
                db.execute("PRAGMA synchronous=FULL")
                db.executescript(_SCHEMA)
            except sqlite3.Error:
                db.close()
                raise
            self._open[topic] = db
        return self._open[topic]

    @contextmanager
    def _writing(self, topic: str) -> Iterator[sqlite3.Connection]:
        """One immediate transaction; any failure of the disk or file is one clear error."""
        try:
            db = self._connect(topic)
            with immediate(db):
                yield db
        except sqlite3.Error as error:
            raise VibroError(f"log topic {topic}: {error}") from None

    def send(self, topic: str, messages: Sequence[Message]) -> None:
        """Append messages; those whose sequence was taken before are skipped."""
        with self._writing(topic) as db:
            taken = dict(db.execute("SELECT name, sequence FROM producer"))
            for message in messages:
                if message.sequence <= taken.get(message.producer, -1):
                    continue
                taken[message.producer] = message.sequence
                if topic.endswith(".models"):
                    db.execute("DELETE FROM message WHERE key = ?", (message.key,))
                db.execute(
                    "INSERT INTO message (key, value, headers) VALUES (?, ?, ?)",
                    (message.key, message.value, _headers(message)),
                )
            db.executemany(
                "INSERT INTO producer VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence",
                [(m.producer, taken[m.producer]) for m in messages],
            )

    def _ask(self, topic: str, query: str, *values: object) -> list[Any]:
        """Rows of a query; none when the topic does not exist yet."""
        if not (self._folder / f"{topic}.db").exists():
            return []
        try:
            return self._connect(topic).execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise VibroError(f"log topic {topic}: {error}") from None

    def read(self, topic: str, after: int, limit: int, partition: int = 0) -> list[Stored]:
        """Messages with an offset above ``after``; none when the topic does not exist yet."""
        if partition:
            return []
        rows = self._ask(
            topic,
            'SELECT "offset", key, value, headers FROM message WHERE "offset" > ? '
            'ORDER BY "offset" LIMIT ?',
            after,
            limit,
        )
        return [Stored(topic, o, k, v, _parse_headers(h)) for o, k, v, h in rows]

    def topics(self, pattern: str) -> list[str]:
        """Topics that match a shell pattern such as ``vibro.v1.*.events``."""
        names = (p.name.removesuffix(".db") for p in self._folder.glob("*.db"))
        return sorted(n for n in names if fnmatch.fnmatchcase(n, pattern))

    def end_offset(self, topic: str) -> int:
        """Offset of the newest message ever appended; 0 for an empty topic."""
        rows = self._ask(topic, "SELECT seq FROM sqlite_sequence WHERE name = 'message'")
        return int(rows[0][0]) if rows else 0

    def span(self, topic: str) -> range:
        """Offsets of the messages that a topic holds; an empty one begins where it will go on."""
        end = self.end_offset(topic) + 1
        rows = self._ask(topic, 'SELECT MIN("offset") FROM message')
        first = rows[0][0] if rows else None
        return range(end if first is None else int(first), end)

    def size_bytes(self, topic: str) -> int:
        """Bytes of keys, values and headers that a topic holds."""
        rows = self._ask(
            topic,
            "SELECT COALESCE(SUM(LENGTH(CAST(key AS BLOB)) + LENGTH(value) "
            "+ LENGTH(headers) - 2), 0) FROM message",
        )
        return int(rows[0][0]) if rows else 0

    def commit(self, group: str, topic: str, offset: int) -> None:
        """Remember how far a group has consumed."""
        with self._writing(topic) as db:
            db.execute(
                "INSERT INTO consumer VALUES (?, ?) "
                'ON CONFLICT (name) DO UPDATE SET "offset" = excluded."offset"',
                (group, offset),
            )

    def committed(self, group: str, topic: str) -> int:
        """Offset a group has committed; 0 before its first."""
        rows = self._ask(topic, 'SELECT "offset" FROM consumer WHERE name = ?', group)
        return int(rows[0][0]) if rows else 0


def _headers(message: Message) -> str:
    return json.dumps([[k, v.hex()] for k, v in message.headers])


def _parse_headers(text: str) -> tuple[tuple[str, bytes], ...]:
    return tuple((k, bytes.fromhex(v)) for k, v in json.loads(text))
