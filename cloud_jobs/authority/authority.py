"""The authority in ``HOME/authority``: its key, what it signs, and under which conditions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_jobs.authority.issue import (
    BROKER,
    Term,
    authority_certificate,
    client_certificate,
    server_certificate,
)
from cloud_jobs.authority.ledger import (
    AUTHORITY,
    ISSUED,
    NODE,
    REINSTATED,
    REVOKED,
    SERVER,
    SERVICE,
    Entry,
    Ledger,
)
from cloud_jobs.authority.requests import PublicKey, check_request
from vibro.assets import Machine, Register
from vibro.errors import BadInputError
from vibro.log.kafka.certificates import (
    PRIVATE,
    PUBLIC,
    certificate_pem,
    common_name,
    fingerprint,
    key_pem,
    new_key,
    read_certificates,
    read_file,
    read_key,
    write_whole,
)

FOLDER, KEY, CERTIFICATE, LEDGER = "authority", "ca.key", "ca.pem", "ledger.jsonl"
MOST_DAYS = {NODE: 90.0, SERVICE: 90.0, SERVER: 400.0}
"""Longest terms: what is stolen and not noticed ends with them."""
SERVICE_NAME = re.compile(r"[a-z0-9]{1,32}\Z")
"""A node's name has a hyphen or 63 characters: none can be a service's."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a certificate is wanted.

    Attributes
    ----------
    days : float
        Term, at most `MOST_DAYS` unless ``force``.
    reinstate : bool
        Whether a revoked name is one of the plant again.
    """

    now: datetime
    days: float
    reinstate: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was handed out; ``pem`` ends with the authority's own."""

    name: str
    kind: str
    pem: bytes
    serial: str
    ends: datetime
    key: str
    renewed: bool


def ledger_of(home: Path) -> Ledger:
    """Return the ledger of a home folder, which need not have an authority."""
    return Ledger(home / FOLDER / LEDGER)


def make(home: Path, now: datetime, days: float, passphrase: bytes = b"") -> str:
    """Make the authority of a home folder; return the fingerprint of its key.

    Raises
    ------
    BadInputError
        If there is one already: every certificate depends on it.
    """
    folder = home / FOLDER
    there = [name for name in (KEY, CERTIFICATE) if (folder / name).exists()]
    if there:
        raise BadInputError(f"{folder / there[0]}: is there already; nothing is written over")
    key, term = new_key(), Term(now, days, x509.random_serial_number())
    certificate = authority_certificate(key, term)
    ledger_of(home).add(_issue_entry(AUTHORITY, common_name(certificate), "", certificate, now))
    write_whole(folder / KEY, key_pem(key, passphrase), PRIVATE)
    write_whole(folder / CERTIFICATE, certificate_pem(certificate), PUBLIC)
    return fingerprint(key.public_key())


