"""Certificates as they are built: names, purposes and dates are decided here and nowhere else."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_jobs.authority.requests import PublicKey
from vibro.errors import BadInputError

BACKDATED = timedelta(minutes=10)
"""A node whose clock is behind takes its certificate nevertheless."""


@dataclass(frozen=True, slots=True)
class Term:
    """When a certificate holds, and its serial number: time and randomness of an issue."""

    now: datetime
    days: float
    serial: int

    @property
    def begin(self) -> datetime:
        """First instant, to the second as in the certificate."""
        return (self.now - BACKDATED).replace(microsecond=0)

    @property
    def end(self) -> datetime:
        """Last instant."""
        return (self.now + timedelta(days=self.days)).replace(microsecond=0)


def authority_certificate(key: ec.EllipticCurvePrivateKey, term: Term) -> x509.Certificate:
    """Return the authority's own certificate: it may sign certificates, but no authorities."""
    name = _name(f"Vibro authority {term.serial:x}"[:32])
    return (
        _begun(name, name, key.public_key(), term, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def client_certificate(
    name: str,
    key: PublicKey,
    authority: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    term: Term,
) -> x509.Certificate:
    """Return a principal's certificate, good for showing it to a broker and nothing else."""
    return (
        _leaf(name, key, authority, signer, term)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )


def server_certificate(
    hosts: Sequence[str],
    key: PublicKey,
    authority: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    term: Term,
) -> x509.Certificate:
    """Return a broker's certificate for host names and addresses.

    Brokers are clients of each other: it is good for both, under the name `BROKER`.

    Raises
    ------
    BadInputError
        If a host is neither a name nor an address.
    """
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        _leaf(BROKER, key, authority, signer, term)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False)
        .sign(signer, hashes.SHA256())
    )


BROKER = "broker"
"""Principal of every broker, whatever its hosts are called: a host must not take another's name."""


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    term: Term,
    signer: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(term.serial)
        .not_valid_before(term.begin)
        .not_valid_after(term.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )


def _leaf(
    name: str,
    key: PublicKey,
    authority: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    term: Term,
) -> x509.CertificateBuilder:
    return (
        _begun(_name(name), authority.subject, key, term, signer)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    labels = text.split(".")
    if len(text) <= 253 and all(_is_label(label) for label in labels):
        return x509.DNSName(text)
    raise BadInputError(f"--server '{text}' is neither a host name nor an address")


def _is_label(text: str) -> bool:
    inner = text.replace("-", "")
    return 0 < len(text) <= 63 and inner.isascii() and inner.isalnum() and text.strip("-") == text
