"""What was shipped, as it stands in the log; and what a day at the default intervals ships."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from edge_node.config import ReportingSection
from vibro.cli.demo.steady import DAY_S, steady_day
from vibro.log import Transport
from vibro.records import Clip, topic
from vibro.simulate import plant
from vibro.wire import decode

RATE_HZ = 25_600
SAMPLE_BYTES = 2
KINDS = ("features", "events", "clips", "health")
HEARD_S = 8.0
"""Seconds of every interval of the steady day that are simulated: a few seconds' work in all."""


@dataclass(slots=True)
class Traffic:
    """Bytes of the messages' values: of all, and of clips."""

    shipped: int = 0
    clips: int = 0
    clip_bytes: int = 0


def traffic(log: Transport, sites: Collection[str]) -> Traffic:
    """Weigh every message of some sites."""
    found = Traffic()
    for site in sites:
        for kind in KINDS:
            after = 0
            while stored := log.read(topic(site, kind), after, 500):
                after = stored[-1].offset
                for message in stored:
                    _weigh(found, message.value)
    return found


def _weigh(found: Traffic, value: bytes) -> None:
    record, size = decode(value), len(value)
    found.shipped += size
    if isinstance(record, Clip):
        found.clips += 1
        found.clip_bytes += size


def at_defaults(found: Traffic, raw_bytes: int, intervals: Mapping[str, float]) -> dict[str, Any]:
    """Weigh a day of good health at the default intervals, and a clip at its default length.

    The day is that of the plant's first machine, see `steady_day`; clips are counted apart, as
    they depend on what happens.

    Returns
    -------
    dict
        ``steady_ratio`` raw over shipped bytes while nothing happens,
        ``steady_bytes_per_channel_day``, its split ``steady_bytes_by_kind``, ``clip_bytes`` of one
        clip of a machine, and the ``intervals``.
    """
    defaults = ReportingSection()
    machine = next(iter(plant()))
    split = {k: round(n) for k, n in steady_day(machine, HEARD_S).items() if k != "records"}
    steady = sum(split.values())
    per_clip = found.clip_bytes / max(found.clips, 1) * defaults.clip_s / intervals["clip_s"]
    return {
        "steady_ratio": round(SAMPLE_BYTES * RATE_HZ * DAY_S / steady) if raw_bytes else None,
        "steady_bytes_per_channel_day": steady,
        "steady_bytes_by_kind": split,
        "clip_bytes": round(per_clip),
        "intervals": {k: getattr(defaults, k) for k in intervals},
    }
