"""Hands of an attacker: certificates that nobody should have, and questions asked without Vibro."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import struct
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vibro.log.kafka.certificates import PrivateKey, certificate_pem, key_pem, new_key, read_key

NOTHING_S = 20.0


def authority(folder: Path) -> Path:
    """Make another authority, of the same name as the tests' own; return its folder."""
    folder.mkdir()
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests")])
    made = _certificate(name, name, key.public_key(), key, -1.0, 1.0, ca=True)
    (folder / "ca.key").write_bytes(key_pem(key))
    (folder / "ca.pem").write_bytes(certificate_pem(made))
    return folder


def forged(
    file: Path,
    ca: Path,
    name: str,
    begins: float = -0.1,
    ends: float = 0.5,
    *,
    server: str = "",
    key: PrivateKey | None = None,
) -> Path:
    """Write key and certificate of a principal, signed with an authority's stolen key.

    Parameters
    ----------
    begins, ends : float
        Days from now.
    server : str
        Host that it is a server's certificate for; empty = a client's.
    """
    signer, key = read_key(ca / "ca.key"), key or new_key()
    issuer = x509.load_pem_x509_certificate((ca / "ca.pem").read_bytes()).subject
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = _certificate(subject, issuer, key.public_key(), signer, begins, ends, server=server)
    file.write_bytes(key_pem(key) + certificate_pem(made))
    return file


def _certificate(subject, issuer, key, signer, begins, ends, *, ca=False, server=""):
    now = datetime.now(UTC)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if server:
        bare = server.replace(".", "").isdecimal()
        host = x509.IPAddress(ipaddress.ip_address(server)) if bare else x509.DNSName(server)
        builder = builder.add_extension(x509.SubjectAlternativeName([host]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def ended(pair: Path) -> bool:
    """Whether a certificate's term is over."""
    found = x509.load_pem_x509_certificates(pair.read_bytes())[0]
    return datetime.now(UTC) > found.not_valid_after_utc


def answered(servers: str, ca: Path, pair: Path | None) -> bool:
    """Whether a broker answers a bare question (ApiVersions) to who shows this certificate."""
    try:
        return len(_asked(servers, ca, pair, 18, 0, b"")) > 0
    except (ssl.SSLError, ConnectionError):
        return False


def fetched(servers: str, ca: Path, pair: Path, topic: str) -> tuple[int, int]:
    """Ask for all of partition 0 of a topic, whatever metadata say; return error and bytes.

    29 is TOPIC_AUTHORIZATION_FAILED.
    """
    name = topic.encode()
    body = struct.pack(">iiiib", -1, 100, 1, 1_000_000, 0)
    body += struct.pack(f">ih{len(name)}siiqi", 1, len(name), name, 1, 0, 0, 1_000_000)
    answer = _asked(servers, ca, pair, 1, 4, body)
    at = 4 + 4 + 4 + 2 + len(name) + 4
    index, error = struct.unpack_from(">ih", answer, at)
    aborted = struct.unpack_from(">i", answer, at + 6 + 8 + 8)[0]
    (size,) = struct.unpack_from(">i", answer, at + 6 + 8 + 8 + 4 + 16 * max(0, aborted))
    assert index == 0
    return error, size


def _asked(servers, ca, pair, api, version, body):
    """Send one request of Kafka's protocol; return the answer after its length."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca / "ca.pem")
    if pair is not None:
        context.load_cert_chain(pair, pair)
    host, _, port = servers.rpartition(":")
    request = struct.pack(">hhih1s", api, version, 1, 1, b"x") + body
    with (
        socket.create_connection((host, int(port)), NOTHING_S) as bare,
        context.wrap_socket(bare, server_hostname=host) as link,
    ):
        link.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", _exactly(link, 4))
        return _exactly(link, size)


def _exactly(link, size):
    data = b""
    while len(data) < size:
        more = link.recv(size - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data


class FalseBroker:
    """Takes connections with some certificate, and notes whether anything was said to it."""

    def __init__(self, pair: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair, pair)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.servers = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.heard = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                link, _ = self._socket.accept()
                with self._context.wrap_socket(link, server_side=True) as safe:
                    self.heard += safe.recv(1000)
            except ssl.SSLError:
                continue
            except OSError:
                return

    def close(self):
        self._socket.close()
