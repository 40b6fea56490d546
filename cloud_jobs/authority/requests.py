"""What is accepted of a certificate signing request: proof of the key, and one name.

Nothing else of it is used. Whatever validity, purposes or further names it asks for, the
certificate says what the authority decides.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from vibro.errors import BadInputError
from vibro.log.kafka.certificates import common_name

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

RSA_BITS = (3072, 8192)
"""From what is strong enough to what does not hold up a broker."""
HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
KEYS = f"ECDSA on P-256, Ed25519, or RSA from {RSA_BITS[0]} bits"


def check_request(data: bytes, origin: str) -> tuple[str, PublicKey]:
    """Return the name that a request asks for and the key that it proves to hold.

    Parameters
    ----------
    data : bytes
        The request, in PEM.
    origin : str
        What to call it in messages.

    Raises
    ------
    BadInputError
        If it is malformed, not signed by its own key, or of a key that is weak or unusual.
    """
    try:
        request = x509.load_pem_x509_csr(data)
        # Each of these parses further, and any may find that it is none.
        name, key, sound = common_name(request), request.public_key(), request.is_signature_valid
        digest = request.signature_hash_algorithm
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadInputError(
            f"{origin}: is no certificate signing request in PEM; `vibro edge enroll` writes one"
        ) from None
    strong = isinstance(digest, HASHES) or isinstance(key, ed25519.Ed25519PublicKey)
    if not sound or not strong:
        raise BadInputError(f"{origin}: is not signed by its own key with SHA-256 or stronger")
    if not name:
        raise BadInputError(f"{origin}: its subject must have one common name, the node's")
    return name, _checked_key(key, origin)


def _checked_key(key: object, origin: str) -> PublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, rsa.RSAPublicKey) and RSA_BITS[0] <= key.key_size <= RSA_BITS[1]:
        return key
    raise BadInputError(f"{origin}: its key is not accepted; accepted are {KEYS}")