class Authority:
    """Signs for the nodes of a register, for brokers and for the cloud's own services.

    Parameters
    ----------
    home : Path
    passphrase : bytes
        Of its key; empty where that is not encrypted.

    Raises
    ------
    BadInputError
        If there is no authority, or its key and certificate do not belong together.
    """

    def __init__(self, home: Path, passphrase: bytes = b"") -> None:
        folder = home / FOLDER
        if not (folder / CERTIFICATE).exists():
            raise BadInputError(
                f"{folder}: there is no authority; make it with `vibro cloud sign --init`"
            )
        self.certificate = read_certificates(folder / CERTIFICATE)[0]
        key = read_key(folder / KEY, passphrase)
        if (folder / KEY).stat().st_mode & 0o077:
            raise BadInputError(f"{folder / KEY}: others may read it; chmod 600 it")
        same = key.public_key() == self.certificate.public_key()
        if not same or not isinstance(key, ec.EllipticCurvePrivateKey):
            raise BadInputError(f"{folder}: {KEY} does not belong to {CERTIFICATE}")
        self._key, self._ledger = key, ledger_of(home)

    @property
    def fingerprint(self) -> str:
        """Of the authority's key, to compare with what an enrolled node says."""
        return fingerprint(self._key.public_key())

    def sign_node(self, request: Path, register: Register, wish: Wish) -> Issued:
        """Sign the request of a node that the register knows.

        Raises
        ------
        BadInputError
            If the request is not sound, the register has no such node, or it is revoked.
        """
        name, key = check_request(read_file(request), str(request))
        site = _machine_of(name, register, request).site
        return self._client(NODE, name, site, key, wish)

    def sign_service(self, name: str, key: PublicKey, wish: Wish) -> Issued:
        """Sign for one of the cloud's own services.

        Raises
        ------
        BadInputError
            If the name might be a node's or a broker's, or is revoked.
        """
        if not SERVICE_NAME.match(name) or name == BROKER:
            raise BadInputError(
                f"--service '{name}': a service's name is 1 to 32 of a-z and 0-9, not '{BROKER}'; "
                "names with a hyphen are the nodes'"
            )
        return self._client(SERVICE, name, "", key, wish)

    def sign_server(self, hosts: Sequence[str], key: PublicKey, wish: Wish) -> Issued:
        """Sign for a broker that is reached under some host names and addresses.

        Raises
        ------
        BadInputError
            If a host is neither.
        """
        term = self._term(SERVER, wish)
        certificate = server_certificate(hosts, key, self.certificate, self._key, term)
        return self._handed_out(SERVER, BROKER, "", certificate, wish.now)

    def _client(self, kind: str, name: str, site: str, key: PublicKey, wish: Wish) -> Issued:
        revoked = name in self._ledger.revoked()
        if revoked and not wish.reinstate:
            raise BadInputError(
                f"'{name}' is revoked; if it is one of the plant again, sign with --reinstate"
            )
        term = self._term(kind, wish)
        certificate = client_certificate(name, key, self.certificate, self._key, term)
        if revoked:
            self._ledger.add(Entry(wish.now.isoformat(), REINSTATED, kind, name, site))
        return self._handed_out(kind, name, site, certificate, wish.now)

    def _term(self, kind: str, wish: Wish) -> Term:
        most, days = MOST_DAYS[kind], wish.days
        if days > most and not wish.force:
            raise BadInputError(
                f"--days {days:g}: at most {most:g} for a {kind}, as what is stolen unnoticed "
                "ends with it; --force allows more"
            )
        term = Term(wish.now, days, x509.random_serial_number())
        if term.end > self.certificate.not_valid_after_utc:
            raise BadInputError(
                f"--days {days:g}: the authority itself ends on "
                f"{self.certificate.not_valid_after_utc:%Y-%m-%d}; docs/security.md says what then"
            )
        return term

    def _handed_out(
        self, kind: str, name: str, site: str, certificate: x509.Certificate, now: datetime
    ) -> Issued:
        renewed = any(
            e.what == ISSUED and (e.kind, e.name) == (kind, name) for e in self._ledger.entries()
        )
        entry = _issue_entry(kind, name, site, certificate, now)
        self._ledger.add(entry)
        pem = certificate_pem(certificate, self.certificate)
        end = certificate.not_valid_after_utc
        return Issued(name, kind, pem, entry.serial, end, entry.key, renewed)


def revoke(home: Path, name: str, register: Register, now: datetime) -> bool:
    """Write down that a name is revoked; return whether it was not before.

    The broker takes no notice of it: its ACLs are what must go next. The ledger comes first, so
    that no set-up in between gives them back.

    Raises
    ------
    BadInputError
        If neither the register nor the ledger knows the name.
    """
    ledger = ledger_of(home)
    known = {machine.node_id: (NODE, machine.site) for machine in register}
    known |= {e.name: (e.kind, e.site) for e in ledger.entries() if e.kind in {NODE, SERVICE}}
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; near: {near[0]}" if near else ""
        raise BadInputError(f"'{name}': neither the register nor the ledger knows it{hint}")
    if name in ledger.revoked():
        return False
    kind, site = known[name]
    ledger.add(Entry(now.isoformat(), REVOKED, kind, name, site))
    return True


def _machine_of(name: str, register: Register, request: Path) -> Machine:
    nodes = {machine.node_id: machine for machine in register}
    if name in nodes:
        return nodes[name]
    near = difflib.get_close_matches(name, nodes, 1)
    hint = f"near: {near[0]}" if near else "a node is named SITE-MACHINE"
    raise BadInputError(f"{request}: the register has no node '{name}'; {hint}")


def _issue_entry(
    kind: str, name: str, site: str, certificate: x509.Certificate, now: datetime
) -> Entry:
    key = certificate.public_key()
    return Entry(
        now.isoformat(), ISSUED, kind, name, site,
        serial=f"{certificate.serial_number:x}",
        begins=certificate.not_valid_before_utc.isoformat(),
        ends=certificate.not_valid_after_utc.isoformat(),
        key=fingerprint(key),
    )  # fmt: skip
