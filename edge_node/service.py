"""What the process tells the service manager that started it."""

from __future__ import annotations

import os
import socket


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
            out.sendto(state.encode(), target)
    except OSError:
        return False
    return True
