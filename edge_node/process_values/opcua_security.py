"""Messages to an OPC UA server signed, or signed and encrypted: policy Basic256Sha256."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_node.library import library
from edge_node.process_values.options import ProcessValuesSection
from vibro.errors import BadInputError

POLICY = "Basic256Sha256"
MODES = {"sign": "Sign", "encrypt": "SignAndEncrypt"}


@dataclass(frozen=True, slots=True)
class Security:
    """What a client needs to be secure.

    Attributes
    ----------
    text : str
        As asyncua takes it: policy, mode, certificate, key and perhaps the server's certificate.
    application_uri : str
        Of the client's certificate; servers compare it with what the client says.
    """

    text: str
    application_uri: str


def security_of(section: ProcessValuesSection, folder: Path, what: str) -> Security | None:
    """Return the security that the options ask for; None for none.

    Raises
    ------
    BadInputError
        Naming the file that is missing, or is no certificate of an application.
    """
    if section.security == "none":
        return None
    keys = ["certificate_file", "key_file"]
    if section.server_certificate_file:
        keys.append("server_certificate_file")
    files = [folder / getattr(section, key) for key in keys]
    for key, file in zip(keys, files, strict=True):
        if not file.is_file() or "," in str(file):
            raise BadInputError(
                f"process_values.{key} = '{file}' is no file, or has a comma in its path"
            )
    uri = _uri(files[0], library("cryptography.x509", what, "opcua"))
    return Security(",".join([POLICY, MODES[section.security], *map(str, files)]), uri)


def _uri(file: Path, x509: Any) -> str:
    data = file.read_bytes()
    # As asyncua tells them apart.
    pem = file.suffix == ".pem"
    try:
        made = (x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate)(data)
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return str(names.get_values_for_type(x509.UniformResourceIdentifier)[0])
    except (ValueError, IndexError, x509.ExtensionNotFound):
        raise BadInputError(
            f"process_values.certificate_file = '{file}' is no certificate (.pem, else DER) with "
            "an application URI in its alternative names"
        ) from None
