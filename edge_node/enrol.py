"""Enrolling a node: its key is made here and never leaves; a certificate comes back for it.

Key and certificate in use stand together in ``tls/node.pem``, so that one rename swaps both, and
whatever happens meanwhile leaves a pair. (TLS libraries open the file twice; a connection begun
within the microseconds in between fails, and is made again.) What waits for its certificate lies
beside, in ``tls/next.key``. The same two steps renew a certificate, with a new key each time.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_node.config import NodeSection
from edge_node.enrol_config import set_entries
from vibro.assets import node_name
from vibro.errors import BadInputError
from vibro.log.kafka.certificates import (
    PRIVATE,
    PUBLIC,
    PrivateKey,
    certificate_pem,
    common_name,
    fingerprint,
    key_pem,
    new_key,
    read_certificates,
    read_key,
    write_whole,
)
from vibro.options import read_section

FOLDER, PAIR, NEXT, CA = "tls", "node.pem", "next.key", "ca.pem"
LONGEST_CHAIN = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What was written for the authority.

    Attributes
    ----------
    name : str
        Principal that brokers will know the node by.
    key : str
        Fingerprint of the new key.
    waiting : bool
        Whether it lay there already, from an earlier call.
    renewal : bool
        Whether the node has a certificate, which stays in use meanwhile.
    """

    name: str
    request: Path
    key: str
    waiting: bool
    renewal: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """What came into use.

    Attributes
    ----------
    authority : str
        Fingerprint of the key of who signed it, in the end.
    configured : bool
        Whether the configuration had to be changed.
    """

    name: str
    pair: Path
    key: str
    authority: str
    ends: datetime
    configured: bool


def ask(config: Path) -> Asked:
    """Make a key and a request for its certificate; what waits already is kept.

    Raises
    ------
    BadInputError
        If the configuration does not say which node this is, or the folder cannot be written.
    """
    name, folder = _name_of(config), config.resolve().parent / FOLDER
    request, waiting = folder / f"{name}.csr", (folder / NEXT).exists()
    key: PrivateKey = new_key()
    if waiting:
        key = read_key(folder / NEXT)
    else:
        write_whole(folder / NEXT, key_pem(key), PRIVATE)
    # Always written anew: whatever lies there under that name, the request is this key's.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    write_whole(request, csr.public_bytes(serialization.Encoding.PEM), PUBLIC)
    found = fingerprint(key.public_key())
    return Asked(name, request, found, waiting, (folder / PAIR).exists())


def take(config: Path, certificate: Path, ca: Path | None, now: datetime) -> Taken:
    """Take a certificate into use, with the key that it was made for.

    Parameters
    ----------
    certificate : Path
        What the authority gave, its own certificate behind the node's or not.
    ca : Path, optional
        The authorities to trust from now on, as PEM. Without it: at first those that came with the
        certificate, later those that were trusted before.

    Raises
    ------
    BadInputError
        If it is for another key or node, not valid now, or of an authority that is not trusted.
        Then nothing has changed.
    """
    name, folder = _name_of(config), config.resolve().parent / FOLDER
    leaf, *others = read_certificates(certificate)
    key = _key_of(leaf, folder, certificate)
    _check_leaf(leaf, name, now, certificate)
    trusted = _trusted(ca, folder, others)
    chain = _chain(leaf, others, trusted, certificate)
    write_whole(folder / CA, certificate_pem(*trusted), PUBLIC)
    write_whole(folder / PAIR, key_pem(key) + certificate_pem(*chain[:-1]), PRIVATE)
    pair, ca_file = f"{FOLDER}/{PAIR}", f"{FOLDER}/{CA}"
    configured = set_entries(
        config, "kafka", {"ca_file": ca_file, "cert_file": pair, "key_file": pair}
    )
    for leftover in (folder / NEXT, folder / f"{name}.csr"):
        leftover.unlink(missing_ok=True)
    return Taken(
        name, folder / PAIR, fingerprint(leaf.public_key()), fingerprint(chain[-1].public_key()),
        leaf.not_valid_after_utc, configured,
    )  # fmt: skip


def _name_of(config: Path) -> str:
    """Name of a node, from as little of its configuration as there may be before it is enrolled."""
    try:
        raw = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{config}: cannot be read as TOML ({error})") from None
    mistakes: list[str] = []
    given = raw.get("node", {})
    values = read_section("node", NodeSection, given if isinstance(given, dict) else {}, mistakes)
    if values is None:
        raise BadInputError(f"{config}: " + "; ".join(mistakes))
    return node_name(values["site"], values["machine"])


def _key_of(leaf: x509.Certificate, folder: Path, origin: Path) -> PrivateKey:
    """The key that a certificate was made for: the one that waits, or the one in use."""
    for file in (folder / NEXT, folder / PAIR):
        if file.exists() and (key := read_key(file)).public_key() == leaf.public_key():
            return key
    raise BadInputError(
        f"{origin}: is not for a key of this node; sign the request that `vibro edge enroll` "
        "writes, and take it into use before another is made"
    )


def _check_leaf(leaf: x509.Certificate, name: str, now: datetime, origin: Path) -> None:
    if common_name(leaf) != name:
        raise BadInputError(f"{origin}: is for '{common_name(leaf)}', this node is '{name}'")
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if not begins <= now < ends:
        raise BadInputError(
            f"{origin}: is valid from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC, and "
            f"this computer's clock says {now:%Y-%m-%d %H:%M}"
        )
    try:
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        raise BadInputError(f"{origin}: is not meant for a client (extended key usage)")


def _trusted(
    ca: Path | None, folder: Path, others: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """Return the authorities of brokers."""
    if ca is not None:
        return read_certificates(ca)
    if (folder / CA).exists():
        return read_certificates(folder / CA)
    return [c for c in others if c.subject == c.issuer]


def _chain(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
    origin: Path,
) -> list[x509.Certificate]:
    """From a certificate to the trusted one that it comes from, both included."""
    chain = [leaf]
    while len(chain) < LONGEST_CHAIN:
        last = chain[-1]
        if above := [c for c in trusted if _signed(last, c)]:
            return [*chain, above[0]]
        between = [c for c in others if _signed(last, c) and c not in chain]
        if not between:
            break
        chain.append(between[0])
    raise BadInputError(
        f"{origin}: does not come from an authority that this node trusts; if it is the right one, "
        "name its certificate with --ca"
    )


def _signed(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        if not by.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return True
