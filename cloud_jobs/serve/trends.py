"""The plots of a machine's trends: one a feature, one curve a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cloud_jobs.lake import Lake
from cloud_jobs.serve.plot import Band, Level, Line, Mark, Plot
from cloud_jobs.store.tables import EventRow, MaintenanceRow
from vibro.assets import Machine
from vibro.faults import Severity
from vibro.iso10816 import IsoLimits
from vibro.records import ChannelPath

TRENDS = (
    ("velocity_rms_mm_s", "Velocity RMS 10 to 1000 Hz", "mm/s"),
    ("score_fast", "Anomaly score, fast path", ""),
    ("score_long", "Anomaly score, long path", ""),
    ("rms", "Acceleration RMS", "m/s²"),
    ("kurtosis", "Kurtosis", ""),
    ("order_1", "1× shaft", "m/s²"),
    ("order_2", "2× shaft", "m/s²"),
    ("ses_bpfo", "Envelope line BPFO", "dB"),
    ("ses_bpfi", "Envelope line BPFI", "dB"),
    ("gear_mesh_1", "Gear mesh", "m/s²"),
)


def trend_plots(
    lake: Lake, machine: Machine, events: Sequence[EventRow], done: Sequence[MaintenanceRow]
) -> list[Plot]:
    """One plot a feature, one curve a channel; events, maintenance and ISO limits are drawn in."""
    return [
        replace(
            plot,
            bands=[_event_band(e, plot.time0_ns, _end_s(plot)) for e in events],
            marks=[_maintenance_mark(row, plot.time0_ns) for row in done],
        )
        for feature, title, unit in TRENDS
        if (plot := _trend(lake, machine, feature, title, unit)) is not None
    ]


def _trend(lake: Lake, machine: Machine, feature: str, title: str, unit: str) -> Plot | None:
    found = []
    for point in machine.points:
        channel = ChannelPath(machine.site, machine.machine, point.channel)
        times, values = lake.trend(channel, feature)
        found.append((point.channel, times, values.astype(np.float64)))
    known = [v for _, _, v in found if np.isfinite(v).any()]
    if not known or all(not v[np.isfinite(v)].any() for v in known):
        return None
    t0 = min(int(t[0]) for _, t, _ in found if len(t))
    lines = [Line((t - t0) / 1e9, v, name, i) for i, (name, t, v) in enumerate(found)]
    return Plot(
        title,
        "UTC",
        unit,
        lines,
        levels=_levels(machine, feature),
        time0_ns=t0,
        height=170.0,
        name="when",
        y_floor=0.0 if feature.startswith(("score", "velocity", "rms", "order")) else None,
    )


def _end_s(plot: Plot) -> float:
    return max(float(line.x[-1]) for line in plot.lines if len(line.x))


def _levels(machine: Machine, feature: str) -> list[Level]:
    limits = machine.iso_limits
    if feature != "velocity_rms_mm_s" or not isinstance(limits, IsoLimits):
        return []
    names = zip(limits.velocity_mm_s, ("A/B", "B/C", "C/D"), ("ok", "alert", "danger"), strict=True)
    return [Level(v, f"ISO 10816-3 {name}  {v:g}", kind) for v, name, kind in names]


def _event_band(event: EventRow, t0_ns: int, end_s: float) -> Band:
    last = end_s if event.t_clear_ns is None else (event.t_last_ns - t0_ns) / 1e9
    title = f"{event.channel}: {', '.join(event.causes)}"
    return Band((event.t_onset_ns - t0_ns) / 1e9, last, Severity(event.severity).word, title)


def _maintenance_mark(row: MaintenanceRow, t0_ns: int) -> Mark:
    return Mark((row.t_ns - t0_ns) / 1e9, "maintenance", "maintenance", row.note)
