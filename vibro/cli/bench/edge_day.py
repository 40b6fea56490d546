"""Bytes a channel and day in steady health at the defaults, by kind, headers counted."""

from __future__ import annotations

from typing import Any

import numpy as np

from vibro.cli.bench.measure import spread, target
from vibro.cli.demo.steady import steady_day, with_channels
from vibro.simulate import plant

CHANNELS = (2, 4, 8, 16)
JUDGED = 8
"""Channels of the commercial analyser that ships 47 kB a channel and day."""
MOST_BYTES = 47_000.0
HEARD_S = 8.0


def run() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Weigh the day of a simulated machine heard at 2 to 16 points; return cases and targets."""
    machine = next(iter(plant()))
    cases, totals = [], {}
    for channels in CHANNELS:
        day = steady_day(with_channels(machine, channels), HEARD_S)
        day.pop("records")
        totals[channels] = sum(day.values())
        what = f"a channel and day in steady health, {channels} channels"
        cases.append(_case(what, totals[channels]))
        if channels == JUDGED:
            cases += [_case(f"{what}: {kind.replace('_', ' ')}", n) for kind, n in day.items()]
    return cases, [target("edge_bytes_per_channel_day", totals[JUDGED], "<=", MOST_BYTES)]


def _case(name: str, value: float) -> dict[str, Any]:
    return {"case": name, "unit": "bytes", "vibro": spread(np.array([value])), "peers": {}}
