"""What steady health is reduced to: status, mean, maximum and one sampled vector an interval.

A reporter sees every window once, in order. Its intervals stand on the UTC grid, a change of
operating state closes an interval early, and the sampled vector is drawn by reservoir sampling
with a hash of the window's own index as the random number, so that the result depends neither on
how samples were chunked nor on a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.reporting.arrays import packed, unpacked
from vibro.dsp.running import add_about, add_known
from vibro.features.table import FAST, LONG
from vibro.wire.precision import STEPS, round_mantissa, round_to_spread

Floats = NDArray[np.float32]

SPREAD_WINDOWS = 100
"""From so many windows on, their spread is known well enough to say how exactly a row is told."""
_LOGS = {p: np.array([f.scale == "log" for f in t]) for p, t in (("fast", FAST), ("long", LONG))}


@dataclass(frozen=True, slots=True)
class Row:
    """One finished row of one channel: where it starts, in which state, and its values."""

    content: str
    path: str
    channel: int
    first_sample: int
    t0_ns: int
    state: str
    values: dict[str, float] | Floats


def _uniform(seed: str, first_sample: int) -> float:
    """Return a number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.blake2b(f"{seed}:{first_sample}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


class PathReporter:
    """Mean, maximum and one sampled vector of one path (fast or long) of all channels.

    Each is told as exactly as the interval's own windows make sensible: within a sixteenth, a
    quarter and an eighth of their standard deviation, see `vibro.wire.precision.STEPS`. An
    interval of fewer than `SPREAD_WINDOWS` windows does not know it: its sampled vector is told
    exactly, its mean and maximum to 8 mantissa bits.

    Parameters
    ----------
    path : str
        ``fast`` or ``long``.
    seed : str
        Anything that names the node, so that nodes sample at different instants.
    interval_ns : int
        Length of a mean/maximum interval.
    sample_ns : int
        Length of the interval from which one vector is drawn.
    """

    def __init__(self, path: str, seed: str, interval_ns: int, sample_ns: int) -> None:
        self._path, self._seed = path, f"{seed}:{path}"
        self._lengths = {"summary": interval_ns, "sample": sample_ns}
        self._open: dict[str, dict[str, Any]] = {}

    def reconfigure(self, interval_ns: int) -> None:
        """Go on with another interval of means: the open one ends where the new grid has a line."""
        self._lengths["summary"] = interval_ns

    def window(self, first_sample: int, t0_ns: int, state: str, values: Floats) -> list[Row]:
        """Take one window's vectors, shape (channels, features); return the rows it closed.

        Raises
        ------
        ValueError
            If the intervals of a checkpoint are of vectors of another shape.
        """
        values = np.ascontiguousarray(values, np.float32)
        rows: list[Row] = []
        for what, length in self._lengths.items():
            key = [t0_ns // length, state]
            held = self._open.get(what)
            if held is None or held["key"] != key:
                if held is not None:
                    rows += self._close(what)
                held = self._open[what] = {
                    "key": key,
                    "first": first_sample,
                    "t0": t0_ns,
                    "n": 0,
                    "sum": np.zeros(values.shape, np.float64),
                    "square": np.zeros(values.shape, np.float64),
                    "origin": values.copy(),
                    "max": np.full(values.shape, -np.inf, np.float32),
                }
            self._add(what, held, first_sample, t0_ns, values)
        return rows

    def _add(
        self, what: str, held: dict[str, Any], first_sample: int, t0_ns: int, values: Floats
    ) -> None:
        if held["sum"].shape != values.shape:
            raise ValueError(f"vectors of shape {values.shape} are not {held['sum'].shape}")
        held["n"] += 1
        # About the first window, so that little is lost where the spread is small.
        largest = what == "summary"
        add_about(values, held["origin"], held["sum"], held["square"], held["max"], largest)
        # Reservoir of one: the k-th window replaces the held one with probability 1/k.
        if not largest and _uniform(self._seed, first_sample) * held["n"] < 1.0:
            held["max"], held["first"], held["t0"] = values.copy(), first_sample, t0_ns

    def _close(self, what: str) -> list[Row]:
        held = self._open.pop(what)
        mean = held["origin"] + held["sum"] / held["n"]
        contents = (
            [("mean", mean.astype(np.float32)), ("max", held["max"])]
            if what == "summary"
            else [("sample", held["max"])]
        )
        told = [(content, self._told(content, v, mean, held)) for content, v in contents]
        return [
            Row(content, self._path, c, held["first"], held["t0"], held["key"][1], values[c])
            for content, values in told
            for c in range(values.shape[0])
        ]

    def _told(
        self, content: str, values: Floats, mean: NDArray[np.float64], held: dict[str, Any]
    ) -> Floats:
        n = held["n"]
        if n < SPREAD_WINDOWS or values.shape[-1] != _LOGS[self._path].size:
            return values if content == "sample" else round_mantissa(values)
        spread = np.sqrt(np.maximum(held["square"] / n - (held["sum"] / n) ** 2, 0.0))
        return round_to_spread(values, mean, spread, STEPS[content], _LOGS[self._path])

    def close(self) -> list[Row]:
        """Close whatever interval is open, because the stream ends."""
        return [row for what in list(self._open) for row in self._close(what)]

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state; `restore` brings it back bit for bit."""
        return {
            what: {**held, **{k: packed(held[k]) for k in _SUMS}}
            for what, held in self._open.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a snapshot, also from one that knows no spread: then none is known."""
        self._open = {}
        for what, held in state.items():
            sums = {k: unpacked(held[k], t) for k, t in _SUMS.items() if k in held}
            shape = sums["sum"].shape
            unknown = {"square": np.full(shape, np.nan), "origin": np.zeros(shape, np.float32)}
            self._open[what] = {**held, **unknown, **sums}


_SUMS = {"sum": np.float64, "square": np.float64, "origin": np.float32, "max": np.float32}


class StatusReporter:
    """Score, severity and speed of every channel once an interval."""

    def __init__(self, channels: int, interval_ns: int) -> None:
        self._channels, self._interval_ns = channels, interval_ns
        self._open: dict[str, Any] | None = None

    def reconfigure(self, interval_ns: int) -> None:
        """Go on with another interval: the open one ends where the new grid has a line."""
        self._interval_ns = interval_ns

    def fast(
        self,
        first_sample: int,
        t0_ns: int,
        state: str,
        judged: bool,
        names: Sequence[str],
        values: Floats,
    ) -> list[Row]:
        """Take one fast window: ``values`` of shape (names, channels) are its status columns.

        The columns ``score_fast``, ``score_long``, ``velocity_rms_mm_s`` and ``judged_share``
        (of each channel, where it is told) become means,
        ``p_fast`` and ``p_long`` minima, ``severity`` a maximum, everything else the last value.
        """
        key, names = [t0_ns // self._interval_ns, state], list(names)
        same = self._open is None or (self._open["key"], self._open["names"]) == (key, names)
        rows = [] if same else self.close()
        new = values.astype(np.float64)
        if self._open is None:
            self._open = {
                "key": key,
                "first": first_sample,
                "t0": t0_ns,
                "n": 0,
                "judged": 0,
                "names": names,
                "sum": np.zeros_like(new),
                "count": np.zeros_like(new),
                "low": np.full_like(new, np.nan),
                "high": np.full_like(new, np.nan),
                "last": new,
            }
        held = self._open
        held["n"] += 1
        held["judged"] += int(judged)
        add_known(new, held["sum"], held["count"], held["low"], held["high"])
        held["last"] = new
        return rows

    def close(self) -> list[Row]:
        """Close the open interval and return its rows."""
        held, self._open = self._open, None
        if held is None:
            return []
        share = held["judged"] / held["n"]
        values = {name: self._value(held, name, i) for i, name in enumerate(held["names"])}
        return [
            Row(
                "status",
                "",
                c,
                held["first"],
                held["t0"],
                held["key"][1],
                {"judged_share": share, **{name: v[c] for name, v in values.items()}},
            )
            for c in range(self._channels)
        ]

    @staticmethod
    def _value(held: dict[str, Any], name: str, row: int) -> list[float]:
        """Reduce one column over the interval's windows, one value a channel."""
        if name in _MEANS:
            pairs = zip(held["sum"][row].tolist(), held["count"][row].tolist(), strict=True)
            return [total / count if count else float("nan") for total, count in pairs]
        kept: Floats = held[_KEPT.get(name, "last")][row]
        return [float(v) for v in kept]

    def snapshot(self) -> dict[str, Any] | None:
        """JSON-able state."""
        if self._open is None:
            return None
        return {**self._open, **{k: self._open[k].tolist() for k in _REDUCED}}

    def restore(self, state: dict[str, Any] | None) -> None:
        """Continue from a snapshot."""
        self._open = None
        if state is not None:
            self._open = {**state, **{k: np.array(state[k], np.float64) for k in _REDUCED}}


_MEANS = frozenset({"score_fast", "score_long", "velocity_rms_mm_s", "judged_share"})
_KEPT = {"p_fast": "low", "p_long": "low", "severity": "high"}
_REDUCED = ("sum", "count", "low", "high", "last")
