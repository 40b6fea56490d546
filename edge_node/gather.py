"""Short blocks joined up to the next window: a reflex wants 20 ms, a window ends every 80 ms.

Nothing can be decided between two ends of windows, so that handing on every short block by itself
would only cost time.
"""

from __future__ import annotations

import math

import numpy as np

from vibro.records import SampleBlock


class HopGatherer:
    """Joins blocks until one reaches the end of a hop, on the grid of sample 0.

    What is joined depends on the blocks alone and not on where reading began: after a restart the
    same blocks come together. A block that reaches the end of a hop by itself is handed on as is.

    Parameters
    ----------
    hop : int
        Samples between the ends of two fast windows.
    """

    def __init__(self, hop: int) -> None:
        self._hop = hop
        self._waiting: list[SampleBlock] = []

    def push(self, block: SampleBlock) -> SampleBlock | None:
        """Take a block; return all that waited with it, or None while no window can end."""
        end = block.first_sample + block.counts.shape[1]
        if end // self._hop == block.first_sample // self._hop:
            self._waiting.append(block)
            return None
        if not self._waiting:
            return block
        self._waiting.append(block)
        return self.rest()

    def rest(self) -> SampleBlock | None:
        """Return what waits, because the stream ends."""
        held, self._waiting = self._waiting, []
        if len(held) < 2:
            return held[0] if held else None
        counts = np.concatenate([b.counts for b in held], axis=1)
        return SampleBlock(held[0].first_sample, held[0].t0_ns, counts, _mean_rpm(held))


def _mean_rpm(blocks: list[SampleBlock]) -> float:
    """Mean speed over the samples whose speed is known; NaN when none is."""
    first = blocks[0].rpm
    if all(b.rpm == first for b in blocks):
        return first
    known = [(b.rpm, b.counts.shape[1]) for b in blocks if not math.isnan(b.rpm)]
    total = sum(n for _, n in known)
    return sum(rpm * n for rpm, n in known) / total if total else math.nan
