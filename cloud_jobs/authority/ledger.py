"""What the authority has issued and revoked: one JSON object a line, only ever appended to.

A certificate is written down before it is handed out: none exists that is not here.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from vibro.errors import BadInputError

NODE, SERVER, SERVICE, AUTHORITY = "node", "server", "service", "authority"
ISSUED, REVOKED, REINSTATED = "issued", "revoked", "reinstated"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    Attributes
    ----------
    at, begins, ends : str
        UTC, ISO 8601; the latter two of a certificate.
    what : str
        ``issued``, ``revoked`` or ``reinstated``.
    kind : str
        ``node``, ``server``, ``service`` or ``authority``.
    serial, key : str
        Serial number in hex and fingerprint of the public key of what was issued.
    """

    at: str
    what: str
    kind: str
    name: str
    site: str = ""
    serial: str = ""
    begins: str = ""
    ends: str = ""
    key: str = ""


class Ledger:
    """The file of all entries.

    Parameters
    ----------
    file : Path
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, entry: Entry) -> None:
        """Append one entry, durably.

        Raises
        ------
        BadInputError
            If the file cannot be written: then nothing may be handed out.
        """
        facts = {k: v for k, v in asdict(entry).items() if v}
        line = json.dumps(facts, separators=(",", ":")) + "\n"
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._file.open("ab") as out:
                fcntl.flock(out, fcntl.LOCK_EX)
                out.write(line.encode())
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise BadInputError(f"{self._file}: cannot be written ({error.strerror})") from None

    def entries(self) -> list[Entry]:
        """Return all entries, oldest first.

        Raises
        ------
        BadInputError
            If a line is not one: who was revoked must not be forgotten silently.
        """
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError):
            raise BadInputError(f"{self._file}: cannot be read") from None
        return [self._entry(number, line) for number, line in enumerate(lines, 1)]

    def _entry(self, number: int, line: str) -> Entry:
        try:
            facts: dict[str, Any] = json.loads(line)
            return Entry(**facts)
        except (ValueError, TypeError):
            raise BadInputError(
                f"{self._file}: line {number} is no entry; bring the file back from a copy"
            ) from None

    def revoked(self) -> set[str]:
        """Return the names that are revoked now."""
        names: set[str] = set()
        for entry in self.entries():
            if entry.what == REVOKED:
                names.add(entry.name)
            elif entry.what == REINSTATED:
                names.discard(entry.name)
        return names

    def clients(self) -> set[str]:
        """Return the names of all nodes and services that ever had a certificate."""
        return {entry.name for entry in self.entries() if entry.kind in {NODE, SERVICE}}

    def ending(self, names: Collection[str], until: datetime) -> dict[str, datetime]:
        """Return those of some names whose newest certificate ends before a time, and when."""
        ends: dict[str, datetime] = {}
        for entry in self.entries():
            if entry.what == ISSUED and entry.kind in {NODE, SERVICE} and entry.name in names:
                end = datetime.fromisoformat(entry.ends)
                ends[entry.name] = max(end, ends.get(entry.name, end))
        return {name: end for name, end in sorted(ends.items()) if end < until}
