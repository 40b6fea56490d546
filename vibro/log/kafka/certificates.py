"""Keys and certificates in files, as both sides read and write them.

A private key and its certificate stand in one file, key first: what one rename replaces is never
half old and half new.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import NameOID

from vibro.errors import BadInputError

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

MOST_BYTES = 256 * 1024
"""A file that is larger holds no certificate."""
WARN_DAYS = 7.0
"""A certificate that ends sooner is spoken of."""
PRIVATE, PUBLIC = 0o600, 0o644


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a private key: ECDSA on P-256, which every TLS library takes."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKey, passphrase: bytes = b"") -> bytes:
    """Return a private key as PKCS 8 in PEM; encrypted where there is a passphrase."""
    hidden: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        hidden = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates, one after the other, in PEM."""
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def read_certificates(file: Path) -> list[x509.Certificate]:
    """Return all certificates of a PEM file, in its order.

    Raises
    ------
    BadInputError
        If it cannot be read or holds none; naming the file, never its content.
    """
    try:
        return x509.load_pem_x509_certificates(read_file(file))
    except ValueError:
        raise BadInputError(
            f"{file}: holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"
        ) from None


def read_key(file: Path, passphrase: bytes = b"") -> PrivateKey:
    """Return the private key of a PEM file.

    Raises
    ------
    BadInputError
        If it cannot be read, holds no key of a kind that is used here, or the passphrase is
        missing or wrong; naming the file, never its content.
    """
    data = read_file(file)
    try:
        key = serialization.load_pem_private_key(data, passphrase or None)
    except TypeError:
        needs = "is not encrypted: no passphrase belongs to it" if passphrase else "is encrypted"
        raise BadInputError(f"{file}: the private key {needs}") from None
    except ValueError:
        why = ", or the passphrase is wrong" if passphrase else " in PEM"
        raise BadInputError(f"{file}: holds no private key{why}") from None
    if not isinstance(key, PrivateKey):
        raise BadInputError(f"{file}: the private key is neither ECDSA, Ed25519 nor RSA")
    return key


def read_file(file: Path) -> bytes:
    """Return the bytes of a small file.

    Raises
    ------
    BadInputError
        If it cannot be read, or is too large to be a key, certificate or request.
    """
    try:
        with file.open("rb") as found:
            data = found.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInputError(f"{file}: cannot be read ({error.strerror})") from None
    if len(data) > MOST_BYTES:
        raise BadInputError(f"{file}: is larger than {MOST_BYTES} bytes, so no key or certificate")
    return data


def write_whole(file: Path, data: bytes, mode: int) -> None:
    """Put a file in its place at once and durably: it is the old one or the new one, never half.

    What root writes belongs to whoever owns the folder around it: a node's key must be its user's.

    Raises
    ------
    BadInputError
        If its folder cannot be written.
    """
    try:
        if not file.parent.exists():
            file.parent.mkdir(mode=0o700, parents=True)
            _give(file.parent, file.parent.parent)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "wb") as out:
                os.fchmod(out.fileno(), mode)
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            _give(Path(name), file.parent)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise BadInputError(f"{file}: cannot be written ({error.strerror})") from None


def _give(path: Path, like: Path) -> None:
    """Give what root has made to the owner of another path."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def common_name(certificate: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """Return the one common name, a broker's principal; empty if there is not exactly one."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


def fingerprint(key: PublicKeyTypes) -> str:
    """Return the SHA-256 of a public key, for two people to compare: 64 hex digits in eights."""
    whole = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(*whole))
    text = digest.finalize().hex()
    return " ".join(text[i : i + 8] for i in range(0, len(text), 8))
