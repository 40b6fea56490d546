"""Records as points of the time series: which measurement, tags and fields each one becomes.

Tags are site, machine, channel and state only, so that there are never more series than these
have combinations. The time of a point is when its window, event or heartbeat began, never when it
arrived: what is written twice is there once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.columns import STATUS_COUNTS, STATUS_VALUES, table_name
from cloud_jobs.timeseries.lines import Value, columns, line, series
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.records import Event, FeatureBlock, Health, Record

HOUR_NS = 3_600 * 10**9
FIELDS: dict[str, tuple[str, ...]] = {
    "status": (*STATUS_VALUES, *STATUS_COUNTS),
    "features_fast": FAST_NAMES,
    "features_long": LONG_NAMES,
}
SUFFIX = {"status": "", "mean": "", "max": "_max"}
"""Of the fields of each content that is written; sampled vectors are for training only."""
OTHER_STATE = "other"
_STATE = re.compile(r"[A-Za-z0-9_.-]{1,63}\Z")
_FACT = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_MOST_FACTS = 64
_OWN_FACTS = frozenset({"node", "bundle", "seen", "processed", "lost", "raw_bytes"})


def wanted(record: Record) -> bool:
    """Whether a record becomes points."""
    if isinstance(record, FeatureBlock):
        return record.content in SUFFIX and record.rows > 0
    return isinstance(record, Event) or (
        isinstance(record, Health) and record.content == "heartbeat"
    )


def lines_of(records: Iterable[Record]) -> bytes:
    """Return the points of the `wanted` ones of some records."""
    alike: dict[tuple[str, ...], list[FeatureBlock]] = {}
    parts: list[bytes] = []
    for record in records:
        if not wanted(record):
            continue
        if isinstance(record, FeatureBlock):
            table = table_name(record)
            names = tuple(n for n in FIELDS[table] if n in record.columns)
            alike.setdefault((table, record.content, *names), []).append(record)
        elif isinstance(record, Event):
            parts.append(_event(record))
        elif isinstance(record, Health):
            parts.append(_beat(record))
    return b"".join([*(_blocks(blocks, *key) for key, blocks in alike.items()), *parts])


def _blocks(blocks: Sequence[FeatureBlock], table: str, content: str, *names: str) -> bytes:
    """Lines of blocks that hold the same columns."""
    starts: list[str] = []
    which: list[NDArray[np.int64]] = []
    for block in blocks:
        states = [state_tag(s) for s in block.states]
        channel, state = block.columns["channel"], block.columns["state"]
        which.append(len(starts) + channel.astype(np.int64) * len(states) + state)
        tags = {"site": block.origin.site, "machine": block.origin.machine}
        starts += [
            series(table, {**tags, "channel": c, "state": s})
            for c in block.channels
            for s in states
        ]
    fields = {n + SUFFIX[content]: np.concatenate([b.columns[n] for b in blocks]) for n in names}
    times = np.concatenate([b.columns["t0_ns"] for b in blocks])
    return columns(starts, np.concatenate(which), fields, times)


def state_tag(state: str) -> str:
    """Return a state as a tag: what is no word of an operating state would make series at will."""
    return state if not state or _STATE.match(state) else OTHER_STATE


def _event(event: Event) -> bytes:
    """An event's point; its state is a field, because it differs from one revision to the next."""
    where = {"site": event.origin.site, "machine": event.origin.machine, "channel": event.channel}
    fields: dict[str, Value] = {
        "thing": event.id.thing,
        "revision": event.id.revision,
        "severity": int(event.severity),
        "causes": ", ".join(event.causes),
        "state": state_tag(event.state) or None,
        "score": float(event.score),
        "p_value": float(event.p_value),
        "open": event.t_clear_ns is None,
        "t_clear_ns": event.t_clear_ns,
        "node": event.origin.node,
    }
    return line(series("event", where), fields, event.t_onset_ns)


def _beat(beat: Health) -> bytes:
    where = {"site": beat.origin.site, "machine": beat.origin.machine}
    fields: dict[str, Value] = {
        "node": beat.origin.node,
        "bundle": beat.bundle or None,
        "seen": beat.seen,
        "processed": beat.processed,
        "lost": beat.lost,
        "raw_bytes": beat.raw_bytes,
    }
    return line(series("node", where), fields | _facts(beat.detail), beat.t0_ns)


def _facts(detail: Mapping[str, Any]) -> dict[str, Value]:
    """Numbers and words of a heartbeat's detail, with those of its tables one level down.

    Every number is a float: a fact that is 0 today and 0.5 tomorrow must keep its type.
    """
    found: dict[str, Value] = {}
    for name, value in _flat(detail):
        if not _FACT.match(name) or name in _OWN_FACTS or len(found) == _MOST_FACTS:
            continue
        if isinstance(value, (bool, int, float)):
            found[name] = float(value)
        elif name == "version" and isinstance(value, str):
            found[name] = value
    return found


def _flat(detail: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in sorted(detail.items()):
        if isinstance(value, Mapping):
            yield from ((f"{name}_{k}", v) for k, v in sorted(value.items()) if _FACT.match(str(k)))
        else:
            yield name, value


def hours_of(records: Iterable[Record]) -> set[tuple[str, int]]:
    """Site and start of each hour that has a point of these records."""
    found: set[tuple[str, int]] = set()
    for record in records:
        if not wanted(record):
            continue
        if isinstance(record, FeatureBlock):
            times = record.columns["t0_ns"]
        else:
            times = np.array([record.t_onset_ns if isinstance(record, Event) else record.t0_ns])
        found |= {(record.origin.site, int(h) * HOUR_NS) for h in np.unique(times // HOUR_NS)}
    return found
