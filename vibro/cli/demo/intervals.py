"""The intervals that the demo shortens, and what the same plant would ship without that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_node.config import ReportingSection
from vibro.log import Transport
from vibro.records import Clip, FeatureBlock, Health
from vibro.wire import decode

SHORTENED: dict[str, float] = {
    "status_s": 10.0,
    "summary_s": 60.0,
    "sample_s": 2.0,
    "heartbeat_s": 20.0,
    "clip_s": 2.6,
    "clip_lead_s": 0.3,
    "clip_spacing_s": 60.0,
    "clips_per_day": 24,
    "commissioning_clip_s": 20.0,
    "commit_s": 10.0,
}
"""Reporting options of the demo's nodes; everything else stands at its default."""
USUAL_S = 600.0


def shortened(duration_s: float) -> dict[str, float]:
    """Return the demo's intervals; a short demo samples more often, to have enough to learn from.

    Parameters
    ----------
    duration_s : float
        Simulated time.
    """
    sample_s = SHORTENED["sample_s"] * min(1.0, duration_s / USUAL_S)
    return {**SHORTENED, "sample_s": max(1.0, round(sample_s, 1))}


DAY_S = 86_400.0
_EVERY = {
    "status": "status_s",
    "mean": "summary_s",
    "max": "summary_s",
    "sample": "sample_s",
    "heartbeat": "heartbeat_s",
}


def at_defaults(
    log: Transport, totals: Mapping[str, int], intervals: Mapping[str, float]
) -> dict[str, Any]:
    """Project what this plant would ship at the default intervals, from what it did ship.

    Bytes of each content are scaled by how much rarer the defaults ask for it; that a longer
    interval packs more rows into a record, which compresses better, is left out. Clips are
    counted apart, as they depend on what happens.

    Returns
    -------
    dict
        ``steady_ratio`` raw over shipped bytes of a plant in which nothing happens,
        ``steady_bytes_per_channel_day``, and ``clip_bytes`` of one clip of a machine.
    """
    shipped, clips, clip_bytes = _bytes_by_content(log)
    defaults = ReportingSection()
    scale = {c: intervals[k] / float(getattr(defaults, k)) for c, k in _EVERY.items()}
    steady = sum(n * scale[content] for content, n in shipped.items())
    # A sample of one channel is two bytes: channels times seconds follows from the raw bytes.
    channel_days = totals["raw_bytes"] / (2 * 25_600 * DAY_S)
    per_clip = clip_bytes / clips * defaults.clip_s / intervals["clip_s"] if clips else 0.0
    return {
        "steady_ratio": round(totals["raw_bytes"] / steady) if steady else None,
        "steady_bytes_per_channel_day": round(steady / channel_days) if channel_days else None,
        "clip_bytes": round(per_clip),
        "intervals": {k: getattr(defaults, k) for k in SHORTENED},
    }


def _bytes_by_content(log: Transport) -> tuple[dict[str, int], int, int]:
    """Bytes shipped by content, how many clips, and their bytes."""
    shipped: dict[str, int] = {}
    clips = clip_bytes = 0
    for kind in ("features", "clips", "health"):
        for topic in log.topics(f"vibro.v1.*.{kind}"):
            after = 0
            while stored := log.read(topic, after, 500):
                after = stored[-1].offset
                for message in stored:
                    record = decode(message.value)
                    if isinstance(record, Clip):
                        clips, clip_bytes = clips + 1, clip_bytes + len(message.value)
                    elif isinstance(record, (FeatureBlock, Health)) and record.content in _EVERY:
                        name = record.content
                        shipped[name] = shipped.get(name, 0) + len(message.value)
    return shipped, clips, clip_bytes
