"""The intervals that the demo shortens, so that ten minutes can stand for days."""

from __future__ import annotations

SHORTENED: dict[str, float] = {
    "status_s": 10.0,
    "summary_s": 60.0,
    "sample_s": 2.0,
    "heartbeat_s": 20.0,
    "clip_s": 2.6,
    "clip_lead_s": 0.3,
    "clip_spacing_s": 45.0,
    "clips_per_day": 24,
    "commissioning_clip_s": 20.0,
    "commit_s": 10.0,
}
"""Reporting options of the demo's nodes; everything else stands at its default."""
