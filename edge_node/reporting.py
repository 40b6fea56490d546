"""What steady health is reduced to: status, mean, maximum and one sampled vector an interval.

A reporter sees every window once, in order. Its intervals stand on the UTC grid, a change of
operating state closes an interval early, and the sampled vector is drawn by reservoir sampling
with a hash of the window's own index as the random number, so that the result depends neither on
how samples were chunked nor on a restart.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


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

    def window(self, first_sample: int, t0_ns: int, state: str, values: Floats) -> list[Row]:
        """Take one window's vectors, shape (channels, features); return the rows it closed."""
        rows: list[Row] = []
        for what, length in self._lengths.items():
            key = [t0_ns // length, state]
            held = self._open.get(what)
            if held is not None and held["key"] != key:
                rows += self._close(what)
                held = None
            if held is None:
                held = self._open[what] = {
                    "key": key,
                    "first": first_sample,
                    "t0": t0_ns,
                    "n": 0,
                    "sum": np.zeros(values.shape, np.float64),
                    "max": np.full(values.shape, -np.inf, np.float32),
                }
            self._add(what, held, first_sample, t0_ns, values)
        return rows

    def _add(
        self, what: str, held: dict[str, Any], first_sample: int, t0_ns: int, values: Floats
    ) -> None:
        held["n"] += 1
        if what == "summary":
            held["sum"] += values
            np.maximum(held["max"], values, out=held["max"])
        elif _uniform(self._seed, first_sample) * held["n"] < 1.0:
            # Reservoir of one: the k-th window replaces the held one with probability 1/k.
            held["max"], held["first"], held["t0"] = values.copy(), first_sample, t0_ns

    def _close(self, what: str) -> list[Row]:
        held = self._open.pop(what)
        contents = (
            [("mean", (held["sum"] / held["n"]).astype(np.float32)), ("max", held["max"])]
            if what == "summary"
            else [("sample", held["max"])]
        )
        return [
            Row(content, self._path, c, held["first"], held["t0"], held["key"][1], values[c])
            for content, values in contents
            for c in range(values.shape[0])
        ]

    def close(self) -> list[Row]:
        """Close whatever interval is open, because the stream ends."""
        return [row for what in list(self._open) for row in self._close(what)]

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state; `restore` brings it back bit for bit."""
        return {
            what: {**held, "sum": held["sum"].tolist(), "max": held["max"].astype(float).tolist()}
            for what, held in self._open.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a snapshot."""
        self._open = {
            what: {
                **held,
                "sum": np.array(held["sum"], np.float64),
                "max": np.array(held["max"], np.float32),
            }
            for what, held in state.items()
        }


class StatusReporter:
    """Score, severity and speed of every channel once an interval."""

    def __init__(self, channels: int, interval_ns: int) -> None:
        self._channels, self._interval_ns = channels, interval_ns
        self._open: dict[str, Any] | None = None

    def fast(
        self, first_sample: int, t0_ns: int, state: str, judged: bool, facts: dict[str, Floats]
    ) -> list[Row]:
        """Take one fast window: ``facts`` maps a status column to values of shape (channels,).

        The columns ``score_fast``, ``score_long`` and ``velocity_rms_mm_s`` become means,
        ``p_fast`` and ``p_long`` minima, ``severity`` a maximum, everything else the last value.
        """
        key = [t0_ns // self._interval_ns, state]
        rows = [] if self._open is None or self._open["key"] == key else self.close()
        if self._open is None:
            self._open = {
                "key": key,
                "first": first_sample,
                "t0": t0_ns,
                "n": 0,
                "judged": 0,
                "facts": {},
            }
        held = self._open
        held["n"] += 1
        held["judged"] += int(judged)
        for name, values in facts.items():
            held["facts"][name] = self._merge(name, held["facts"].get(name), values)
        return rows

    @staticmethod
    def _merge(name: str, held: list[float] | None, values: Floats) -> list[float]:
        new = [float(v) for v in values]
        if held is None:
            # A mean is kept as [sum..., count...] of the values that were not NaN.
            return (
                [*(0.0 if v != v else v for v in new), *(float(v == v) for v in new)]
                if (name in _MEANS)
                else new
            )
        if name in _MEANS:
            half = len(new)
            sums = [h if v != v else h + v for h, v in zip(held[:half], new, strict=True)]
            return [*sums, *(h + (v == v) for h, v in zip(held[half:], new, strict=True))]
        if name in _MINIMA:
            return [v if h != h or v < h else h for h, v in zip(held, new, strict=True)]
        if name in _MAXIMA:
            return [max(h, v) for h, v in zip(held, new, strict=True)]
        return new

    def close(self) -> list[Row]:
        """Close the open interval and return its rows."""
        held, self._open = self._open, None
        if held is None:
            return []
        share = held["judged"] / held["n"]
        return [
            Row(
                "status",
                "",
                c,
                held["first"],
                held["t0"],
                held["key"][1],
                {
                    "judged_share": share,
                    **{k: self._value(k, v, c) for k, v in held["facts"].items()},
                },
            )
            for c in range(self._channels)
        ]

    def _value(self, name: str, held: list[float], channel: int) -> float:
        if name not in _MEANS:
            return held[channel]
        count = held[self._channels + channel]
        return held[channel] / count if count else float("nan")

    def snapshot(self) -> dict[str, Any] | None:
        """JSON-able state."""
        return None if self._open is None else {**self._open, "facts": dict(self._open["facts"])}

    def restore(self, state: dict[str, Any] | None) -> None:
        """Continue from a snapshot."""
        self._open = state


_MEANS = frozenset({"score_fast", "score_long", "velocity_rms_mm_s"})
_MINIMA = frozenset({"p_fast", "p_long"})
_MAXIMA = frozenset({"severity"})
