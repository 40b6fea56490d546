"""What was shipped, as it stands in the log; and what the default intervals would ship."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_node.config import ReportingSection
from vibro.log import Transport
from vibro.records import Clip, FeatureBlock, Health, topic
from vibro.wire import decode

DAY_S = 86_400.0
RATE_HZ = 25_600
SAMPLE_BYTES = 2
KINDS = ("features", "events", "clips", "health")
_EVERY = {
    "status": "status_s",
    "mean": "summary_s",
    "max": "summary_s",
    "sample": "sample_s",
    "heartbeat": "heartbeat_s",
}


@dataclass(slots=True)
class Traffic:
    """Bytes of the messages' values: of all, of each steady content, and of clips."""

    shipped: int = 0
    steady: dict[str, int] = field(default_factory=dict)
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
    elif isinstance(record, (FeatureBlock, Health)) and record.content in _EVERY:
        found.steady[record.content] = found.steady.get(record.content, 0) + size


def at_defaults(found: Traffic, raw_bytes: int, intervals: Mapping[str, float]) -> dict[str, Any]:
    """Project what the same plant would ship at the default intervals, from what it did ship.

    Bytes of each content are scaled by how much rarer the defaults ask for it; that a longer
    interval packs more rows into a record, which compresses better, is left out. Clips are
    counted apart, as they depend on what happens.

    Returns
    -------
    dict
        ``steady_ratio`` raw over shipped bytes of a plant in which nothing happens,
        ``steady_bytes_per_channel_day``, and ``clip_bytes`` of one clip of a machine.
    """
    defaults = ReportingSection()
    scale = {c: intervals[k] / float(getattr(defaults, k)) for c, k in _EVERY.items()}
    steady = sum(n * scale[content] for content, n in found.steady.items())
    channel_days = raw_bytes / (SAMPLE_BYTES * RATE_HZ * DAY_S)
    per_clip = found.clip_bytes / max(found.clips, 1) * defaults.clip_s / intervals["clip_s"]
    return {
        "steady_ratio": round(raw_bytes / steady) if steady else None,
        "steady_bytes_per_channel_day": round(steady / channel_days) if channel_days else None,
        "clip_bytes": round(per_clip),
        "intervals": {k: getattr(defaults, k) for k in intervals},
    }
