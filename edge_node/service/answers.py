"""What a running process answers over HTTP: ``/metrics``, ``/healthz`` and ``/status``.

Whoever asks gets a thread of its own; nothing on the way of a sample waits for it.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from edge_node.service.metrics import NodeMetrics
from vibro.errors import VibroError

LOG = logging.getLogger("vibro.answers")
Facts = Callable[[], dict[str, Any]]
TEXT, METRICS = "text/plain; charset=utf-8", "text/plain; version=0.0.4; charset=utf-8"


class Answers:
    """Answers until it is closed.

    Parameters
    ----------
    address : str
    port : int
        0 takes any that is free; `port` then says which.
    facts : callable
        Returns what `edge_node.service.live.process_facts` does.

    Raises
    ------
    VibroError
        If the address or the port cannot be had.
    """

    def __init__(self, address: str, port: int, facts: Facts) -> None:
        self._facts, self._metrics = facts, NodeMetrics(facts)
        answers = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5.0

            def do_GET(self) -> None:
                status, kind, body = answers.answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name)
                LOG.debug(format, *args)

        try:
            self._server = ThreadingHTTPServer((address, port), Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise VibroError(
                f"service.http_port = {port} on {address} cannot be had ({why}): "
                "choose another, or 0 to answer nobody"
            ) from None
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="answers", daemon=True).start()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, kind and body of an answer."""
        if path == "/metrics":
            return 200, METRICS, self._metrics.text()
        if path == "/healthz":
            ill = self._facts()["ill"]
            return (503, TEXT, f"{'; '.join(ill)}\n".encode()) if ill else (200, TEXT, b"ok\n")
        if path == "/status":
            return 200, "application/json", json.dumps(_plain(self._facts())).encode()
        return 404, TEXT, b"here are /metrics, /healthz and /status\n"

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()


def _plain(value: Any) -> Any:
    """NaN and infinity become null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
