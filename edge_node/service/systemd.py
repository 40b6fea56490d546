"""What the process tells the service manager that started it, see sd_notify(3)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


def notify(state: str) -> bool:
    """Tell systemd a state such as ``READY=1``; return whether anybody listens.

    The protocol of sd_notify(3): a datagram to the socket that ``NOTIFY_SOCKET`` names. A manager
    that cannot be reached is no reason to stop.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    # A leading @ stands for the zero byte of an abstract socket.
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            out.sendto(state.encode(), target)
    except OSError:
        return False
    return True


class Watchdog:
    """Tells the manager that the loop goes round, at half the time that it would wait.

    The loop itself calls `turned` at the end of every turn and nobody else does: a loop that hangs
    is silent, and the manager starts the process again.

    Parameters
    ----------
    environment : mapping
        ``WATCHDOG_USEC`` is the manager's patience in us, ``WATCHDOG_PID`` whom it means.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        us, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        meant = pid in {"", str(os.getpid())}
        self._every_s = int(us) * 0.5e-6 if meant and us.isdigit() else 0.0
        self._next_s = 0.0

    def turned(self, now_s: float) -> None:
        """Take note of a turn of the loop at monotonic time ``now_s``."""
        if self._every_s and now_s >= self._next_s:
            self._next_s = now_s + self._every_s
            notify("WATCHDOG=1")
