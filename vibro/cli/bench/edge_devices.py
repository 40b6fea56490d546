"""Devices that stream the bench's stretch over TCP in real time, in a process of their own.

So what a node is measured for is what it does in the field: it listens, acquires, processes; what
makes the samples is somebody else's time and memory.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edge_node.sources.tcp_frames import GOODBYE, HELLO, SAMPLES, Frame, hello_payload
from vibro.cli.bench.edge_plant import RATE_HZ, Plant
from vibro.cli.bench.start import interpreter

BLOCK_S, CONNECT_S = 0.02, 60.0
STREAM, INT16, M_S2 = 1, 1, 0
PLAY = "import sys; from vibro.cli.bench.edge_devices import play; play(*sys.argv[1:])"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


@contextmanager
def devices(
    plant: Plant, file: Path, seconds: float, ports: Sequence[int], environment: Mapping[str, str]
) -> Iterator[None]:
    """Stream to whoever listens on the ports, for a while or until the end of the block.

    Parameters
    ----------
    file : Path
        Is written: what the devices play.
    """
    np.savez(file, counts=plant.counts, scale=plant.scale, rpm=plant.rpm)
    playing = subprocess.Popen(  # noqa: S603
        [interpreter(), "-c", PLAY, str(file), str(seconds), *map(str, ports)], env=environment
    )
    try:
        yield
    finally:
        playing.kill()
        playing.wait()


def play(file: str, seconds: str, *ports: str) -> None:
    """Be one device a port: hello, a frame of int16 every 20 ms, goodbye."""
    stretch = np.load(file)
    counts, rpm = stretch["counts"], float(stretch["rpm"])
    channels, block = len(counts), round(BLOCK_S * RATE_HZ)
    peers = [_connected(int(port)) for port in ports]

    def send(kind: int, number: int, payload: bytes = b"", samples: int = 0) -> None:
        index = max(0, number - 1) * block
        frame = Frame(
            kind, channels, INT16, STREAM, number, index, RATE_HZ, samples, rpm, payload
        ).packed()  # fmt: skip
        for peer in peers:
            peer.sendall(frame)

    send(HELLO, 0, hello_payload(M_S2, stretch["scale"]))
    began, frames = time.monotonic(), round(float(seconds) / BLOCK_S)
    for number in range(1, frames + 1):
        at = (number - 1) * block % (counts.shape[1] // block * block)
        payload = np.ascontiguousarray(counts[:, at : at + block].T, "<i2").tobytes()
        time.sleep(max(0.0, began + number * BLOCK_S - time.monotonic()))
        send(SAMPLES, number, payload, block)
    send(GOODBYE, frames + 1)


def _connected(port: int) -> socket.socket:
    until = time.monotonic() + CONNECT_S
    while True:
        try:
            peer = socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return peer
