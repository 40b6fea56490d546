"""Output ``webhook``: the trip as JSON, posted to a URL."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from edge_node.config import ReflexSection
from edge_node.reflex.blocks import Trip
from vibro.errors import VibroError

PAUSE_S = 0.5
"""Before another attempt."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Webhook:
    """Posts a trip; a redirect is not followed.

    An attempt that meets no answer, or one of the server's own fault (5xx), is repeated as often as
    ``retries`` says; all carry one ``Idempotency-Key``.
    """

    def __init__(self, section: ReflexSection, password: str | None, folder: Path) -> None:
        self._section, self._url = section, urlsplit(section.url)
        self._headers = {"Content-Type": "application/json", "User-Agent": "vibro"}
        if password is not None:
            self._headers["Authorization"] = _authorization(section.user, password)
        self._tls = None
        if self._url.scheme == "https":
            trusted = str(folder / section.ca_file) if section.ca_file else None
            self._tls = ssl.create_default_context(cafile=trusted)

    def __call__(self, trip: Trip) -> None:
        """Post it.

        Raises
        ------
        VibroError
            If no attempt was answered with success (2xx).
        """
        body = json.dumps(trip.facts()).encode()
        headers = self._headers | {"Idempotency-Key": f"{trip.channel}:{trip.t0_ns}"}
        attempts = 1 + self._section.retries
        for attempt in range(attempts):
            if attempt:
                time.sleep(PAUSE_S)
            status, said = self._post(body, headers)
            if 200 <= status < 300:
                return
            if 0 < status < 500:
                break
        raise VibroError(f"webhook {self._url.netloc} {said}")

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """Status of one attempt, 0 for none, and what there is to say of it."""
        timeout_s = self._section.timeout_s
        connection = _connection(self._url, timeout_s, self._tls)
        # A timeout of the socket is one of each read: a server that drips must not hold on.
        late = threading.Event()
        guard = threading.Timer(timeout_s, _cut, (connection, late))
        guard.daemon = True
        guard.start()
        try:
            target = self._url.path or "/"
            target += f"?{self._url.query}" if self._url.query else ""
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            found = answer.status, f"answered {answer.status} {answer.reason}"
        except TimeoutError:
            late.set()
        except (OSError, HTTPException, ValueError) as error:
            found = 0, f"did not answer ({error or type(error).__name__})"
        finally:
            guard.cancel()
            connection.close()
        # What was cut short may look whole.
        return (0, f"did not answer within {timeout_s:g} s") if late.is_set() else found


def _connection(url: SplitResult, timeout_s: float, tls: ssl.SSLContext | None) -> HTTPConnection:
    host = url.hostname or ""
    if tls is None:
        return HTTPConnection(host, url.port, timeout=timeout_s)
    return HTTPSConnection(host, url.port, timeout=timeout_s, context=tls)


def _cut(connection: HTTPConnection, late: threading.Event) -> None:
    late.set()
    held = connection.sock
    if held is not None:
        with contextlib.suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)


def _authorization(user: str, password: str) -> str:
    if not user:
        return f"Bearer {password}"
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def mistakes(section: ReflexSection) -> Iterator[str]:
    """Yield what is wrong with the options of a webhook."""
    try:
        url = urlsplit(section.url)
        sound = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound or not section.url.isprintable() or " " in section.url:
        yield f"reflex.url = '{section.url}' is no URL: write https://HOST/PATH"
    elif url.username or url.password:
        yield "reflex.url holds a password: name reflex.user and reflex.password_file instead"
    elif section.password_file and url.scheme == "http" and url.hostname not in _LOOPBACK:
        yield f"reflex.url = '{section.url}' would show the password to the network: use https"
