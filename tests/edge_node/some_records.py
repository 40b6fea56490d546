"""Records as a node makes them, small and of any number, for tests of what becomes of them."""

from __future__ import annotations

import numpy as np

from vibro.faults import Severity
from vibro.features.table import FAST_NAMES, SCHEMA_HASH
from vibro.records import Clip, Event, FeatureBlock, Health, Origin, RecordId

S = 10**9
HOUR = 3600 * S
ORIGIN = Origin("harbour-pump-1", "harbour", "pump-1", "live", 0, 7)


def block(content: str, rows: int, channels: int = 2, seed: int = 0, t0_ns: int = 0):
    """Rows of each channel a minute apart, the state changing now and then."""
    rng = np.random.default_rng(seed)
    n = rows * channels
    at = np.tile(np.arange(rows), channels)
    columns = {
        "channel": np.repeat(np.arange(channels), rows).astype(np.int16),
        "first_sample": (at * 1000).astype(np.int64),
        "t0_ns": t0_ns + at.astype(np.int64) * 60 * S,
        "state": (rng.random(n) < 0.2).astype(np.int16),
    }
    names = ("judged_share", "severity", "velocity_rms_mm_s") if content == "status" else FAST_NAMES
    for name in names:
        columns[name] = rng.normal(size=n).astype(np.float32)
        columns[name][rng.random(n) < 0.1] = np.nan
    if content == "status":
        columns["severity"] = rng.choice([0.0, 0.0, 0.0, 2.0], n).astype(np.float32)
    path = "" if content == "status" else "fast"
    names = tuple(f"c{c}" for c in range(channels))
    return FeatureBlock(ORIGIN, content, path, SCHEMA_HASH, "v1", names, ("a", "b"), columns)


def clip(rate_hz: float, seconds: float, rpm: float = float("nan"), seed: int = 0) -> Clip:
    counts = np.random.default_rng(seed).integers(-3000, 3000, (2, round(rate_hz * seconds)))
    return Clip(
        RecordId("clip", "harbour/pump-1", 7, 1234 + seed),
        ORIGIN,
        "event",
        "event:harbour/pump-1/de-h:7:1500",
        5 * S,
        rate_hz,
        rpm,
        "running",
        ("de-h", "de-v"),
        np.ones(2, np.float32),
        counts.astype(np.int16),
    )


def beat(t_ns: int, seen: int = 0) -> Health:
    key = RecordId("health", ORIGIN.node, 7, seen)
    return Health(key, ORIGIN, "heartbeat", t_ns, seen, seen, 0, 2 * seen, "v1")


def event(t_ns: int, revision: int = 0) -> Event:
    nan, key = float("nan"), RecordId("event", "harbour/pump-1/de-h", 7, t_ns // S, revision)
    return Event(
        id=key,
        origin=ORIGIN,
        channel="de-h",
        t_onset_ns=t_ns,
        t_last_ns=t_ns + S,
        t_clear_ns=None,
        t_decided_ns=t_ns + S,
        severity=Severity.ALERT,
        causes=("iso_velocity",),
        state="a",
        score=nan,
        p_value=nan,
        velocity_rms_mm_s=4.6,
        rpm=1480.0,
        bundle="v1",
    )
