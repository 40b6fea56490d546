"""When the nightly job runs: once a UTC day, at a time of day, however clocks and processes go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import time

DAY_NS = 86_400 * 10**9
LOOK_S = 60.0
"""The clock is looked at so often while it is waited for: it may have been set meanwhile."""


def nights(
    at: time,
    done_ns: int | None,
    clock: Callable[[], int],
    pause: Callable[[float], bool],
) -> Iterator[int]:
    """Yield the time (ns UTC) at which each night's round is to begin, until a pause says stop.

    A night that passed while nobody was there is made up for, once, as soon as somebody is.

    Parameters
    ----------
    at : time
        Time of day, UTC.
    done_ns : int or None
        When the last round was; None if there was none: then the first one waits for its time.
    clock : callable
        Time now, ns UTC.
    pause : callable
        Waits for so many seconds at most; True = stop.
    """
    offset_ns = ((at.hour * 60 + at.minute) * 60 + at.second) * 10**9
    due_ns = _after(clock() if done_ns is None else min(done_ns, clock()), offset_ns)
    while True:
        while (left_ns := due_ns - clock()) > 0:
            if pause(min(left_ns * 1e-9, LOOK_S)):
                return
        now_ns = clock()
        yield now_ns
        due_ns = _after(now_ns, offset_ns)


def _after(t_ns: int, offset_ns: int) -> int:
    """Return the first time of day after an instant."""
    return ((t_ns - offset_ns) // DAY_NS + 1) * DAY_NS + offset_ns
