"""Source ``tcp``: a framed stream of samples over TCP, as docs/tcp-stream.md describes it."""

from __future__ import annotations

import logging
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.sources.calibration import UNITS, m_s2_per_unit
from edge_node.sources.device import Frames
from edge_node.sources.kinds import LiveKind
from edge_node.sources.tcp_frames import FrameReader
from edge_node.sources.tcp_stream import TcpStream
from vibro.assets import Machine
from vibro.errors import BadInputError, VibroError
from vibro.options import option

LOG = logging.getLogger("vibro.sources.tcp")
TABLE = "source.tcp"
RECEIVE_BYTES = 1 << 16
BACKLOG = 16
"""Senders that may wait for the present one to go."""


@dataclass(frozen=True, slots=True)
class TcpOptions:
    """Frames of samples over TCP (docs/tcp-stream.md); one sender at a time, nothing encrypted."""

    host: str = option("127.0.0.1", "text", "Address to listen on; others than loopback expose it.")
    port: int = option(7411, "", "Port to listen on; 0 = any that is free.", low=0)
    silence_s: float = option(
        5.0, "s", "Time without a sound frame after which a sender is dropped.", low=0.1
    )
    unit: str = option(
        "", "word", "Unit of the samples; empty = as the sender says.", words=("", *UNITS)
    )
    sensitivity_mv_g: tuple[float, ...] = option(
        (), "mV/g", "Sensitivity where unit is mV or V: one for all channels or one each.", low=0
    )
    sign: tuple[float, ...] = option((1.0,), "", "1, or -1 to turn an axis, likewise.", low=-1)
    goodbye: str = option(
        "wait",
        "word",
        "When a sender says goodbye: wait for another, or end.",
        words=("wait", "end"),
    )


class TcpDevice:
    """Listens for senders, and reads one at a time.

    Parameters
    ----------
    options : TcpOptions
    machine : Machine
    monotonic : callable
        Seconds.
    """

    def __init__(
        self,
        options: TcpOptions,
        machine: Machine,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options, self._monotonic = options, monotonic
        n = len(machine.points)
        # Says now what is wrong with them.
        m_s2_per_unit("source", options.unit or "g", options.sensitivity_mv_g, options.sign, n)
        self._channels = n
        self._stream = TcpStream(n, self._m_s2)
        self._ready: deque[Frames] = deque()
        self._selector: selectors.BaseSelector | None = None
        self._listener: socket.socket | None = None
        self._peer: socket.socket | None = None
        self._name = ""
        self._reader, self._heard_s = FrameReader(), 0.0

    def _m_s2(self, unit: str) -> NDArray[np.float64]:
        o = self._options
        return m_s2_per_unit("source", o.unit or unit, o.sensitivity_mv_g, o.sign, self._channels)

    @property
    def rate_hz(self) -> float:
        """Rate that the sender has told of."""
        return self._stream.rate_hz

    @property
    def scale(self) -> NDArray[np.float32]:
        """m/s2 per count; shape (channels,)."""
        return self._stream.scale

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample on the wire."""
        return self._stream.sample_bytes

    @property
    def port(self) -> int:
        """Port that is listened on; 0 before `start`."""
        return 0 if self._listener is None else int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Listen.

        Raises
        ------
        VibroError
            If the address cannot be listened on.
        """
        self.stop()
        host, port = self._options.host, self._options.port
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except (OSError, OverflowError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise VibroError(f"{TABLE}: cannot listen on {host}:{port} ({why})") from None
        listener.setblocking(False)
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)

    def stop(self) -> None:
        """Close every socket; safe to call twice."""
        self._drop("")
        if self._listener is not None:
            self._listener.close()
        if self._selector is not None:
            self._selector.close()
        self._listener = self._selector = None

    def read(self, timeout_s: float) -> Frames | None:
        """Wait for frames; None when none came in time.

        Raises
        ------
        EOFError
            When the sender has said goodbye and nobody else is waited for.
        VibroError
            If it was not started.
        """
        if self._ready:
            return self._ready.popleft()
        if self._selector is None:
            raise VibroError(f"{TABLE}: is not started")
        until_s = self._monotonic() + timeout_s
        while not self._ready:
            if self._stream.goodbye:
                self._part()
            now_s = self._monotonic()
            if self._peer is not None and now_s - self._heard_s >= self._options.silence_s:
                self._drop(f"no sound frame for {self._options.silence_s:g} s")
            if now_s > until_s:
                return None
            if self._selector.select(max(0.0, until_s - now_s)):
                self._accept() if self._peer is None else self._receive(self._peer)
        return self._ready.popleft()

    def _part(self) -> None:
        """The sender has said goodbye, and everything before was handed over."""
        self._stream.goodbye = False
        self._drop("")
        if self._options.goodbye == "end":
            raise EOFError

    # -- one sender ------------------------------------------------------------------------------

    def _accept(self) -> None:
        if self._listener is None or self._selector is None:
            return
        try:
            peer, address = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            # It has gone again.
            return
        except OSError as error:
            raise VibroError(f"{TABLE}: cannot accept a sender ({error.strerror})") from None
        peer.setblocking(False)
        # Others wait in the backlog until this one goes or is dropped.
        self._selector.unregister(self._listener)
        self._selector.register(peer, selectors.EVENT_READ)
        self._peer, self._name = peer, f"{address[0]}:{address[1]}"
        self._reader, self._heard_s = FrameReader(), self._monotonic()
        self._stream.connected()

    def _receive(self, peer: socket.socket) -> None:
        try:
            data = peer.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._drop(error.strerror or str(error))
            return
        if not data:
            self._drop("it has hung up")
            return
        try:
            for frame in self._reader.feed(data):
                self._heard_s = self._monotonic()
                frames = self._stream.frame(frame)
                if frames is not None:
                    self._ready.append(frames)
        except BadInputError as error:
            self._drop(str(error))
        for said in filter(None, (self._reader.said, self._stream.said)):
            LOG.warning("%s: sender %s: %s; it is passed over", TABLE, self._name, said)
        self._reader.said = self._stream.said = ""

    def _drop(self, why: str) -> None:
        """Close the connection; ``why`` is said in a line."""
        peer, self._peer = self._peer, None
        if peer is None:
            return
        if why:
            LOG.warning("%s: sender %s is dropped: %s", TABLE, self._name, why)
        if self._selector is not None:
            self._selector.unregister(peer)
            if self._listener is not None:
                self._selector.register(self._listener, selectors.EVENT_READ)
        peer.close()


def _open(options: Any, machine: Machine, folder: Path) -> TcpDevice:
    del folder
    return TcpDevice(options, machine)


KIND = LiveKind(TcpOptions, _open, exact=True)
