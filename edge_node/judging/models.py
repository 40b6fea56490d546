"""The bundle a node runs: notice -> verify -> golden vectors -> keep -> swap between windows.

A notice names a bundle and its SHA-256, and brings it along or says in which file it is. Nothing of
a bundle is trusted before its digest, its own checks, its feature schema and its golden vectors
have passed on this very CPU; only then is it kept (written, fsynced, renamed) and handed over. A
bundle that fails is refused with its reason and the node goes on with the one it has.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibro.bundle import Bundle, check_golden, decode
from vibro.errors import BadInputError
from vibro.features.table import SCHEMA_HASH


@dataclass(frozen=True, slots=True)
class Notice:
    """What the models topic says: this version of this class's bundle is to be run."""

    site: str
    machine_class: str
    version: str
    file: str
    sha256: str

    @classmethod
    def parse(cls, site: str, machine_class: str, value: bytes) -> Notice:
        """Parse the JSON value of a message.

        Raises
        ------
        BadInputError
            If it is not a notice.
        """
        try:
            body: dict[str, Any] = json.loads(value)
            return cls(
                site, machine_class, str(body["version"]), str(body["file"]), str(body["sha256"])
            )
        except (ValueError, KeyError, TypeError) as error:
            raise BadInputError(f"model notice of {site}/{machine_class}: {error!r}") from None


class BundleSlot:
    """The one place on a node's disk where the accepted bundle lies."""

    def __init__(self, folder: Path, site: str, machine_class: str) -> None:
        self._file = folder / "bundle.vbundle"
        self._site, self._class = site, machine_class
        self.refused: list[str] = []

    def accepted(self) -> Bundle | None:
        """Return the bundle accepted before a restart, if there is one and it is whole."""
        try:
            return self._verified(self._file.read_bytes())
        except FileNotFoundError:
            return None
        except BadInputError as error:
            self.refused.append(f"{self._file.name}: {error}")
            return None

    def offer(self, notice: Notice, store: Path, content: bytes | None = None) -> Bundle | None:
        """Verify the bundle that a notice names and keep it; None (with a reason) if refused.

        Parameters
        ----------
        store : Path
            Folder of bundles, where the transport is one too.
        content : bytes, optional
            The bundle itself, where it came with the notice.
        """
        try:
            if content is None:
                content = _from_file(notice, store)
            if hashlib.sha256(content).hexdigest() != notice.sha256:
                raise BadInputError(f"bundle {notice.file}: its SHA-256 is not the announced one")
            bundle = self._verified(content)
        except (OSError, BadInputError) as error:
            self.refused.append(f"{notice.version}: {error}")
            return None
        self._keep(content)
        return bundle

    def _verified(self, content: bytes) -> Bundle:
        bundle = decode(content)
        if (bundle.site, bundle.machine_class) != (self._site, self._class):
            raise BadInputError(
                f"bundle {bundle.version} is for {bundle.site}/{bundle.machine_class}, "
                f"this node runs {self._site}/{self._class}"
            )
        if bundle.schema_hash != SCHEMA_HASH:
            raise BadInputError(
                f"bundle {bundle.version} was trained on feature schema {bundle.schema_hash}, "
                f"this node computes {SCHEMA_HASH}"
            )
        check_golden(bundle)
        return bundle

    def _keep(self, content: bytes) -> None:
        draft = self._file.with_suffix(".new")
        with draft.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _from_file(notice: Notice, store: Path) -> bytes:
    file = (store / notice.file).resolve()
    if not file.is_relative_to(store.resolve()):
        raise BadInputError(f"bundle {notice.file}: lies outside the folder of bundles")
    return file.read_bytes()
