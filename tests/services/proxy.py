"""A TCP proxy: the cable between two processes, which a test may cut."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_CHUNK = 65536


class Proxy:
    """Forwards connections on a port of its own to a server; as a context manager it is closed.

    Parameters
    ----------
    target : str
        ``HOST:PORT`` of the server, which may come and go.
    port : int
        Own port on 127.0.0.1; 0 = a free one.
    """

    def __init__(self, target: str, port: int = 0) -> None:
        host, _, number = target.rpartition(":")
        self._target = (host, int(number))
        self._listener = socket.create_server(("127.0.0.1", port))
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._whole = threading.Event()
        self._whole.set()
        self._closed = False
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT`` of the proxy."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Cut all connections and let no new one through until `mend`."""
        self._whole.clear()
        with self._lock:
            for end in list(self._pairs):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        self._whole.set()

    def close(self) -> None:
        """Cut everything for ever."""
        self._closed = True
        self.cut()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near:
            if not self._whole.is_set():
                return
            try:
                far = socket.create_connection(self._target, timeout=5)
            except OSError:
                return
            far.settimeout(None)
            with far:
                with self._lock:
                    self._pairs |= {near: far, far: near}
                try:
                    self._forward(near)
                finally:
                    with self._lock:
                        self._pairs.pop(near, None)
                        self._pairs.pop(far, None)

    def _forward(self, near: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            for end in (near, self._pairs[near]):
                ready.register(end, selectors.EVENT_READ)
            while self._whole.is_set():
                for key, _ in ready.select(1.0):
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    try:
                        data = end.recv(_CHUNK)
                        if not data:
                            return
                        self._pairs[end].sendall(data)
                    except OSError:
                        return
