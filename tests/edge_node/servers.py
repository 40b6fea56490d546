"""Real servers on loopback: an MQTT broker, a web server, a Modbus server; and one that is mute."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from amqtt.broker import Broker
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

DEADLINE_S = 20.0


class Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(DEADLINE_S)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE_S)
        self.loop.close()


@contextmanager
def mqtt_broker(password_file: str = ""):
    """Port of an amqtt broker; with a file of passwords it lets nobody else in."""
    base = "amqtt.plugins.authentication."
    plugins = {base + "AnonymousAuthPlugin": {}}
    if password_file:
        plugins = {base + "FileAuthPlugin": {"password_file": password_file}}

    async def start() -> Broker:
        listeners = {"default": {"type": "tcp", "bind": "127.0.0.1:0"}}
        broker = Broker({"listeners": listeners, "plugins": plugins})
        await broker.start()
        return broker

    loop = Loop()
    broker = loop.call(start())
    (listener,) = broker._servers.values()
    yield listener.instance.sockets[0].getsockname()[1]
    loop.call(broker.shutdown())
    loop.close()


@contextmanager
def web_server(statuses):
    """Port of a web server that answers with these statuses in turn, and what it was sent."""
    left, taken = list(statuses), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, dict(self.headers), body))
            self.send_response(left.pop(0))
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_address[1], taken
    server.shutdown()
    thread.join(DEADLINE_S)
    server.server_close()


@contextmanager
def modbus_server(coils: int = 8):
    """Port of pymodbus' own server, and a function that reads its coils."""

    async def start() -> ModbusTcpServer:
        bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        registers = [SimData(0, values=0, datatype=DataType.REGISTERS)]
        device = SimDevice(id=1, simdata=(bits, bits, registers, registers))
        server = ModbusTcpServer(device, address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        return server

    loop = Loop()
    server = loop.call(start())
    yield server.transport.sockets[0].getsockname()[1]
    loop.call(server.shutdown())
    loop.close()


@contextmanager
def mute_server(drip: bytes = b""):
    """Port of a server that accepts, reads and never answers; or answers a byte now and then."""
    listening, ending = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def hold(held: socket.socket) -> None:
        with held:
            for k in range(10_000):
                if ending.wait(0.02):
                    return
                try:
                    held.sendall(drip[k % len(drip) : k % len(drip) + 1] if drip else b"")
                except OSError:
                    return

    def accept() -> None:
        while True:
            try:
                held, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=hold, args=(held,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listening.getsockname()[1]
    ending.set()
    listening.close()
