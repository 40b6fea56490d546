"""What is let in from the log: a whole record, of its topic, that the tables can hold.

A value may decode and still be impossible: a machine with a slash in its name, a rate of zero, an
instant beyond every calendar. One such record must not stop the consumer for everybody, so each
is refused here with its reason, before anything of it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa

from cloud_jobs.columns import SCHEMAS, table_name
from vibro.errors import BadInputError
from vibro.records import (
    BACKFILL,
    LIVE,
    TOPIC_OF,
    Clip,
    Event,
    FeatureBlock,
    Health,
    Label,
    Origin,
    Record,
    RecordId,
    Spectrum,
    slug,
)
from vibro.wire import decode

END_OF_TIME_NS = 2**62
"""Year 2116; sums of two instants still fit into 64 bits."""
MOST_COUNT = 2**53
"""Samples of a hundred channels in a hundred years; sums over all nodes still fit."""
MOST_REVISIONS = 2**31
RATES_HZ = (1.0, 1e7)
LANES = (LIVE, BACKFILL)
LONGEST_ID = 512
"""Characters; PostgreSQL's indexes hold 2704 bytes."""


def admit(topic: str, kind: str, value: bytes) -> Record:
    """Decode a value and hold it against its topic and the tables.

    Parameters
    ----------
    topic, kind : str
        ``vibro.v1.<site>.<kind>`` and its last word.

    Raises
    ------
    BadInputError
        If it is malformed, of another kind or site than the topic's, or impossible.
    """
    record = decode(value)
    if TOPIC_OF[type(record)] != kind:
        raise BadInputError(f"a record of {TOPIC_OF[type(record)]} does not belong on {topic}")
    origin = record.origin
    if topic != f"vibro.v1.{origin.site}.{kind}":
        raise BadInputError(f"a record of site '{origin.site}' does not belong on {topic}")
    slug(origin.site, "site")
    slug(origin.machine, "machine")
    slug(origin.node, "node")
    _within(origin.sequence, END_OF_TIME_NS, "sequence")
    if origin.lane not in LANES:
        raise BadInputError(f"lane {origin.lane[:20]!r} is none of {', '.join(LANES)}")
    if not isinstance(record, FeatureBlock | Label):
        _check_id(record.id, origin)
    _check_texts(record)
    _check(record)
    return record


def _check_id(number: RecordId, origin: Origin) -> None:
    """Nobody sends or overwrites a thing under the name of another node or machine."""
    own = (origin.node, origin.machine_path)
    if len(str(number)) > LONGEST_ID:
        raise BadInputError(f"an id has {len(str(number))} characters, of at most {LONGEST_ID}")
    if not any(number.source == mine or number.source.startswith(f"{mine}/") for mine in own):
        raise BadInputError(f"id {str(number)!r} is none of {origin.node}'s or {own[1]}'s")


def _check_texts(record: Record) -> None:
    """No NUL, which PostgreSQL holds in no text."""
    for field in fields(record):
        if any("\0" in text for text in _texts(getattr(record, field.name))):
            raise BadInputError(f"'{field.name}' holds a NUL character")


def _texts(value: Any) -> Iterator[str]:
    """Walk through the texts of a field, however deep they lie."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value


def _check(record: Record) -> None:
    if isinstance(record, FeatureBlock):
        _check_block(record)
    elif isinstance(record, Clip):
        _check_clip(record)
    elif isinstance(record, Spectrum):
        _check_spectrum(record)
    elif isinstance(record, Event):
        _check_event(record)
    elif isinstance(record, Health):
        _within(record.t0_ns, END_OF_TIME_NS, "t0_ns")
        for name in ("seen", "processed", "lost", "raw_bytes"):
            _within(getattr(record, name), MOST_COUNT, name)


def _check_block(block: FeatureBlock) -> None:
    table = table_name(block)
    if table not in SCHEMAS:
        raise BadInputError(f"a feature block of path '{block.path}' belongs to no table")
    for channel in block.channels:
        slug(channel, "channel")
    times = block.columns["t0_ns"]
    for t in (times.min(), times.max()) if times.size else ():
        _within(int(t), END_OF_TIME_NS, "t0_ns")
    for field in SCHEMAS[table]:
        column = block.columns.get(field.name)
        if column is not None and column.dtype.kind != _kind(field, column.dtype.kind):
            raise BadInputError(f"column '{field.name}' is {column.dtype}, not {field.type}")


def _kind(field: pa.Field, otherwise: str) -> str:
    """NumPy's kind of a column of numbers; words come by an index."""
    if pa.types.is_floating(field.type):
        return "f"
    return "i" if pa.types.is_integer(field.type) else otherwise


def _check_clip(clip: Clip) -> None:
    for channel in clip.channels:
        slug(channel, "channel")
    _within(clip.t0_ns, END_OF_TIME_NS, "t0_ns")
    if not RATES_HZ[0] <= clip.rate_hz <= RATES_HZ[1]:
        raise BadInputError(f"a clip's rate of {clip.rate_hz:g} Hz is not one of a sensor")
    if not np.isfinite(clip.scale).all():
        raise BadInputError("a clip's scale is not finite")


def _check_spectrum(spectrum: Spectrum) -> None:
    for channel in spectrum.channels:
        slug(channel, "channel")
    _within(spectrum.t0_ns, END_OF_TIME_NS, "t0_ns")
    if not RATES_HZ[0] <= spectrum.rate_hz <= RATES_HZ[1]:
        raise BadInputError(f"a spectrum's rate of {spectrum.rate_hz:g} Hz is not one of a sensor")
    if not 0.0 < spectrum.step_hz * spectrum.values.shape[1] <= spectrum.rate_hz / 2.0:
        raise BadInputError("a spectrum's lines reach beyond half its rate")


def _check_event(event: Event) -> None:
    slug(event.channel, "channel")
    _within(event.id.revision, MOST_REVISIONS, "revision")
    for name in ("t_onset_ns", "t_last_ns", "t_clear_ns", "t_decided_ns"):
        value = getattr(event, name)
        if value is not None:
            _within(value, END_OF_TIME_NS, name)
    if event.t_last_ns < event.t_onset_ns:
        raise BadInputError("an event ends before its onset")


def _within(value: int, end: int, what: str) -> None:
    if not 0 <= value < end:
        raise BadInputError(f"{what} {value} is not within 0 to {end}")
