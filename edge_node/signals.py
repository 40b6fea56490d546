"""Signals that are heard even while the main thread hangs in a call to the system.

Python runs a signal's handler on the main thread, between two instructions: a node whose disk
hangs would never see SIGTERM. The interpreter's wake-up descriptor is written by the system at
once, and a thread reads it.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def heard(actions: Mapping[int, Callable[[], None]]) -> Iterator[None]:
    """Call an action, on a thread of its own, for each of these signals; afterwards as before.

    Only the main thread may enter.

    Parameters
    ----------
    actions : mapping of signal number to callable
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    thread = threading.Thread(target=_listen, args=(ours, actions), name="signals", daemon=True)
    thread.start()
    woken = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    before: dict[int, Any] = {n: signal.signal(n, _heard_elsewhere) for n in actions}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        theirs.close()
        thread.join()
        ours.close()


def _heard_elsewhere(number: int, frame: FrameType | None) -> None:
    """Take the place of a handler that would end the process."""


def _listen(ours: socket.socket, actions: Mapping[int, Callable[[], None]]) -> None:
    while number := ours.recv(1):
        action = actions.get(number[0])
        if action is not None:
            action()
