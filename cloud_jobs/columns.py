"""Columns of the lake's tables, and records as Arrow tables with these columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.records import Clip, FeatureBlock, Spectrum

STATUS_VALUES = (
    "score_fast",
    "p_fast",
    "score_long",
    "p_long",
    "severity",
    "rpm",
    "judged_share",
    "velocity_rms_mm_s",
    "displacement_rms_um",
)
STATUS_COUNTS = ("seen", "processed", "lost")

_KEYS = [
    ("site", pa.string()),
    ("machine", pa.string()),
    ("channel", pa.string()),
    ("node", pa.string()),
    ("stream_epoch", pa.int64()),
    ("first_sample", pa.int64()),
    ("t0_ns", pa.int64()),
    ("state", pa.string()),
    ("bundle", pa.string()),
]
FEATURE_KEYS = ("site", "machine", "channel", "t0_ns", "state")


_OF_MACHINE = [
    ("thing", pa.string()),
    ("site", pa.string()),
    ("machine", pa.string()),
    ("node", pa.string()),
    ("t0_ns", pa.int64()),
    ("rate_hz", pa.float64()),
]


def _features(names: Sequence[str]) -> pa.Schema:
    extra = [("content", pa.string()), ("schema_hash", pa.string())]
    return pa.schema([*_KEYS, *extra, *((n, pa.float32()) for n in names)])


SCHEMAS: dict[str, pa.Schema] = {
    "status": pa.schema(
        [
            *_KEYS,
            *((n, pa.float32()) for n in STATUS_VALUES),
            *((n, pa.int64()) for n in STATUS_COUNTS),
        ]
    ),
    "features_fast": _features(FAST_NAMES),
    "features_long": _features(LONG_NAMES),
    "clips": pa.schema(
        [
            *_OF_MACHINE,
            ("rpm", pa.float32()),
            ("state", pa.string()),
            ("reason", pa.string()),
            ("event", pa.string()),
            ("channels", pa.list_(pa.string())),
            ("samples", pa.int64()),
            ("record", pa.binary()),
        ]
    ),
    "spectra": pa.schema(
        [
            *_OF_MACHINE,
            ("rpm", pa.float64()),
            ("state", pa.string()),
            ("reason", pa.string()),
            ("channels", pa.list_(pa.string())),
            ("averages", pa.int64()),
            ("record", pa.binary()),
        ]
    ),
}


def table_name(block: FeatureBlock) -> str:
    """Table that a block's rows belong to."""
    return "status" if block.content == "status" else f"features_{block.path}"


def block_rows(table: str, blocks: Sequence[FeatureBlock]) -> pa.Table:
    """Rows of blocks of one table, one column at a time; an absent column is null."""
    schema = SCHEMAS[table]
    return pa.Table.from_arrays([_column(f, blocks) for f in schema], schema=schema)


def _column(field: pa.Field, blocks: Sequence[FeatureBlock]) -> pa.Array:
    name = field.name
    if name in ("channel", "state"):
        return pa.concat_arrays([_words(field, b) for b in blocks])
    if name in _SAME:
        same = [pa.repeat(pa.scalar(_SAME[name](b), field.type), b.rows) for b in blocks]
        return pa.concat_arrays(same)
    if not all(name in b.columns for b in blocks):
        return pa.concat_arrays([_or_null(field, b) for b in blocks])
    return pa.array(np.concatenate([b.columns[name] for b in blocks])).cast(field.type)


def _or_null(field: pa.Field, block: FeatureBlock) -> pa.Array:
    if field.name not in block.columns:
        return pa.nulls(block.rows, field.type)
    return pa.array(block.columns[field.name]).cast(field.type)


def _words(field: pa.Field, block: FeatureBlock) -> pa.Array:
    words = block.channels if field.name == "channel" else block.states
    return pa.array(words, field.type).take(pa.array(block.columns[field.name]))


_SAME: dict[str, Callable[[FeatureBlock], object]] = {
    "site": lambda b: b.origin.site,
    "machine": lambda b: b.origin.machine,
    "node": lambda b: b.origin.node,
    "stream_epoch": lambda b: b.origin.stream_epoch,
    "bundle": lambda b: b.bundle,
    "content": lambda b: b.content,
    "schema_hash": lambda b: b.schema_hash,
}


def spectrum_rows(spectra: Sequence[tuple[Spectrum, bytes]]) -> pa.Table:
    """One row a spectrum, holding the record as it was shipped."""
    found = [_common(s, value) | {"averages": s.averages} for s, value in spectra]
    return pa.Table.from_pylist(found, schema=SCHEMAS["spectra"])


def clip_rows(clips: Sequence[tuple[Clip, bytes]]) -> pa.Table:
    """One row a clip, holding the record as it was shipped."""
    return pa.Table.from_pylist([_clip(c, value) for c, value in clips], schema=SCHEMAS["clips"])


def _clip(clip: Clip, value: bytes) -> dict[str, object]:
    return _common(clip, value) | {"event": clip.event, "samples": clip.samples.shape[1]}


def _common(record: Clip | Spectrum, value: bytes) -> dict[str, object]:
    return {
        "thing": record.id.thing,
        "site": record.origin.site,
        "machine": record.origin.machine,
        "node": record.origin.node,
        "t0_ns": record.t0_ns,
        "rate_hz": record.rate_hz,
        "rpm": record.rpm,
        "state": record.state,
        "reason": record.reason,
        "channels": list(record.channels),
        "record": value,
    }
