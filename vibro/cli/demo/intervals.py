"""The intervals that the demo shortens, so that ten minutes can stand for days."""

from __future__ import annotations

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
