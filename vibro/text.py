"""Words for one line of a terminal, a message or a page."""

from __future__ import annotations

import time


def printable(text: str) -> str:
    """Replace by a space what no line can show, and what a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)


def one_line(text: str) -> str:
    """Return the words of a text that may hold anything, with one space between them."""
    return " ".join(printable(text).split())


def stamp(t_ns: int) -> str:
    """UTC date and time of an instant (ns), to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(t_ns // 10**9))
