"""A small certificate authority for the tests' servers and their clients."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

VALID = dt.timedelta(days=2)
HOST = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]


class Authority:
    """A folder with ``ca.pem`` and ``ca.key``, and the certificates that they signed.

    Parameters
    ----------
    folder : Path
        Where everything is kept; an authority that is there already goes on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate, self.key = folder / "ca.pem", folder / "ca.key"
        if not self.certificate.exists():
            folder.mkdir(parents=True, exist_ok=True)
            key = ec.generate_private_key(ec.SECP256R1())
            limits = x509.BasicConstraints(ca=True, path_length=0)
            draft = _draft("authority of the tests", key).issuer_name(
                _name("authority of the tests")
            )
            signed = draft.add_extension(limits, critical=True).sign(key, hashes.SHA256())
            _write_key(self.key, key)
            self.certificate.write_bytes(signed.public_bytes(Encoding.PEM))

    def credentials(self, name: str) -> tuple[Path, Path]:
        """Return the certificate and the key of a principal, a client or a server."""
        cert_file, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        if not cert_file.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            signer = load_pem_private_key(self.key.read_bytes(), None)
            assert isinstance(signer, ec.EllipticCurvePrivateKey)
            issuer = x509.load_pem_x509_certificate(self.certificate.read_bytes()).subject
            draft = _draft(name, key).issuer_name(issuer)
            draft = draft.add_extension(x509.SubjectAlternativeName(HOST), critical=False)
            _write_key(key_file, key)
            signed = draft.sign(signer, hashes.SHA256())
            cert_file.write_bytes(signed.public_bytes(Encoding.PEM))
        return cert_file, key_file


def _draft(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + VALID)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.touch(0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
