"""A small plant as points: real records through the very code that the cloud jobs write with.

Three machines at two sites over two hours that end a moment ago; one has a fault that grows, an
event and a case. The last hour's status, a night's models, heartbeats with all facts.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cloud_jobs.store.tables import MaintenanceRow
from cloud_jobs.timeseries.fleet import (
    case_points,
    limit_points,
    maintenance_points,
    model_points,
)
from cloud_jobs.timeseries.points import lines_of
from tests.cloud_jobs.builders import case_row, event, heartbeat, model_row, origin
from vibro.assets import Machine
from vibro.faults import Severity
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import FeatureBlock, Record
from vibro.simulate import plant

S = 10**9
HOURS = 2
STATUS_S, SUMMARY_S, BEAT_S = 60, 300, 600
NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES}
CHANNELS = ("de-h", "de-v")
STATUS = (
    "score_fast", "p_fast", "score_long", "p_long", "severity", "rpm", "judged_share",
    "velocity_rms_mm_s",
)  # fmt: skip
"""The columns that a node fills."""


def machines() -> list[Machine]:
    """Three machines of the demo's plant, two of which the standard applies to."""
    found = list(plant())
    iso = [m for m in found if hasattr(m.iso_limits, "velocity_mm_s")]
    other = [m for m in found if m not in iso]
    return [*iso[:2], *other[:1]] if other else iso[:3]


def lines(now_ns: int) -> bytes:
    """Return all points in line protocol."""
    known = machines()
    points = b"".join(lines_of(_records(m, i, now_ns)) for i, m in enumerate(known))
    worst = known[0]
    case = replace_row(case_row("c1"), site=worst.site, machine=worst.machine)
    case.t_opened_ns = now_ns - 1800 * S
    models = [
        model_row(m.site, m.machine_class, version, now_ns - age * S, metrics=_metrics(age))
        for m in known
        for version, age in (("v1", 86_400), ("v2", 5400))
    ]
    done = MaintenanceRow(
        site=worst.site, machine=worst.machine, t_ns=now_ns - 3600 * S, note="greased"
    )
    more = case_points([case]) | model_points(models) | limit_points(known, now_ns)
    more |= maintenance_points([done])
    return points + b"".join(more.values())


def replace_row(row, **facts):
    for name, value in facts.items():
        setattr(row, name, value)
    return row


def _metrics(age: int) -> dict[str, float]:
    return {"fast_rows": age // 100, "long_rows": age // 120, "fast_share_p01": 0.012,
            "long_share_p01": 0.02}  # fmt: skip


def _records(machine: Machine, number: int, now_ns: int) -> Iterator[Record]:
    who = {"site": machine.site, "machine": machine.machine}
    begin = now_ns - HOURS * 3600 * S
    yield _status(who, number, np.arange(begin, now_ns, STATUS_S * S))
    for path in NAMES:
        for content in ("mean", "max", "sample"):
            yield _features(who, path, content, np.arange(begin, now_ns, SUMMARY_S * S))
    for t_ns in range(begin, now_ns, BEAT_S * S):
        share = (t_ns - begin) / (now_ns - begin)
        told = {"spool_bytes": int(4e6 * share), "spool_max_bytes": 512_000_000, "every_s": 600.0,
                "version": "0.1.0", "finished": False}  # fmt: skip
        seen = 1000 + int(1e6 * share)
        beat = replace(heartbeat(0, **who), t0_ns=t_ns, detail=told, bundle="v2", seen=seen)
        yield replace(beat, processed=seen - 3, lost=3)
    if number == 0:
        onset_s = (now_ns - 2400 * S) / S
        yield event(onset_s, 600.0, severity=Severity.ALARM, **who)
        yield event(onset_s - 900, 60.0, cleared=True, channel="de-v", **who)


def _status(who: dict, number: int, times: np.ndarray) -> FeatureBlock:
    rows = len(times) * len(CHANNELS)
    columns = _keys(times)
    for i, name in enumerate(STATUS):
        columns[name] = np.full(rows, 0.1 + 0.05 * i, np.float32)
    grown = columns["t0_ns"] > times[len(times) // 2]
    columns["severity"] = (3.0 * grown if number == 0 else 0.0 * grown).astype(np.float32)
    columns["rpm"] = np.full(rows, 1480.0, np.float32)
    return FeatureBlock(
        origin(**who), "status", "", "", "v2", CHANNELS, ("stopped", "run-1480"), columns
    )


def _features(who: dict, path: str, content: str, times: np.ndarray) -> FeatureBlock:
    columns = _keys(times)
    for i, name in enumerate(NAMES[path]):
        columns[name] = (np.sin(times.repeat(len(CHANNELS)) / 1e12) - i).astype(np.float32)
    states = ("stopped", "run-1480")
    return FeatureBlock(origin(**who), content, path, SCHEMA_HASH, "v2", CHANNELS, states, columns)


def _keys(times: np.ndarray) -> dict:
    rows = len(times) * len(CHANNELS)
    n = np.arange(rows)
    return {
        "channel": (n % len(CHANNELS)).astype(np.int16),
        "first_sample": 2048 * n,
        "t0_ns": times.repeat(len(CHANNELS)),
        "state": (n // len(CHANNELS) > len(times) // 10).astype(np.int16),
    }


class Buckets:
    """The three buckets of a plant in an InfluxDB of the tests."""

    def __init__(self, influx, name: str) -> None:
        self.influx, self.name = influx, name
        org = self._ask("GET", f"/api/v2/orgs?org={influx.org}")["orgs"][0]["id"]
        for suffix in ("", "_1h", "_1d"):
            self._ask("POST", "/api/v2/buckets", {"orgID": org, "name": name + suffix})

    def write(self, content: bytes, suffix: str = "") -> None:
        where = f"/api/v2/write?org={self.influx.org}&bucket={self.name}{suffix}&precision=ns"
        self._ask("POST", where, content)

    def fill(self) -> None:
        self.write(lines(time.time_ns()))

    def _ask(self, method: str, path: str, body=None):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Token {self.influx.token}"}
        url = self.influx.url + path
        asked = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 (our own server)
            raw = answer.read()
        return json.loads(raw) if raw else None
