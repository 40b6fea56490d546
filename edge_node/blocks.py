"""Finished rows as columnar feature blocks: one block a content and path."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.reporting import Row
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import FeatureBlock, Origin

_NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES}


def feature_blocks(
    rows: Sequence[Row], origin: Origin, channels: tuple[str, ...], bundle: str
) -> list[FeatureBlock]:
    """Gather rows into blocks, ordered by content, path, channel and time.

    Neighbouring rows of a column are alike when they come from one channel, and packing lives on
    that.
    """
    ordered = sorted(rows, key=lambda r: (r.content, r.path, r.channel, r.first_sample))
    return [
        _block(content, path, list(group), origin, channels, bundle)
        for (content, path), group in groupby(ordered, key=lambda r: (r.content, r.path))
    ]


def _block(
    content: str,
    path: str,
    rows: list[Row],
    origin: Origin,
    channels: tuple[str, ...],
    bundle: str,
) -> FeatureBlock:
    states = tuple(sorted({r.state for r in rows}))
    columns: dict[str, NDArray[Any]] = {
        "channel": np.array([r.channel for r in rows], np.int16),
        "first_sample": np.array([r.first_sample for r in rows], np.int64),
        "t0_ns": np.array([r.t0_ns for r in rows], np.int64),
        "state": np.array([states.index(r.state) for r in rows], np.int16),
    }
    if content == "status":
        for name in sorted({n for r in rows for n in _facts(r)}):
            columns[name] = np.array([_facts(r).get(name, np.nan) for r in rows], np.float32)
    else:
        values = np.stack([np.asarray(r.values, np.float32) for r in rows])
        columns |= {name: values[:, i].copy() for i, name in enumerate(_NAMES[path])}
    return FeatureBlock(origin, content, path, SCHEMA_HASH, bundle, channels, states, columns)


def _facts(row: Row) -> dict[str, float]:
    return row.values if isinstance(row.values, dict) else {}
