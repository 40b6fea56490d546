"""Finished rows as columnar feature blocks, and the rows that wait for more of their kind.

A record of a few rows is mostly its own header, and columns pack by what their rows have in common.
So rows wait: status for the next few minutes, the bulk that training lives on for hours. They wait
only while nothing is asked of them. Without a model, around an event, when anything else than
severity ok is to be said, and when the stream, the bundle or the state changes, nothing waits, nor
for a while afterwards. What waits is part of the node's checkpoint: a kill loses none of it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.reporting import Row
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import FeatureBlock, Origin
from vibro.wire import precision

_NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES}
STATUS_ROWS = 20
"""Status waits for so many of its intervals: 20 minutes by default."""
BULK_ROWS = 72
"""Means, maxima and sampled vectors wait for so many sample intervals: 6 hours by default."""

_FACTS = ("content", "path", "channel", "first_sample", "t0_ns", "state")


class Waiting:
    """Finished rows of one machine that are not yet in a record.

    Parameters
    ----------
    status_ns, sample_ns : int
        Intervals of status and of sampled vectors.
    """

    def __init__(self, status_ns: int, sample_ns: int) -> None:
        self._patience = {True: STATUS_ROWS * status_ns, False: BULK_ROWS * sample_ns}
        self._held: dict[bool, list[Row]] = {True: [], False: []}
        self._prompt_until_ns = 0

    def __bool__(self) -> bool:
        return any(self._held.values())

    def add(self, rows: Sequence[Row]) -> None:
        """Let rows wait."""
        for row in rows:
            self._held[row.content == "status"].append(row)

    @contextmanager
    def taken(self, now_ns: int, *, everything: bool) -> Iterator[list[Row]]:
        """Take the rows whose turn has come at stream time ``now_ns``; a failure puts them back.

        Whoever waits longest decides for all of its kind. If there is a status that is not plain
        good health in one unchanging state, all rows go. Whatever made all rows go makes them go
        at once until a status would have waited long enough.
        """
        before, until = dict(self._held), self._prompt_until_ns
        if everything or self._remarkable():
            self._prompt_until_ns = now_ns + self._patience[True]
        everything = everything or now_ns < self._prompt_until_ns
        due: list[Row] = []
        for kind, rows in before.items():
            if rows and (everything or now_ns - rows[0].t0_ns >= self._patience[kind]):
                due += rows
                self._held[kind] = []
        try:
            yield due
        except BaseException:
            self._held, self._prompt_until_ns = before, until
            raise

    def _remarkable(self) -> bool:
        rows = self._held[True]
        return len({r.state for r in rows}) > 1 or any(_facts(r).get("severity") for r in rows)

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state."""
        rows = [
            [*(getattr(r, name) for name in _FACTS), _text(r.values)]
            for held in self._held.values()
            for r in held
        ]
        return {"rows": rows, "prompt_until_ns": self._prompt_until_ns}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from a snapshot; a checkpoint of a node that let no row wait has none."""
        self._held = {True: [], False: []}
        held = state or {"rows": [], "prompt_until_ns": 0}
        self._prompt_until_ns = held["prompt_until_ns"]
        for *facts, text in held["rows"]:
            self.add([Row(**dict(zip(_FACTS, facts, strict=True)), values=_values(text))])


def _text(values: dict[str, float] | NDArray[np.float32]) -> dict[str, float] | str:
    if isinstance(values, dict):
        return values
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def _values(text: dict[str, float] | str) -> dict[str, float] | NDArray[np.float32]:
    if isinstance(text, dict):
        return text
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)


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
            values = np.array([_facts(r).get(name, np.nan) for r in rows], np.float32)
            columns[name] = precision.status(name, values)
    else:
        matrix = np.stack([np.asarray(r.values, np.float32) for r in rows])
        columns |= {name: matrix[:, i].copy() for i, name in enumerate(_NAMES[path])}
    return FeatureBlock(origin, content, path, SCHEMA_HASH, bundle, channels, states, columns)


def _facts(row: Row) -> dict[str, float]:
    return row.values if isinstance(row.values, dict) else {}
