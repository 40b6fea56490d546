"""Why a broker cannot be used: a short connection of our own, made exactly as the client's are.

kafka-python tries again whatever happens and in the end says that time is over. Here one
connection is made, certificates are shown, one question is asked, and what went wrong on the way
is kept. Brokers tell their clients under which addresses they want to be reached, so these are
tried too.
"""

from __future__ import annotations

import errno
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from vibro.errors import BadInputError
from vibro.log.kafka.client import tls_context
from vibro.log.kafka.settings import KafkaSection

MOST_WAIT_S = 5.0
"""A server that takes longer is taken for silent."""
METADATA, METADATA_VERSION = 3, 4
MOST_ANSWER = 10_000_000
TLS_ALERT = 0x15
_TOPIC_ERRORS = {3: "topic_missing", 29: "topic_denied"}


@dataclass(frozen=True, slots=True)
class Cause:
    """What went wrong with one server.

    Attributes
    ----------
    kind : str
        ``unresolved``, ``nobody`` (listens), ``unreachable``, ``silent``, ``hangs`` (connects, and
        does not answer), ``closes``, ``speaks_tls``, ``no_tls``, ``untrusted`` (broker),
        ``misnamed`` (broker), ``refuses_us`` (our certificate), ``files`` (of ours), ``tls``,
        ``topic_missing`` or ``topic_denied``.
    server : str
        HOST:PORT.
    said : str
        The words of the network, TLS or our own check.
    advertised_by : str
        The server that gave this address; empty for one of ``kafka.servers``.
    """

    kind: str
    server: str
    said: str = ""
    advertised_by: str = ""


class _FailedError(Exception):
    def __init__(self, kind: str, said: str = "") -> None:
        super().__init__(kind)
        self.kind, self.said = kind, said


def find_cause(
    settings: KafkaSection, folder: Path, client_id: str, topic: str = ""
) -> Cause | None:
    """Connect as a client does; return why that fails, None where it does not.

    One server that works is enough, as it is for the client, provided that the brokers it names
    can be reached as well.

    Parameters
    ----------
    topic : str, optional
        Is asked for too: whether it is there, and may be seen.
    """
    try:
        context = tls_context(settings, folder) if settings.security == "tls" else None
    except BadInputError as error:
        return Cause("files", settings.servers[0], str(error))
    wait_s = min(MOST_WAIT_S, settings.request_timeout_s)
    first: Cause | None = None
    for server in settings.servers:
        try:
            brokers, failed = _ask(server, context, wait_s, _question(client_id, topic))
        except _FailedError as why:
            first = first or Cause(why.kind, server, why.said)
            continue
        found = _advertised(server, brokers - set(settings.servers), context, wait_s)
        return found or (Cause(_TOPIC_ERRORS[failed], server) if failed in _TOPIC_ERRORS else None)
    return first


def _advertised(
    server: str, brokers: set[str], context: ssl.SSLContext | None, wait_s: float
) -> Cause | None:
    for broker in sorted(brokers):
        try:
            with _connected(broker, context, wait_s):
                pass
        except _FailedError as failed:
            return Cause(failed.kind, broker, failed.said, server)
    return None


def _question(client_id: str, topic: str) -> bytes:
    """Request Metadata, version 4: brokers, and one topic, which is not made by asking."""
    name, asked = client_id.encode(), topic.encode()
    head = struct.pack(f">hhih{len(name)}s", METADATA, METADATA_VERSION, 1, len(name), name)
    topics = struct.pack(f">h{len(asked)}s", len(asked), asked) if asked else b""
    body = head + struct.pack(">i", bool(asked)) + topics + b"\0"
    return struct.pack(">i", len(body)) + body


def _ask(
    server: str, context: ssl.SSLContext | None, wait_s: float, question: bytes
) -> tuple[set[str], int]:
    """Ask a server which brokers there are; return them, and the error code of the topic.

    With TLS 1.3 it is only here that a client hears that its certificate is refused.
    """
    with _connected(server, context, wait_s) as link:
        with _explained(context is not None, answering=True):
            link.sendall(question)
            head = _receive(link, 4)
        if head[0] == TLS_ALERT:
            raise _FailedError("speaks_tls")
        (size,) = struct.unpack(">i", head)
        if not 4 <= size <= MOST_ANSWER:
            raise _FailedError("closes", "answers, but not as a broker does")
        with _explained(context is not None, answering=True):
            answer = _receive(link, size)
    try:
        return _read_answer(answer)
    except (struct.error, UnicodeDecodeError):
        raise _FailedError("closes", "answers, but not as a broker does") from None


def _read_answer(answer: bytes) -> tuple[set[str], int]:
    """Brokers and the first topic's error code in an answer; after its number and a pause."""
    (count,), at = struct.unpack_from(">i", answer, 8), 12
    found = set()
    for _ in range(count):
        host, at = _text(answer, at + 4)
        (port,) = struct.unpack_from(">i", answer, at)
        _, at = _text(answer, at + 4)
        found.add(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    _, at = _text(answer, at)
    (topics,) = struct.unpack_from(">i", answer, at + 4)
    return found, struct.unpack_from(">h", answer, at + 8)[0] if topics > 0 else 0


def _text(answer: bytes, at: int) -> tuple[str, int]:
    """Return a text that may be null, and where it ends."""
    (length,) = struct.unpack_from(">h", answer, at)
    end = at + 2 + max(0, length)
    return answer[at + 2 : end].decode(), end


@contextmanager
def _connected(
    server: str, context: ssl.SSLContext | None, wait_s: float
) -> Iterator[socket.socket]:
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    with _explained(tls=False):
        link = socket.create_connection((host, int(port)), wait_s)
    with closing(link):
        if context is None:
            yield link
            return
        with _explained(tls=True):
            safe = context.wrap_socket(link, server_hostname=host.rstrip("."))
        with closing(safe):
            yield safe


def _receive(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := link.recv(size - len(data))):
            raise _FailedError("closes")
        data += more
    return data


@contextmanager
def _explained(tls: bool, *, answering: bool = False) -> Iterator[None]:
    """Give every failure of a socket its kind."""
    try:
        yield
    except socket.gaierror as error:
        raise _FailedError("unresolved", str(error.strerror)) from None
    except ssl.SSLCertVerificationError as error:
        misnamed = error.verify_code in {62, 64}
        raise _FailedError("misnamed" if misnamed else "untrusted", error.verify_message) from None
    except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
        raise _FailedError("refuses_us" if answering else "no_tls") from None
    except ssl.SSLError as error:
        raise _FailedError(_tls_kind(error), _reason(error)) from None
    except TimeoutError:
        raise _FailedError("hangs" if tls or answering else "silent") from None
    except ConnectionRefusedError:
        raise _FailedError("nobody") from None
    except (ConnectionResetError, BrokenPipeError) as error:
        raise _FailedError(("no_tls" if tls and not answering else "closes"), str(error)) from None
    except OSError as error:
        why = errno.errorcode.get(error.errno or 0, "")
        raise _FailedError("unreachable", f"{error.strerror or error} {why}".strip()) from None


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "failed").replace("_", " ").lower()


def _tls_kind(error: ssl.SSLError) -> str:
    """An alert speaks of our certificate; a record that is none was not written by TLS."""
    reason = error.reason or ""
    if "ALERT" in reason:
        return "refuses_us" if any(word in reason for word in _OURS) else "tls"
    return "no_tls" if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"} else "tls"


_OURS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "DECRYPT", "HANDSHAKE_FAILURE")
