"""Publishing a bundle: the file first, then its row, last the notice that nudges the edges.

Edges beside the embedded log take the file that the notice names. Over any other transport the
bundle, 250 kB at most, comes along in a header of the notice.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cloud_jobs.store import Store, finite
from cloud_jobs.store.tables import ModelRow
from vibro.bundle import Bundle, encode
from vibro.errors import VibroError
from vibro.log import EmbeddedLog, Message, Transport
from vibro.records import topic

BUNDLE = "bundle"
"""Header of a notice that holds the bundle itself."""


def publish(bundle: Bundle, home: Path, store: Store, log: Transport) -> ModelRow:
    """Write ``HOME/bundles/<site>/<class>/<version>.vbundle`` and announce it.

    The notice goes to ``vibro.v1.<site>.models`` under the machine class as key; its JSON value
    holds version, file (relative to the bundles' folder), sha256 and bytes. Doing it twice is a
    no-op.

    Returns
    -------
    ModelRow
        As kept in the store; its metrics are the bundle's and those of its gate.
    """
    content = encode(bundle)
    name = f"{bundle.site}/{bundle.machine_class}/{bundle.version}.vbundle"
    _write(home / "bundles" / name, content)
    row = ModelRow(
        site=bundle.site,
        machine_class=bundle.machine_class,
        version=bundle.version,
        created_ns=bundle.created_ns,
        file=name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        metrics=finite({**bundle.metrics, **bundle.meta.get("gate", {})}),
    )
    store.put_model(row)
    announce(row, log, home)
    return row


def lay_out_prior(prior: Bundle, home: Path) -> Path:
    """Write ``HOME/bundles/prior/<class>.vbundle``, which nodes are configured with.

    It is not announced: who has a baseline of his own does not need it.
    """
    file = home / "bundles" / "prior" / f"{prior.machine_class}.vbundle"
    _write(file, encode(prior))
    return file


def announce_newest(models: Iterable[ModelRow], log: Transport, home: Path) -> None:
    """Announce the newest of each site and class again, in case that was not done to its end."""
    newest = {(m.site, m.machine_class): m for m in sorted(models, key=lambda m: m.created_ns)}
    for model in newest.values():
        announce(model, log, home)


def announce(model: ModelRow, log: Transport, home: Path) -> None:
    """Send the notice of a published bundle; a repeat is a no-op.

    Raises
    ------
    VibroError
        If it could not be sent, or the bundle's file, which goes along, cannot be read.
    """
    notice: dict[str, Any] = {
        "version": model.version,
        "file": model.file,
        "sha256": model.sha256,
        "bytes": model.bytes,
    }
    headers: tuple[tuple[str, bytes], ...] = ()
    if not isinstance(log, EmbeddedLog):
        if _last_announced(model, log) == model.version:
            return
        headers = ((BUNDLE, _content(home / "bundles" / model.file)),)
    message = Message(
        key=model.machine_class,
        value=json.dumps(notice).encode(),
        producer=f"publish:{model.site}/{model.machine_class}",
        sequence=model.created_ns,
        headers=headers,
    )
    log.send(topic(model.site, "models"), [message])


def _last_announced(model: ModelRow, log: Transport) -> str:
    """Version in the newest notice of a model's site and class; empty without one."""
    name, after, version = topic(model.site, "models"), 0, ""
    while found := log.read(name, after, 100):
        after = found[-1].offset
        for stored in found:
            if stored.key == model.machine_class:
                version = _version(stored.value)
    return version


def _version(notice: bytes) -> str:
    """Version that a notice names; empty where somebody else wrote something else."""
    try:
        return str(json.loads(notice)["version"])
    except (ValueError, KeyError, TypeError):
        return ""


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise VibroError(f"bundle {file}: cannot be read ({error.strerror})") from None


def _write(file: Path, content: bytes) -> None:
    """Durable and never seen half-written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    with draft.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
