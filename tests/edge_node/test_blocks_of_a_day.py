"""What a day of good health ships, and what rounding does to a model that learns from it."""

from __future__ import annotations

import numpy as np
import pytest

from cloud_jobs.retrain.train import train
from edge_node.config import ReportingSection
from tests.edge_node.plants import MACHINE, RATE, SCALE, healthy
from vibro.bundle import Scorer
from vibro.cli.demo.steady import steady_day, with_channels
from vibro.features.setup import ChannelSetup
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST, LONG
from vibro.simulate import plant
from vibro.wire.precision import STEPS, round_to_spread

pytestmark = pytest.mark.slow_nojit
BULK = ("mean", "max", "sample")


@pytest.fixture(scope="module")
def days():
    machine = next(iter(plant()))
    return {n: steady_day(with_channels(machine, n), 8.0) for n in (2, 4)}


def test_a_channels_day_of_features_is_small(days):
    """Measured with every second of six hours rendered: 26.7 kB, status 11.6 kB (2 channels)."""
    for day in days.values():
        assert sum(day[k] for k in BULK) < 30_000
        assert day["status"] < 12_500
        assert day["daily_waveform"] < 2 * 8192
        assert day["daily_spectrum"] < 3 * 3200 / 8
    # What a machine says once weighs less the more channels it has: 43.8 kB with 8.
    totals = {n: sum(day.values()) - day["records"] for n, day in days.items()}
    assert totals[2] < 64_000
    assert totals[4] < 52_000
    assert sum(days[4].values()) < sum(days[2].values())


def test_every_message_of_the_day_is_counted_with_its_key_and_frame(days):
    # A status every 20 minutes is a sign of life, so that a heartbeat is due between two of them;
    # once an hour one tells all facts.
    assert ReportingSection().heartbeat_s == 600.0
    beats = 72 + 24
    # 20 minutes of status a record, 6 hours of six other contents, a spectrum and a waveform.
    assert days[2]["records"] == beats + 72 + 4 * 6 + 2
    key = len("hamburg/motor-1")
    assert days[2]["keys_and_framing"] == days[2]["records"] * (key + 70) / 2


@pytest.fixture(scope="module")
def windows():
    """Windows of good health: (windows, channels, features) of both paths."""
    batch = MachineFeatures(
        float(RATE), [ChannelSetup(lines=p.lines) for p in MACHINE.points]
    ).push(healthy(700.0, 11).astype(np.float32) * np.float32(SCALE), 1480.0)
    return {"fast": batch.fast, "long": batch.long}


def learned(windows, *, rounded: bool, seed: int):
    """A scorer that learned every second window, told exactly or as they are shipped."""
    vectors = {}
    for c, channel in enumerate(MACHINE.channels):
        pair = []
        for path, table in (("fast", FAST), ("long", LONG)):
            rows = windows[path][:, c]
            mean, spread = rows.astype(np.float64).mean(0), rows.astype(np.float64).std(0)
            sampled = rows[:: 12 if path == "fast" else 2]
            if rounded:
                log = np.array([f.scale == "log" for f in table])
                around = (np.broadcast_to(x, sampled.shape) for x in (mean, spread))
                sampled = round_to_spread(sampled, *around, STEPS["sample"], log)
            pair.append(np.ascontiguousarray(sampled))
        vectors[channel, "running"] = tuple(pair)
    bundle = train("harbour", "motor", vectors, seed=seed, version="v", created_ns=0)
    return Scorer(bundle, MACHINE.channels)


def test_rounding_moves_scores_no_more_than_another_random_forest_does(windows):
    exact, other, told = (
        learned(windows, rounded=r, seed=s) for r, s in ((False, 1), (False, 2), (True, 1))
    )
    for path in ("fast", "long"):
        unseen = windows[path][1::4][:400]
        judged = [[s.judge(path, w, "running") for w in unseen] for s in (exact, other, told)]
        scores = np.array([[j.score for j in run] for run in judged])
        p = np.log10(np.array([[j.p_value for j in run] for run in judged]))
        luck, rounding = (np.sqrt(((scores[i] - scores[0]) ** 2).mean()) for i in (1, 2))
        assert 0 < rounding < 1.3 * luck
        luck, rounding = (np.sqrt(((p[i] - p[0]) ** 2).mean()) for i in (1, 2))
        assert rounding < max(1.5 * luck, 0.1)
        assert abs((p[2] - p[0]).mean()) < 0.05
