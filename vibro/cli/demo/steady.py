"""What a day of good health ships at the default intervals, byte by byte.

A simulated healthy machine is heard for a few seconds of every interval; windows drawn from these
go through the node's own reporters, blocks and encoder. They are drawn because an interval's
hundreds of windows are hours of signal, and may be because nothing drifts in a simulated machine.
What the node would need a model for is drawn as well: scores scatter a little, and calibrated
p-values are uniform in health, so that the least of an interval's windows is the least of as many
uniform numbers. Spectrum and waveform are made from what was heard by the node's own functions, and
heartbeats fall due by its own rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.clips.cutter import Cut, Request
from edge_node.clips.daily import WAVEFORM, spectrum_of
from edge_node.config import PrivacySection, ReportingSection
from edge_node.privacy import Privacy
from edge_node.reporting.blocks import BULK_ROWS, STATUS_ROWS, feature_blocks
from edge_node.reporting.intervals import PathReporter, Row
from edge_node.reporting.pulse import Pulse
from vibro.assets import Machine
from vibro.errors import BadInputError
from vibro.features.setup import ChannelSetup
from vibro.features.stream import MachineFeatures
from vibro.features.table import LONG_NAMES
from vibro.records import LIVE, Clip, Health, Origin, Record, RecordId, Spectrum, StreamInfo
from vibro.simulate import Scenario, SimulatedMachine
from vibro.wire import encode

DAY_S = 86_400.0
COMMIT_S = 10.0
"""A node looks so often what is due."""
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
        ``status``, ``mean``, ``max``, ``sample``, ``heartbeat``, ``daily_spectrum`` and
        ``daily_waveform``, which are the values of their messages, and ``keys_and_framing``: the
        messages' keys and Kafka's headers. ``records`` is how many a day and machine.
    """
    defaults = ReportingSection()
    heard = _Heard(machine, heard_s, seed)
    sizes: dict[str, float] = {}
    records = 0.0
    # Each is one message: (kind, records, times a day).
    for kind, found, times in (
        *_bulk(heard, defaults),
        ("status", _status(heard, seed), DAY_S / defaults.status_s / STATUS_ROWS),
        ("heartbeat", _heartbeats(heard, defaults), 1.0),
        ("daily_spectrum", [_spectrum(heard)], DAY_S / defaults.daily_s),
        ("daily_waveform", [_waveform(heard)], DAY_S / defaults.daily_s),
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


def _heartbeats(heard: _Heard, defaults: ReportingSection) -> list[Health]:
    """Heartbeats of a day: what else is shipped counts as a sign of life."""
    pulse, found = Pulse(round(defaults.heartbeat_s * 1e9)), []
    # Latencies of three days, as a node counts them: two decades of bins.
    facts: dict[str, Any] = {
        "latency_us_log20": {str(k): 10 ** (6 - abs(k - 50) // 2) for k in range(44, 60)},
        "every_s": defaults.heartbeat_s,
        "spool_bytes": 12_345,
        "finished": False,
    }
    # The day before has ended with one.
    pulse.detail(facts, T0_NS, full=True)
    for step in range(1, round(DAY_S / COMMIT_S) + 1):
        second = step * COMMIT_S
        now_ns = T0_NS + round(second * 1e9)
        if second % (defaults.status_s * STATUS_ROWS) == 0.0:
            pulse.said(now_ns)
        if pulse.due(now_ns):
            found.append(_heartbeat(heard, pulse.detail(facts, now_ns), now_ns, second))
    return found


def _heartbeat(heard: _Heard, detail: dict[str, Any], t_ns: int, second: float) -> Health:
    first = 6_635_520_000 + round(second * heard.rate_hz)
    seen = first * len(heard.channels)
    identity = RecordId("health", heard.origin.node, T0_NS, first)
    counts = (seen, seen, 0, 2 * seen)
    return Health(identity, heard.origin, "heartbeat", t_ns, *counts, "20260101-000000", detail)


def _cut(heard: _Heard) -> tuple[Cut, StreamInfo]:
    points, n = heard.machine.points, heard.counts.shape[1]
    request = Request("daily", "", 6_635_520_000, n, state="running", spectrum="daily")
    scale = np.array([p.range_m_s2 / 32768.0 for p in points], np.float32)
    info = StreamInfo(heard.machine.channels, heard.rate_hz, scale, T0_NS, 2)
    return Cut(replace(request, waveform=WAVEFORM), T0_NS, heard.speeds[-1], (heard.counts,)), info


def _spectrum(heard: _Heard) -> Spectrum:
    cut, info = _cut(heard)
    spectrum = spectrum_of(cut, info, heard.origin)
    if spectrum is None:
        raise BadInputError("heard_s is shorter than a window of the spectrum")
    return spectrum


def _waveform(heard: _Heard) -> Clip:
    cut, info = _cut(heard)
    release = Privacy(PrivacySection(), "", "").release(cut, info, heard.origin)
    if release is None:
        raise BadInputError("the default privacy lets no daily waveform leave")
    return release()


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
