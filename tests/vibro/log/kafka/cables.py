"""A cable to a broker of one's own that can be cut, and that can hold back what was sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.kafka import KafkaServer
from tests.services.process import free_port
from tests.services.proxy import Proxy


class Cable(Proxy):
    """Holds back what connections of today carry, while later ones pass."""

    def __init__(self, target: str, port: int = 0) -> None:
        self._held: set[socket.socket] = set()
        self._released = threading.Event()
        super().__init__(target, port)

    def hold(self) -> None:
        """From now on nothing comes through on the connections that there are."""
        self._released.clear()
        with self._lock:
            self._held = set(self._pairs)

    def release(self) -> None:
        """All that was held back comes through now, though its sender may be gone."""
        self._held = set()
        self._released.set()

    def _forward(self, near: socket.socket) -> None:
        far = self._pairs[near]
        back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        back.start()
        self._pump(near, far)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while self._whole.is_set() and (data := source.recv(65536)):
                if source in self._held:
                    self._released.wait()
                sink.sendall(data)
        except OSError:
            pass
        # A sender that is gone may still have something under way: it arrives first.
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR if end is sink else socket.SHUT_RD)
            except OSError:
                continue


@contextmanager
def broker_at_a_cable(folder: Path, **settings: str) -> Iterator[tuple[KafkaServer, Cable]]:
    """A broker that tells its clients to use the cable."""
    port = free_port()
    told = {name.replace("_", "."): value for name, value in settings.items()}
    told["advertised.listeners"] = f"PLAINTEXT://127.0.0.1:{port}"
    with KafkaServer(folder, told) as server, Cable(server.servers, port) as cable:
        yield server, cable
