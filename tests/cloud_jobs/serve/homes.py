"""A small home as the jobs leave it: one machine with a bearing on its way, one in good health."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cloud_jobs.run import CloudJobs
from tests.cloud_jobs.builders import S, Sender, block, clip, event, heartbeat, spectrum
from vibro.records import FeatureBlock

HEAD = (
    "site,region,owner,machine,machine_class,criticality,power_kw,rpm_min,rpm_nominal,rpm_max,"
    "mounting,iso_part,iso_group,channel,location,axis,shaft,shaft_ratio,bearing,gear_teeth,"
    "gear_mate_teeth,blades,line_hz,rate_hz,range_m_s2"
)
REGISTER = "\n".join(
    [
        HEAD,
        *(
            f"a,eu,acme,{machine},motor,high,45,1400,1500,1510,rigid,10816-3,2,"
            f"{channel},DE,{axis},main,1,6205,,,,50,25600,490"
            for machine in ("m1", "m2")
            for channel, axis in (("de-h", "H"), ("de-v", "V"))
        ),
        "",
    ]
)
BPFO_HZ = 3.5848 * 25.0
NOW_NS = 200 * S


def status(t_s: float, velocity: float, machine: str) -> FeatureBlock:
    base = block("status", "", round(t_s * S), machine=machine)
    columns = {
        **base.columns,
        "t0_ns": np.full(2, round(t_s * S)),
        "score_fast": np.array([0.4, 0.5], np.float32),
        "score_long": np.full(2, np.nan, np.float32),
        "velocity_rms_mm_s": np.array([0.5 * velocity, velocity], np.float32),
    }
    return replace(base, columns=columns)


def damaged(t0_s: float, of: str) -> object:
    """Three seconds of a bearing whose outer race is struck, on the first channel."""
    base = clip(t0_s, of=of)
    rng = np.random.default_rng(5)
    x = rng.normal(0.0, 30.0, (2, 3 * 25600))
    strikes = np.zeros(3 * 25600)
    strikes[np.round(np.arange(0.01, 2.99, 1 / BPFO_HZ) * 25600).astype(int)] = 3000.0
    t = np.arange(300) / 25600
    x[0] += np.convolve(strikes, np.exp(-900 * t) * np.sin(2 * np.pi * 4500 * t))[: 3 * 25600]
    return replace(base, samples=x.astype(np.int16))


def make(home: Path) -> str:
    """Fill a home; return the id (thing) of the event that has the picture."""
    (home / "assets.csv").write_text(REGISTER, encoding="utf-8")
    sender = Sender(home)
    grown = event(100.0, 50.0)
    sender.send(
        replace(clip(10.0, reason="commissioning"), samples=clip(10.0).samples // 10),
        grown,
        damaged(120.0, grown.id.thing),
        event(20.0, 1.0, cleared=True, machine="m2"),
    )
    for t_s in (60.0, 120.0, 180.0):
        sender.send(status(t_s, 1.0, "m1"), status(t_s, 3.2, "m2"))
        sender.send(block("mean", "fast", round(t_s * S)))
        sender.send(heartbeat(t_s), heartbeat(t_s, machine="m2"))
    sender.send(spectrum(30.0, "commissioning"), spectrum(150.0, level=2e-2))
    sender.send(replace(clip(151.0, reason="daily"), samples=clip(151.0).samples[:, :8192]))
    jobs = CloudJobs(home)
    try:
        while jobs.step().messages:
            pass
    finally:
        jobs.close()
    return grown.id.thing
