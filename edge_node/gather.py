"""Short blocks joined up to the next window: a reflex wants 20 ms, a window ends every 80 ms.

Nothing can be decided between two ends of windows, so that handing on every short block by itself
would only cost time.
"""

from __future__ import annotations

import math

import numpy as np

from vibro.records import SampleBlock


class HopGatherer:
    """Keeps blocks until one reaches the end of a hop, on the grid of sample 0, and joins them.

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

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def push(self, block: SampleBlock) -> bool:
        """Take a block; return whether it reaches the end of a hop: then `take` what there is."""
        self._waiting.append(block)
        end = block.first_sample + int(block.counts.shape[1])
        return end // self._hop != block.first_sample // self._hop

    def take(self) -> SampleBlock:
        """Return all that waits, which must not be nothing, as one block."""
        held, self._waiting = self._waiting, []
        if len(held) == 1:
            return held[0]
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
