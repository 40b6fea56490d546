"""What a day of good health ships at the default intervals, byte by byte.

A simulated healthy machine is heard for a few seconds of every interval; windows drawn from these
go through the node's own reporters, blocks and encoder. They are drawn because an interval's
hundreds of windows are hours of signal, and may be because nothing drifts in a simulated machine.
What the node would need a model for is drawn as well: scores scatter a little, and calibrated
p-values are uniform in health, so that the least of an interval's windows is the least of as many
uniform numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.blocks import BULK_ROWS, STATUS_ROWS, feature_blocks
from edge_node.config import ReportingSection
from edge_node.reporting import PathReporter, Row
from vibro.assets import Machine
from vibro.features.setup import ChannelSetup
from vibro.features.stream import MachineFeatures
from vibro.features.table import LONG_NAMES
from vibro.records import LIVE, Clip, Health, Origin, Record, RecordId
from vibro.simulate import Scenario, SimulatedMachine
from vibro.wire import encode

DAY_S = 86_400.0
WAVEFORM = 8192
"""Samples of the daily waveform; the 3200 lines of its spectrum follow from it."""
WINDOWS = {"fast": 600, "long": 187}
"""Windows of an interval: those of the long path, and a sixth of the fast path's to save time."""
HOP = {"fast": 2048, "long": 40_960}
"""Samples between windows at 25.6 kHz."""
BATCH_BYTES, RECORD_BYTES = 61, 9
"""Kafka's own: the header of a record batch, and of a record in it (format 2), sent one by one."""
T0_NS = 1_767_225_600_000_000_000
Floats = NDArray[np.float32]


def steady_day(machine: Machine, heard_s: float, seed: int = 0) -> dict[str, float]:
    """Bytes a channel and day by kind, in good health, at the default intervals.

    Parameters
    ----------
    machine : Machine
        Its points are the channels.
    heard_s : float
        Seconds of every interval that are simulated, at least 8, so that there is a long window.
    seed : int

    Returns
    -------
    dict of str to float
        ``status``, ``mean``, ``max``, ``sample``, ``heartbeat`` and ``daily_waveform``, which are
        the values of their messages, and ``keys_and_framing``: the messages' keys and Kafka's
        headers. ``records`` is how many a day and machine.
    """
    defaults = ReportingSection()
    heard = _Heard(machine, heard_s, seed)
    sizes: dict[str, float] = {}
    records = 0.0
    # Each is one message: (kind, records, times a day).
    for kind, found, times in (
        *_bulk(heard, defaults),
        ("status", _status(heard, seed), DAY_S / defaults.status_s / STATUS_ROWS),
        ("heartbeat", [_heartbeat(heard)], DAY_S / defaults.heartbeat_s),
        ("daily_waveform", [_waveform(heard)], 1.0),
    ):
        size = sum(len(encode(record)) for record in found) * times
        sizes[kind] = sizes.get(kind, 0.0) + size
        records += times * len(found)
    around = len(machine.path.encode()) + BATCH_BYTES + RECORD_BYTES
    sizes["keys_and_framing"] = records * around
    return {k: n / len(machine.points) for k, n in sizes.items()} | {"records": records}


class _Heard:
    """The rows of one block's worth of intervals, and samples for the rest."""

    def __init__(self, machine: Machine, heard_s: float, seed: int) -> None:
        self.machine, self.channels = machine, tuple(p.channel for p in machine.points)
        self.origin = Origin(f"{machine.site}-{machine.machine}", *_path(machine), 12_345, T0_NS)
        simulated = SimulatedMachine(machine, Scenario(2 * DAY_S, DAY_S, seed))
        self.rate_hz = simulated.info.rate_hz
        scale = simulated.info.scale[:, None].astype(np.float32)
        heard: dict[str, list[Floats]] = {"fast": [], "long": []}
        self.speeds, self.velocities = [], []
        for k in range(BULK_ROWS):
            first = round(k * ReportingSection().summary_s * self.rate_hz)
            features = MachineFeatures(
                self.rate_hz, [ChannelSetup(lines=p.lines) for p in machine.points], first
            )
            self.counts, rpm = simulated.render(first, round(heard_s * self.rate_hz))
            batch = features.push(self.counts.astype(np.float32) * scale, rpm)
            self.speeds.append(rpm)
            self.velocities.append(batch.long[:, :, LONG_NAMES.index("velocity_rms_mm_s")].mean(0))
            heard["fast"].append(batch.fast)
            heard["long"].append(batch.long)
        rng = np.random.default_rng(seed)
        self.rows = [
            row
            for path, found in heard.items()
            for row in _report(path, np.concatenate(found), self.rate_hz, rng)
        ]


