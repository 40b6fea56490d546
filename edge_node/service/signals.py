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
from contextlib import ExitStack, contextmanager
from types import FrameType


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
    with ExitStack() as undo:
        undo.callback(ours.close)
        thread = threading.Thread(target=_listen, args=(ours, actions), name="signals", daemon=True)
        thread.start()
        undo.callback(thread.join)
        undo.callback(theirs.close)
        undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(theirs.fileno()))
        for number in actions:
            undo.callback(signal.signal, number, signal.signal(number, _heard_elsewhere))
        yield


def _heard_elsewhere(number: int, frame: FrameType | None) -> None:
    """Take the place of a handler that would end the process."""


def _listen(ours: socket.socket, actions: Mapping[int, Callable[[], None]]) -> None:
    while number := ours.recv(1):
        action = actions.get(number[0])
        if action is not None:
            action()
