"""What a waiting host is woken by."""

from __future__ import annotations

import threading


class Wake:
    """An event that one thread waits for, and that is over once it was waited for.

    A lock by itself: `threading.Event` makes a new one for every wait, which costs twice the
    processor time and comes 50 us later, fifty times a second.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Wake whoever waits, or will; from any thread."""
        try:
            self._lock.release()
        except RuntimeError:
            # It is set already.
            return

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is set, for so long at most; return whether it was."""
        return self._lock.acquire(timeout=timeout_s)