def _path(machine: Machine) -> tuple[str, str, str]:
    return machine.site, machine.machine, LIVE


def _report(path: str, heard: Floats, rate_hz: float, rng: np.random.Generator) -> list[Row]:
    """Report intervals of windows that are drawn from all that were heard."""
    interval_ns = round(ReportingSection().summary_s * 1e9)
    reporter = PathReporter(path, "node", interval_ns, interval_ns)
    samples = interval_ns * rate_hz / 1e9
    rows = []
    for k in range(BULK_ROWS):
        for i, which in enumerate(rng.integers(len(heard), size=WINDOWS[path])):
            hop = HOP[path]
            first = round(k * samples) + round(i * samples / WINDOWS[path] / hop) * hop
            t0_ns = T0_NS + round(first * 1e9 / rate_hz)
            rows += reporter.window(first, t0_ns, "running", heard[which])
    return rows + reporter.close()


def _bulk(heard: _Heard, defaults: ReportingSection) -> list[tuple[str, Sequence[Record], float]]:
    times = DAY_S / defaults.summary_s / BULK_ROWS
    blocks = feature_blocks(heard.rows, heard.origin, heard.channels, "20260101-000000")
    return [(b.content, [b], times) for b in blocks]


def _status(heard: _Heard, seed: int) -> Sequence[Record]:
    rng = np.random.default_rng(seed)
    defaults = ReportingSection()
    rows = []
    for i in range(STATUS_ROWS):
        first = round(i * defaults.status_s * heard.rate_hz)
        t0_ns = T0_NS + round(i * defaults.status_s * 1e9)
        for c in range(len(heard.channels)):
            facts = {
                "judged_share": 1.0,
                "score_fast": rng.normal(0.42, 0.003),
                # Windows overlap by half: half of them are news.
                "p_fast": rng.uniform(size=round(defaults.status_s / 0.16)).min(),
                "severity": 0.0,
                "rpm": heard.speeds[i % BULK_ROWS],
                "score_long": rng.normal(0.42, 0.01),
                "p_long": rng.uniform(size=round(defaults.status_s / 3.2)).min(),
                "velocity_rms_mm_s": float(heard.velocities[i % BULK_ROWS][c]),
            }
            rows.append(Row("status", "", c, first, t0_ns, "running", facts))
    return feature_blocks(rows, heard.origin, heard.channels, "20260101-000000")


def _heartbeat(heard: _Heard) -> Health:
    # Latencies of three days, as a node counts them: two decades of bins.
    detail: dict[str, Any] = {
        "latency_us_log20": {str(k): 10 ** (6 - abs(k - 50) // 2) for k in range(44, 60)},
        "end_ns": T0_NS,
        "spool_bytes": 12_345,
        "finished": False,
    }
    identity = RecordId("health", heard.origin.node, T0_NS, 6_635_520_000)
    seen = 6_635_520_000 * len(heard.channels)
    counts = (seen, seen, 0, 2 * seen)
    return Health(identity, heard.origin, "heartbeat", T0_NS, *counts, "20260101-000000", detail)


def _waveform(heard: _Heard) -> Clip:
    points = heard.machine.points
    return Clip(
        id=RecordId("clip", heard.machine.path, T0_NS, 6_635_520_000),
        origin=heard.origin,
        reason="daily",
        event="",
        t0_ns=T0_NS,
        rate_hz=heard.rate_hz,
        rpm=heard.speeds[-1],
        state="running",
        channels=heard.channels,
        scale=np.array([p.range_m_s2 / 32768.0 for p in points], np.float32),
        samples=heard.counts[:, :WAVEFORM],
    )


def with_channels(machine: Machine, channels: int) -> Machine:
    """Return the same machine heard at more points, alternating between those it has."""
    points = machine.points
    return replace(
        machine,
        points=tuple(
            replace(points[k % len(points)], channel=f"p{k // 2 + 1}-{'hv'[k % 2]}")
            for k in range(channels)
        ),
    )
