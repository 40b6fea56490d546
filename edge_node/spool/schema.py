"""Tables of a spool's SQLite file.

``record.rank`` orders what is given up: that of its kind, or -1 for gap records. ``record.level``
says how often its content was reduced. Values stand apart in ``body``: a note on a record must not
cost the room of its value, least of all when there is none. ``clock`` is stream time without its
jumps: it never goes back, and one step counts for a day at most, so a clock that is set wrong makes
nothing old. ``flying``, which no file holds, are the records that are being shipped.
"""

# ruff: noqa: S608 (nothing but our own names of columns is put into a query)

from __future__ import annotations

VERSION = 2
ROW_BYTES = 256
"""What a record takes on the disk beside its value: row, three indexes, part-filled pages."""
LARGE_BYTES, PAGE_BYTES = 1000, 2048
"""A value above the first has pages of its own, of which it leaves the second empty on average."""


def _taken(row: str) -> str:
    return f"{row}.bytes + {ROW_BYTES} + {PAGE_BYTES} * ({row}.bytes > {LARGE_BYTES})"


SCHEMA = f"""
CREATE TABLE record (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, lane TEXT NOT NULL,
  sequence INTEGER NOT NULL, key TEXT NOT NULL, bytes INTEGER NOT NULL, t0_ns INTEGER NOT NULL,
  stamp_ns INTEGER NOT NULL, priority INTEGER NOT NULL, rank INTEGER NOT NULL,
  items INTEGER NOT NULL, level INTEGER NOT NULL DEFAULT 0);
CREATE TABLE body (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE INDEX record_order ON record (lane, priority, id);
CREATE INDEX record_ladder ON record (rank, level, id);
CREATE INDEX record_age ON record (stamp_ns);
CREATE TABLE held (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
INSERT INTO held VALUES (1, 0);
CREATE TRIGGER record_added AFTER INSERT ON record WHEN NEW.rank >= 0
  BEGIN UPDATE held SET bytes = bytes + {_taken("NEW")}; END;
CREATE TRIGGER record_gone AFTER DELETE ON record WHEN OLD.rank >= 0
  BEGIN UPDATE held SET bytes = bytes - ({_taken("OLD")}); END;
CREATE TRIGGER record_reduced AFTER UPDATE OF bytes ON record WHEN OLD.rank >= 0
  BEGIN UPDATE held SET bytes = bytes - ({_taken("OLD")}) + {_taken("NEW")}; END;
CREATE TRIGGER body_gone AFTER DELETE ON record BEGIN DELETE FROM body WHERE id = OLD.id; END;
CREATE TABLE lane (kind TEXT, lane TEXT, sequence INTEGER NOT NULL,
  PRIMARY KEY (kind, lane)) WITHOUT ROWID;
CREATE TABLE given_up (kind TEXT PRIMARY KEY, records INTEGER NOT NULL,
  bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE loss (step TEXT, reason TEXT, kind TEXT, lane TEXT, records INTEGER NOT NULL,
  items INTEGER NOT NULL, bytes INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, since_ns INTEGER NOT NULL,
  PRIMARY KEY (step, reason, kind, lane)) WITHOUT ROWID;
CREATE TABLE spent (day INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), last_ns INTEGER NOT NULL,
  age_ns INTEGER NOT NULL);
CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL,
  gaps INTEGER NOT NULL);
INSERT INTO identity VALUES (1, LOWER(HEX(RANDOMBLOB(6))), 0);
CREATE TABLE checkpoint (one INTEGER PRIMARY KEY CHECK (one = 1), content BLOB NOT NULL);
PRAGMA user_version = {VERSION};
"""
