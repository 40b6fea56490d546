"""What a node says on stderr: one line a matter, for people or as JSON, never the same for ever.

A cause that repeats itself (a link that is down, a limit that trips) would fill a disk with one
sentence. Of each kind of line a few pass in a minute; how many did not is said with the next one.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

PASSED, PERIOD_S = 10, 60.0
"""Lines of one kind that pass within one period."""
FORMATS = ("human", "json")


class Repeats(logging.Filter):
    """Lets so many lines of a kind pass within a period; a kind is a logger and a template."""

    def __init__(self, passed: int = PASSED, period_s: float = PERIOD_S) -> None:
        super().__init__()
        self._passed, self._period_s = passed, period_s
        self._kinds: dict[tuple[str, str], list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass a line or count it; the time is the record's own."""
        kind = (record.name, str(record.msg))
        began, seen, held = self._kinds.get(kind, (record.created, 0, 0))
        if record.created - began >= self._period_s:
            record.held_back = held
            began, seen, held = record.created, 0, 0
        passes = seen < self._passed
        self._kinds[kind] = [began, seen + passes, held + (not passes)]
        return passes


class Human(logging.Formatter):
    """``2026-01-31T12:00:00Z WARNING reflex: text``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, a traceback of a fault of ours excepted."""
        at = _utc(record).strftime("%Y-%m-%dT%H:%M:%SZ")
        name = record.name.removeprefix("vibro.")
        text = f"{at} {record.levelname} {name}: {_one_line(record)}"
        return text + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


class Json(logging.Formatter):
    """One JSON object a line: ``t``, ``level``, ``logger``, ``message``, and what belongs to it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        told = {
            "t": _utc(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _one_line(record),
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def set_up(style: str, level: str) -> logging.Handler:
    """Write the lines of `vibro` and below to stderr; return the handler, for who wants it gone.

    Parameters
    ----------
    style : {'human', 'json'}
    level : {'debug', 'info', 'warning', 'error'}
        Least level that is written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if style == "json" else Human())
    handler.addFilter(Repeats())
    logger = logging.getLogger("vibro")
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False
    return handler


def take_down(handler: logging.Handler) -> None:
    """Undo `set_up`."""
    logger = logging.getLogger("vibro")
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def _utc(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _one_line(record: logging.LogRecord) -> str:
    text = " ".join(record.getMessage().split())
    held: int = getattr(record, "held_back", 0)
    return f"{text} ({held} more of this kind were held back)" if held else text
