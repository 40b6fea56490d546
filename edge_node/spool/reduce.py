"""The same record with less in it: feature blocks with half their rows, clips cut short.

Both keep the record's id, its number and what mattered most. Of two neighbouring rows of a channel
in one state the mean of means is kept, the maximum of maxima, the worse status and the earlier
sampled vector: no maximum and no severity is lost. A clip loses its end: onset and decision stand
near its start.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.records import Clip, FeatureBlock, Record
from vibro.wire import decode, encode

LEAST_REVOLUTIONS = 60
LEAST_CLIP_S = 1.0
AFTER_LEAD = 1.25
"""A clip is never cut shorter than this many times the part before its event was decided."""
WORTH_WHILE = 0.9
"""A reduction must take at least a tenth away."""


def thin(value: bytes) -> tuple[bytes, int] | None:
    """Halve a feature block's rows.

    Returns
    -------
    tuple of (bytes, int) or None
        The new value and how many rows went; None where nothing can.
    """
    block = _read(value)
    if not isinstance(block, FeatureBlock) or not block.rows:
        return None
    first, second = _pairs(block)
    gone = block.rows - first.size
    if not gone:
        return None
    reduced = encode(replace(block, columns=_merged(block, first, second)))
    return (reduced, gone) if len(reduced) <= WORTH_WHILE * len(value) else None


def _pairs(block: FeatureBlock) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows that are merged, in the block's order; a row without a neighbour is its own."""
    keys = block.columns
    order = np.lexsort((keys["t0_ns"], keys["state"], keys["channel"]))
    channel, state = keys["channel"][order], keys["state"][order]
    new = np.r_[True, (channel[1:] != channel[:-1]) | (state[1:] != state[:-1])]
    start = np.maximum.accumulate(np.where(new, np.arange(order.size), 0))
    heads = np.flatnonzero((np.arange(order.size) - start) % 2 == 0)
    partners = np.minimum(heads + 1, order.size - 1)
    alone = (partners == heads) | new[partners]
    first, second = order[heads], order[np.where(alone, heads, partners)]
    back = np.argsort(first, kind="stable")
    return first[back], second[back]


def _merged(
    block: FeatureBlock, first: NDArray[np.intp], second: NDArray[np.intp]
) -> dict[str, NDArray[Any]]:
    if block.content == "status" and "severity" in block.columns:
        severity = np.nan_to_num(block.columns["severity"], nan=-1.0)
        first = np.where(severity[second] > severity[first], second, first)
    columns = {name: column[first] for name, column in block.columns.items()}
    for name, column in block.columns.items():
        if column.dtype.kind != "f":
            continue
        a, b = column[first], column[second]
        if block.content == "max":
            columns[name] = np.fmax(a, b)
        elif block.content == "mean":
            both = np.where(np.isnan(a), b, np.where(np.isnan(b), a, (a + b) / 2))
            columns[name] = both.astype(column.dtype)
    return columns


def shorten(value: bytes, lead_s: float) -> tuple[bytes, int] | None:
    """Cut a clip's end off, down to half but not below 60 revolutions or its lead.

    Returns
    -------
    tuple of (bytes, int) or None
        The new value and how many samples of all channels went; None where it is short already.
    """
    clip = _read(value)
    if not isinstance(clip, Clip):
        return None
    n = clip.samples.shape[1]
    least_s = max(LEAST_CLIP_S, AFTER_LEAD * lead_s)
    if clip.rpm > 0:
        least_s = max(least_s, LEAST_REVOLUTIONS * 60.0 / clip.rpm)
    kept = max(n // 2, math.ceil(least_s * clip.rate_hz))
    if kept > WORTH_WHILE * n:
        return None
    reduced = encode(replace(clip, samples=clip.samples[:, :kept]))
    return reduced, len(clip.channels) * (n - kept)


def samples(value: bytes) -> int:
    """Samples of all channels of a clip; 0 for anything else."""
    clip = _read(value)
    return int(clip.samples.size) if isinstance(clip, Clip) else 0


def _read(value: bytes) -> Record | None:
    try:
        return decode(value)
    except BadInputError:
        return None
