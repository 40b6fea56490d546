"""Feature blocks as the body of their Avro record, and back.

Columns stand in the cells, see `vibro.wire.layout`. What does not fit there, and all columns of the
first schema, are packed columns.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import FeatureBlock, Origin
from vibro.wire import cell_reader, cell_writer
from vibro.wire.columns import pack, unpack
from vibro.wire.layout import MOST

# Names of the feature columns by (schema hash, path): not sent, because the hash says them.
_TABLES: dict[tuple[str, str], tuple[str, ...]] = {
    (SCHEMA_HASH, "fast"): FAST_NAMES,
    (SCHEMA_HASH, "long"): LONG_NAMES,
}
# Other lists of columns that are told by a number; what a number once meant it means for ever.
_LISTS: dict[str, tuple[str, ...]] = {
    "1": (
        "judged_share",
        "p_fast",
        "p_long",
        "rpm",
        "score_fast",
        "score_long",
        "severity",
        "velocity_rms_mm_s",
    )
}
_KEYS = ("channel", "first_sample", "t0_ns", "state")
_KEY_TYPES = {"channel": "int16", "first_sample": "int64", "t0_ns": "int64", "state": "int16"}


def body(block: FeatureBlock) -> dict[str, Any]:
    """Return a block as a record of its schema."""
    counts = [n for n, c in block.columns.items() if n not in _KEYS and c.dtype.kind in "iu"]
    names = tuple(n for n in block.columns if n not in (*_KEYS, *counts))
    matrix = np.array([block.columns[n] for n in names], np.float32).reshape(len(names), block.rows)
    keys = {k: block.columns[k].astype(_KEY_TYPES.get(k, "int64")) for k in (*_KEYS, *counts)}
    close = all(cell_writer.fits(keys[k]) for k in _KEYS)
    told = {k: c for k, c in keys.items() if close and cell_writer.fits(c)}
    return {
        "origin": asdict(block.origin),
        "content": block.content,
        "path": block.path,
        "schema_hash": block.schema_hash,
        "bundle": block.bundle,
        "channels": list(block.channels),
        "states": list(block.states),
        "keys": [pack(k, c) for k, c in keys.items() if k not in told],
        "names": _short(names, block),
        "values": None if close else pack("values", matrix.ravel()),
        "counts": [k for k in told if k not in _KEYS],
        "rows": block.rows if close else 0,
        "cells": cell_writer.write(told, matrix) if close else None,
    }


def _short(names: tuple[str, ...], block: FeatureBlock) -> list[str]:
    """How the names of the columns are told: not at all, by a number, or in full."""
    if _TABLES.get((block.schema_hash, block.path)) == names:
        return []
    return next(([number] for number, known in _LISTS.items() if known == names), list(names))


def _names(body: dict[str, Any]) -> tuple[str, ...]:
    told = tuple(body["names"])
    if len(told) == 1:
        return _LISTS.get(told[0], told)
    return told or _TABLES.get((body["schema_hash"], body["path"]), ())


def block(body: dict[str, Any]) -> FeatureBlock:
    """Return the block that a record of the schema holds, the inverse of `body`.

    Raises
    ------
    BadInputError
        If its columns are not whole.
    """
    names = _names(body)
    keys = [*(c["name"] for c in body["keys"]), *(_told(body))]
    if len({*names, *keys}) != len(names) + len(keys):
        raise BadInputError("two columns have one name")
    columns, values = _columns(body, len(names))
    if not set(columns) >= set(_KEYS) or len({c.size for c in columns.values()}) != 1:
        raise BadInputError(f"key columns are not {', '.join(_KEYS)} of one length")
    for key, column in columns.items():
        if column.dtype.name != _KEY_TYPES.get(key, "int64"):
            raise BadInputError(f"key column '{key}' is {column.dtype}")
    rows = columns["t0_ns"].size
    if values.size != len(names) * rows or values.dtype != np.float32:
        raise BadInputError(
            f"{values.size} {values.dtype} values do not fill {len(names)} columns of {rows} rows"
        )
    _check_index(columns["channel"], len(body["channels"]), "channel")
    _check_index(columns["state"], len(body["states"]), "state")
    columns |= dict(zip(names, values.reshape(len(names), rows), strict=True))
    return FeatureBlock(
        Origin(**body["origin"]),
        body["content"],
        body["path"],
        body["schema_hash"],
        body["bundle"],
        tuple(body["channels"]),
        tuple(body["states"]),
        columns,
    )


def _told(body: dict[str, Any]) -> tuple[str, ...]:
    """Names of the keys that stand in the cells."""
    return () if body["cells"] is None else (*_KEYS, *body["counts"])


def _columns(body: dict[str, Any], count: int) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """Keys by name, and all values: from the cells, or from packed columns as all once were."""
    packed = {c["name"]: c for c in body["keys"]}
    columns = dict(zip(packed, unpack(list(packed.values())), strict=True))
    rows = body["rows"]
    if body["cells"] is None:
        if body["values"] is None:
            raise BadInputError("a block holds neither cells nor values")
        return columns, unpack([body["values"]])[0]
    names = _told(body)
    if rows < 1 or rows * (count + len(names)) > MOST:
        raise BadInputError(f"a block declares {rows} rows of {count} columns")
    keys, values = cell_reader.read(body["cells"], names, count, rows)
    for name, key in zip(names, keys, strict=True):
        columns[name] = key.astype(_KEY_TYPES.get(name, "int64"))
    order = [*_KEYS, *(n for n in columns if n not in _KEYS)]
    return {n: columns[n] for n in order}, values


def _check_index(values: NDArray[Any], count: int, what: str) -> None:
    if values.size and not 0 <= values.min() <= values.max() < count:
        raise BadInputError(f"a {what} index is outside the {count} declared")
