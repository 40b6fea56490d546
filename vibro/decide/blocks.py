"""Levels of windows gathered into blocks of time, on which small faults that stay are judged.

A plain state machine over times that it is given; what the levels are worth is the bundle's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.dsp.running import add_counted

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Block:
    """A finished block of one path.

    Attributes
    ----------
    level : ndarray of float64, shape (channels,)
        Mean level over the windows in which a channel had one; NaN where there was none.
    count : ndarray of int64, shape (channels,)
        Those windows.
    """

    path: str
    state: str
    level: Floats
    count: NDArray[np.int64]


class BlockLevels:
    """Mean level of every channel over blocks of one path that stand on the UTC grid.

    A block in which the operating state changes is given up: it is of no state.
    """

    def __init__(self, path: str, block_ns: int) -> None:
        self._path, self._block_ns = path, block_ns
        self._open: dict[str, Any] | None = None

    def window(self, t0_ns: int, state: str, levels: Floats) -> Block | None:
        """Take the next window's levels, shape (channels,); return the block that it closes."""
        number, held, closed = t0_ns // self._block_ns, self._open, None
        if held is None or held["number"] != number:
            closed = None if held is None or held["mixed"] else self._block(held)
            held = self._open = {
                "number": number,
                "state": state,
                "mixed": False,
                "sum": np.zeros(len(levels)),
                "count": np.zeros(len(levels), np.int64),
            }
        add_counted(levels, held["sum"], held["count"])
        held["mixed"] |= state != held["state"]
        return closed

    def _block(self, held: dict[str, Any]) -> Block:
        count = held["count"]
        level = np.where(count > 0, held["sum"] / np.maximum(count, 1), np.nan)
        return Block(self._path, held["state"], level, count)

    def forget(self) -> None:
        """Give up the open block: another bundle's levels are not comparable."""
        self._open = None

    def snapshot(self) -> dict[str, Any] | None:
        """JSON-able state; `restore` brings it back bit for bit."""
        held = self._open
        if held is None:
            return None
        return {**held, "sum": held["sum"].tolist(), "count": held["count"].tolist()}

    def restore(self, state: dict[str, Any] | None) -> None:
        """Continue from a snapshot."""
        self._open = None
        if state is not None:
            sums, counts = np.array(state["sum"], np.float64), np.array(state["count"], np.int64)
            self._open = {**state, "sum": sums, "count": counts}
