"""The lake: status, features, spectra and clips as Delta tables under ``HOME/lake``.

Rows of features keep their ``content`` (mean, max or sample) in a column; clips and spectra keep
the record as it was shipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cloud_jobs.columns import FEATURE_KEYS, SCHEMAS
from cloud_jobs.lake.tables import DeltaTables
from vibro.errors import BadInputError
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import ChannelPath, Clip
from vibro.wire import decode

Floats = NDArray[np.float32]
Vectors = dict[tuple[ChannelPath, str], tuple[Floats, Floats]]
Spans = Mapping[str, Sequence[tuple[int, int]]]
_NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES}


class Lake(DeltaTables):
    """What is asked of the tables of one home folder.

    Parameters
    ----------
    home : Path
        The home folder; tables lie in its folder ``lake``.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._samples: dict[str, tuple[int, pa.Table]] = {}

    def training_vectors(
        self,
        site: str,
        machines: Iterable[str],
        until_ns: int,
        *,
        since_ns: int = 0,
        exclude: Spans | None = None,
    ) -> Vectors:
        """Return sampled full-precision vectors of some machines of a site, for training.

        Parameters
        ----------
        machines : iterable of str
            Machine slugs, e.g. those of one class.
        until_ns, since_ns : int
            Windows that start in ``[since_ns, until_ns)``.
        exclude : mapping of str to sequence of (int, int), optional
            Spans in ns by ``site/machine`` whose windows must not be learned (events).

        Returns
        -------
        dict of (ChannelPath, state) to (fast, long)
            float32 of shapes (n, n_fast) and (m, n_long) in the feature table's order and in the
            order of time; only ``content == "sample"`` and this build's feature schema.
        """
        wanted = set(machines)
        parts: dict[str, dict[tuple[ChannelPath, str], Floats]] = {}
        for path in ("fast", "long"):
            rows = self._sampled(path)
            keep = (
                (_plain(rows, "site") == site)
                & np.isin(_plain(rows, "machine"), list(wanted))
                & (_plain(rows, "t0_ns") >= since_ns)
                & (_plain(rows, "t0_ns") < until_ns)
            )
            rows = rows.filter(pa.array(keep & ~_inside(rows, exclude or {}), pa.bool_()))
            parts[path] = _by_channel_and_state(rows, _NAMES[path])
        keys = sorted(set(parts["fast"]) | set(parts["long"]))
        empty = {p: np.empty((0, len(n)), np.float32) for p, n in _NAMES.items()}
        return {
            k: (parts["fast"].get(k, empty["fast"]), parts["long"].get(k, empty["long"]))
            for k in keys
        }

    def trend(
        self,
        channel: ChannelPath,
        feature: str,
        since_ns: int = 0,
        until_ns: int = 2**63 - 1,
        content: str = "mean",
    ) -> tuple[NDArray[np.int64], Floats]:
        """Return times (start, ns) and values of one feature or status column of a channel.

        Raises
        ------
        BadInputError
            If there is no such feature.
        """
        name = _table_of(feature)
        where = (
            (pc.field("site") == channel.site)
            & (pc.field("machine") == channel.machine)
            & (pc.field("channel") == channel.channel)
            & (pc.field("t0_ns") >= since_ns)
            & (pc.field("t0_ns") < until_ns)
        )
        if name != "status":
            where &= pc.field("content") == content
        rows = self.table(name, where, columns=["t0_ns", feature])
        times, values = _plain(rows, "t0_ns"), _floats(rows, feature)
        order = np.argsort(times, kind="stable")
        return times[order], values[order]

    def clip(self, thing: str) -> Clip:
        """Read one clip by the id of its thing.

        Raises
        ------
        BadInputError
            If the lake does not hold it.
        """
        rows = self.table("clips", pc.field("thing") == thing, columns=["record"])
        if not len(rows):
            raise BadInputError(f"clip '{thing}' is not in the lake {self.folder}")
        return cast("Clip", decode(rows["record"][0].as_py()))

    def _sampled(self, path: str) -> pa.Table:
        """All sampled vectors of this build's schema, read again only when the table moved on."""
        name = f"features_{path}"
        table = self._table(name)
        table.update_incremental()
        version, rows = self._samples.get(path, (-1, None))
        if version != table.version() or rows is None:
            where = (pc.field("content") == "sample") & (pc.field("schema_hash") == SCHEMA_HASH)
            columns = [*FEATURE_KEYS, *(n for n in _NAMES[path] if n in self._columns(name))]
            rows = self.table(name, where, columns=columns).combine_chunks()
            self._samples[path] = (table.version(), rows)
        return rows


def _plain(rows: pa.Table, column: str) -> NDArray[Any]:
    return cast("NDArray[Any]", rows[column].to_numpy())


def _floats(rows: pa.Table, column: str) -> Floats:
    return np.asarray(rows[column].to_numpy(), np.float32)


def _inside(rows: pa.Table, spans: Spans) -> NDArray[np.bool_]:
    """Which rows start inside a span of their machine."""
    inside = np.zeros(len(rows), bool)
    if not spans or not len(rows):
        return inside
    times = _plain(rows, "t0_ns")
    paths = np.char.add(
        np.char.add(_plain(rows, "site").astype(str), "/"), _plain(rows, "machine").astype(str)
    )
    for path, pairs in spans.items():
        own = paths == path
        for lo, hi in pairs:
            inside |= own & (times >= lo) & (times < hi)
    return inside


def _by_channel_and_state(
    rows: pa.Table, names: Sequence[str]
) -> dict[tuple[ChannelPath, str], Floats]:
    if not len(rows):
        return {}
    rows = rows.sort_by([("t0_ns", "ascending")])
    matrix = np.stack([_floats(rows, n) for n in names], axis=1)
    keys = [rows[k].to_pylist() for k in ("site", "machine", "channel", "state")]
    found: dict[tuple[ChannelPath, str], list[int]] = {}
    for i, (site, machine, channel, state) in enumerate(zip(*keys, strict=True)):
        found.setdefault((ChannelPath(site, machine, channel), state), []).append(i)
    return {key: matrix[index] for key, index in found.items()}


def _table_of(feature: str) -> str:
    if feature in SCHEMAS["status"].names:
        return "status"
    for path, names in _NAMES.items():
        if feature in names:
            return f"features_{path}"
    raise BadInputError(f"feature '{feature}' is not in the feature table nor in the status")
