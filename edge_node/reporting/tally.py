"""A latency histogram that can be shipped in a heartbeat and merged over a fleet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

BINS_PER_DECADE = 20
"""Resolution: a bin is 10^(1/20), that is 12 %, wide."""


class LatencyTally:
    """Counts of latencies in logarithmic bins; bin k holds [10^(k/20), 10^((k+1)/20)) us."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, seconds: float, times: int = 1) -> None:
        """Count one latency ``times`` times; anything below 1 us counts as 1 us."""
        k = math.floor(BINS_PER_DECADE * math.log10(max(seconds * 1e6, 1.0)))
        self._counts[k] = self._counts.get(k, 0) + times

    def as_dict(self) -> dict[str, int]:
        """JSON-able counts by bin number."""
        return {str(k): n for k, n in sorted(self._counts.items())}


def quantiles_ms(
    tallies: Iterable[Mapping[str, int]], levels: Iterable[float]
) -> dict[float, float | None]:
    """Quantiles in ms over merged tallies: the upper edge of the bin that holds each level."""
    merged: dict[int, int] = {}
    for tally in tallies:
        for name, n in tally.items():
            merged[int(name)] = merged.get(int(name), 0) + n
    total = sum(merged.values())
    result: dict[float, float | None] = {}
    for level in levels:
        below, value = 0, None
        for k in sorted(merged):
            below += merged[k]
            value = 10.0 ** ((k + 1) / BINS_PER_DECADE) * 1e-3
            if below >= level * total:
                break
        result[level] = value
    return result
