"""Publishing a bundle: the file first, then its row, last the notice that nudges the edges."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from cloud_jobs.store import Store, finite
from cloud_jobs.store.tables import ModelRow
from vibro.bundle import Bundle, encode
from vibro.log import Message, Transport
from vibro.records import topic


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
    announce(row, log)
    return row


def lay_out_prior(prior: Bundle, home: Path) -> Path:
    """Write ``HOME/bundles/prior/<class>.vbundle``, which nodes are configured with.

    It is not announced: who has a baseline of his own does not need it.
    """
    file = home / "bundles" / "prior" / f"{prior.machine_class}.vbundle"
    _write(file, encode(prior))
    return file


def announce(model: ModelRow, log: Transport) -> None:
    """Send the notice of a published bundle; a repeat is a no-op."""
    notice: dict[str, Any] = {
        "version": model.version,
        "file": model.file,
        "sha256": model.sha256,
        "bytes": model.bytes,
    }
    message = Message(
        key=model.machine_class,
        value=json.dumps(notice).encode(),
        producer=f"publish:{model.site}/{model.machine_class}",
        sequence=model.created_ns,
    )
    log.send(topic(model.site, "models"), [message])


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
