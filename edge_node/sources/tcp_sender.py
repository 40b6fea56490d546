"""A sender of the TCP stream: ``python -m edge_node.sources.tcp_sender FILE HOST:PORT``.

Sends a recording as a device would, in real time, and connects again when the connection breaks:
what was not handed to it goes on from there, and what was under way and did not arrive is missing
for the receiver, which counts it.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_node.sources.tcp_frames import GOODBYE, HELLO, SAMPLES, Frame, hello_payload
from vibro.errors import VibroError
from vibro.files import read_recording

FLOAT32, M_S2 = 3, 0
CONNECT_S, PAUSE_S = 5.0, 0.5


class Sender:
    """Sends samples frame by frame.

    Parameters
    ----------
    samples : ndarray of float32, shape (channels, n)
        m/s2.
    rate_hz, rpm : float
    stream : int
        Names the stream; it counts from index 0.
    block : int
        Samples in a frame.
    """

    def __init__(
        self, samples: NDArray[np.float32], rate_hz: float, rpm: float, stream: int, block: int
    ) -> None:
        self._samples, self._rate_hz, self._rpm = samples, rate_hz, rpm
        self._stream, self._block = stream, block
        self.sent = 0
        """Samples handed to a connection."""

    def _frame(self, kind: int, sequence: int, payload: bytes = b"", samples: int = 0) -> bytes:
        return Frame(
            kind, len(self._samples), FLOAT32, self._stream, sequence, self.sent, self._rate_hz,
            samples, self._rpm, payload,
        ).packed()  # fmt: skip

    def frames(self) -> Iterator[bytes]:
        """Frames of one connection: hello, what was not sent yet, goodbye."""
        scale = np.ones(len(self._samples), np.float32)
        yield self._frame(HELLO, 0, hello_payload(M_S2, scale))
        sequence = 1
        while self.sent < self._samples.shape[1]:
            part = self._samples[:, self.sent : self.sent + self._block]
            payload = np.ascontiguousarray(part.T, "<f4").tobytes()
            yield self._frame(SAMPLES, sequence, payload, part.shape[1])
            self.sent += part.shape[1]
            sequence += 1
        yield self._frame(GOODBYE, sequence)

    def due_s(self) -> float:
        """Time after the first sample at which the next frame is complete."""
        return float(min(self.sent + self._block, self._samples.shape[1]) / self._rate_hz)


def send(
    sender: Sender,
    host: str,
    port: int,
    *,
    fast: bool,
    patience_s: float,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send everything, through as many connections as it takes.

    Raises
    ------
    VibroError
        When nobody has listened for ``patience_s``.
    """
    began_s = heard_s = monotonic()
    while True:
        try:
            with socket.create_connection((host, port), CONNECT_S) as connection:
                for frame in sender.frames():
                    if not fast:
                        sleep(max(0.0, began_s + sender.due_s() - monotonic()))
                    connection.sendall(frame)
                    heard_s = monotonic()
                return
        except OSError as error:
            if monotonic() - heard_s >= patience_s:
                raise VibroError(
                    f"{host}:{port}: nobody listens ({error.strerror or error}); "
                    f"{sender.sent} samples of each channel were sent"
                ) from None
            sleep(PAUSE_S)


def main(arguments: list[str] | None = None) -> int:
    """Send a recording; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m edge_node.sources.tcp_sender",
        description="Send a recording to a node whose source is tcp, as a device would.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--rate", type=float, metavar="HZ", help="where the file does not say it")
    parser.add_argument("--block-ms", type=float, default=20.0, help="length of a frame")
    parser.add_argument("--fast", action="store_true", help="not in real time")
    parser.add_argument("--patience", type=float, default=60.0, metavar="S", help="to be heard")
    told = parser.parse_args(arguments)
    host, _, port = told.address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        parser.error(f"'{told.address}' is not HOST:PORT")
    try:
        recording = read_recording(told.file, otherwise_rate_hz=told.rate)
        block = max(1, round(told.block_ms * 1e-3 * recording.rate_hz))
        sender = Sender(recording.samples, recording.rate_hz, recording.rpm, time.time_ns(), block)
        send(sender, host.strip("[]"), int(port), fast=told.fast, patience_s=told.patience)
    except VibroError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
