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

from edge_node.reporting.intervals import Row
from vibro.errors import BadInputError
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import LIVE, FeatureBlock, Origin, Record
from vibro.wire import decode, encode, precision

_NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES}
STATUS_ROWS = 20
"""Status waits for so many of its intervals: 20 minutes by default."""
BULK_ROWS = 72
"""Means, maxima and sampled vectors wait for so many sample intervals: 6 hours by default."""


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
        self._texts: dict[tuple[bool, int, int], list[str]] = {}
        self._prompt_until_ns = 0

    def __bool__(self) -> bool:
        return any(self._held.values())

    def reconfigure(self, status_ns: int) -> None:
        """Go on with another interval of status."""
        self._patience[True] = STATUS_ROWS * status_ns

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
            oldest_ns = min((r.t0_ns for r in rows), default=now_ns)
            if rows and (everything or now_ns - oldest_ns >= self._patience[kind]):
                due += rows
                self._held[kind], self._texts = [], {}
        try:
            yield due
        except BaseException:
            self._held, self._prompt_until_ns, self._texts = before, until, {}
            raise

    def _remarkable(self) -> bool:
        rows = self._held[True]
        return len({r.state for r in rows}) > 1 or any(_facts(r).get("severity") for r in rows)

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state: the blocks that the rows would make, a tenth of their plain size.

        A commit comes every few seconds and a row every few minutes: only the last part of the
        rows, which has grown, is encoded again.
        """
        texts = {}
        for kind, rows in self._held.items():
            for at in range(0, len(rows), _PART):
                part = rows[at : at + _PART]
                key = (kind, at, len(part))
                texts[key] = self._texts.get(key) or _texts(part)
        self._texts = texts
        blocks = [text for part in texts.values() for text in part]
        return {"blocks": blocks, "prompt_until_ns": self._prompt_until_ns}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from a snapshot; a checkpoint of a node that let no row wait has none."""
        self._held, self._texts = {True: [], False: []}, {}
        held = state or {"blocks": [], "prompt_until_ns": 0}
        self._prompt_until_ns = held["prompt_until_ns"]
        for text in held["blocks"]:
            self.add(_rows(decode(base64.b64decode(text))))


_PART = 600
"""Rows of a checkpoint that are encoded together."""
_NOBODY = Origin("", "", "", LIVE, 0, 0)


def _texts(rows: Sequence[Row]) -> list[str]:
    channels = tuple(str(c) for c in range(1 + max((r.channel for r in rows), default=0)))
    blocks = feature_blocks(rows, _NOBODY, channels, "")
    return [base64.b64encode(encode(b)).decode() for b in blocks]


def _rows(block: Record) -> list[Row]:
    """Rows of a block, the inverse of `feature_blocks`."""
    if not isinstance(block, FeatureBlock):
        raise BadInputError("the checkpoint's rows are of another kind: start with a new spool")
    keys = [block.columns[k].tolist() for k in ("channel", "first_sample", "t0_ns", "state")]
    names = list(block.columns)[len(keys) :]
    matrix = np.stack([block.columns[n] for n in names], axis=1)
    return [
        Row(
            block.content,
            block.path,
            channel,
            first,
            t0_ns,
            block.states[state],
            matrix[i] if block.path else dict(zip(names, matrix[i].tolist(), strict=True)),
        )
        for i, (channel, first, t0_ns, state) in enumerate(zip(*keys, strict=True))
    ]


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
    # Columns of status are told by themselves; those of features by the hash of their table.
    schema = SCHEMA_HASH if path else ""
    return FeatureBlock(origin, content, path, schema, bundle, channels, states, columns)


def _facts(row: Row) -> dict[str, float]:
    return row.values if isinstance(row.values, dict) else {}
