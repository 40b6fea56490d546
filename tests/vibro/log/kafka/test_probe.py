"""What a connection of our own finds out, against servers that misbehave in one way each."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.certificates import Authority
from tests.vibro.log.kafka.brokers import ANYWHERE, plain
from vibro.log.kafka.probe import _FailedError, _read_answer, find_cause
from vibro.log.kafka.settings import KafkaSection

Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve):
    """Serve each connection on a thread of its own; yields HOST:PORT."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_served, args=(serve, link), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def _served(serve: Serve, link: socket.socket) -> None:
    with link, suppress(OSError):
        serve(link)


def answer(*brokers: tuple[str, int], topic_error: int | None = None) -> bytes:
    """An answer of Metadata, version 4."""
    body = struct.pack(">iii", 1, 0, len(brokers))
    for host, port in brokers:
        body += struct.pack(f">ih{len(host)}sih", 7, len(host), host.encode(), port, -1)
    body += struct.pack(">hi", -1, 7)
    body += struct.pack(">i", topic_error is not None)
    if topic_error is not None:
        body += struct.pack(">hh1sbi", topic_error, 1, b"t", 0, 0)
    return struct.pack(">i", len(body)) + body


def answering(*brokers: tuple[str, int], topic_error: int | None = None) -> Serve:
    def serve(link: socket.socket) -> None:
        while link.recv(4096):
            link.sendall(answer(*brokers, topic_error=topic_error))

    return serve


def hanging(link: socket.socket) -> None:
    while link.recv(4096):
        pass


def closing(link: socket.socket) -> None:
    link.recv(4096)


def web(link: socket.socket) -> None:
    link.recv(4096)
    link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9)


def alert(link: socket.socket) -> None:
    link.recv(4096)
    link.sendall(bytes.fromhex("15030300020250"))


@pytest.mark.parametrize(
    ("serve", "kind"),
    [(hanging, "hangs"), (closing, "closes"), (web, "closes"), (alert, "speaks_tls")],
)
def test_without_tls(serve, kind):
    with server(serve) as address:
        cause = find_cause(plain(address, request_timeout_s=1.0), ANYWHERE, "n")
    assert (cause.kind, cause.server) == (kind, address)


@pytest.mark.parametrize(
    ("address", "kind"),
    [("127.0.0.1:1", "nobody"), ("no-such-host.invalid:9092", "unresolved")],
)
def test_nobody_there(address, kind):
    cause = find_cause(plain(address, plaintext_beyond_loopback=True), ANYWHERE, "n")
    assert cause.kind == kind


def test_one_server_that_works_is_enough():
    with server(answering()) as good:
        both = plain(good, servers=("127.0.0.1:1", good))
        assert find_cause(both, ANYWHERE, "n") is None


def test_addresses_that_brokers_want_to_be_reached_at_are_tried_too():
    """The most common mistake behind a relay: the broker tells its own address, not the relay's."""
    with server(answering(("127.0.0.1", 1))) as address:
        cause = find_cause(plain(address), ANYWHERE, "n")
    assert (cause.kind, cause.server, cause.advertised_by) == ("nobody", "127.0.0.1:1", address)


@pytest.mark.parametrize(
    ("code", "kind"), [(3, "topic_missing"), (29, "topic_denied"), (0, None), (5, None)]
)
def test_a_topic_is_asked_for(code, kind):
    with server(answering(topic_error=code)) as address:
        cause = find_cause(plain(address), ANYWHERE, "n", "t")
    assert (cause.kind if cause else None) == kind


@given(st.binary(max_size=60))
def test_whatever_is_answered_is_read_or_refused(data):
    try:
        brokers, _ = _read_answer(data)
    except (struct.error, UnicodeDecodeError, _FailedError):
        return
    assert all(":" in broker for broker in brokers)


# -- over TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


def over_tls(authority: Authority, then: Serve, *, ours: bool = True) -> Serve:
    """Serve over TLS, asking for certificates that this authority signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.credentials("broker"))
    context.verify_mode = ssl.CERT_REQUIRED
    other = Authority(authority.folder.parent / "other")
    context.load_verify_locations((authority if ours else other).certificate)

    def serve(link: socket.socket) -> None:
        with context.wrap_socket(link, server_side=True) as safe:
            then(safe)

    return serve


def node(authority: Authority, address: str) -> KafkaSection:
    cert, key = authority.credentials("node")
    return KafkaSection(
        servers=(address,), request_timeout_s=1.0, ca_file=str(authority.certificate),
        cert_file=str(cert), key_file=str(key),
    )  # fmt: skip


def test_with_tls(authority):
    with server(over_tls(authority, answering())) as address:
        assert find_cause(node(authority, address), ANYWHERE, "n") is None


@pytest.mark.parametrize(
    ("serve", "kind"),
    [(hanging, "hangs"), (closing, "no_tls"), (web, "no_tls"), (alert, "tls")],
)
def test_who_does_not_speak_tls(authority, serve, kind):
    with server(serve) as address:
        assert find_cause(node(authority, address), ANYWHERE, "n").kind == kind


def test_a_broker_of_another_authority_is_not_trusted(authority, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    with server(over_tls(authority, answering())) as address:
        wrong = replace(node(authority, address), ca_file=str(stranger.certificate))
        cause = find_cause(wrong, ANYWHERE, "n")
    assert cause.kind == "untrusted"
    assert "certificate" in cause.said


def test_a_broker_under_another_name_is_not_trusted(authority):
    with server(over_tls(authority, answering())) as address:
        alias = address.replace("127.0.0.1", "127.1")
        cause = find_cause(node(authority, alias), ANYWHERE, "n")
    assert cause.kind == "misnamed"


def test_a_broker_that_refuses_our_certificate(authority):
    with server(over_tls(authority, answering(), ours=False)) as address:
        cause = find_cause(node(authority, address), ANYWHERE, "n")
    assert cause.kind == "refuses_us"


def test_files_of_ours_are_looked_at_first(authority):
    wrong = replace(node(authority, "127.0.0.1:1"), key_file="/nowhere/key.pem")
    cause = find_cause(wrong, ANYWHERE, "n")
    assert cause.kind == "files"
    assert "/nowhere/key.pem" in cause.said
