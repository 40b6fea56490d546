"""The long path against its slow twin, and physics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import config

from tests import naive
from tests.vibro.features.agreement import assert_agree
from vibro.features.long import lines_of, long_kit, long_window
from vibro.features.setup import ChannelSetup, LineOrders
from vibro.features.spans import spans_of
from vibro.features.table import LONG, LONG_NAMES

LENGTH = 4096 if config.DISABLE_JIT else 8192
SPANS = spans_of(25600.0, [ChannelSetup()], long_window=LENGTH)
RATE = SPANS.long_rate_hz
RPM = 1796.0
BEARING = LineOrders(1.0, 3.5848, 5.4152, 4.7135, 0.3983, 17.0, (1.0, 0.41), 7.0)


def compute(signal, envelope, rpm=RPM, lines=BEARING):
    out = np.full(len(LONG_NAMES), np.nan, np.float32)
    signal, envelope = np.asarray(signal, np.float32), np.asarray(envelope, np.float32)
    long_window(signal, envelope, rpm, lines_of(lines), long_kit(SPANS), out)
    assert np.isfinite(out).all()
    return out


def named(*args, **kwargs):
    return dict(zip(LONG_NAMES, compute(*args, **kwargs).tolist(), strict=True))


def noise(seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal(LENGTH)


def tone(hz, amplitude=1.0, phase=0.3):
    return amplitude * np.cos(2 * np.pi * hz * np.arange(LENGTH) / RATE + phase)


@pytest.mark.parametrize("rpm", [RPM, 590.0, 3600.0])
@pytest.mark.parametrize("lines", [BEARING, LineOrders()])
def test_agrees_with_the_slow_twin(rpm, lines):
    fr = rpm / 60
    signal = sum(tone(fr * k, 1 / k) for k in range(1, 9)) + noise(1, 0.1) + 0.5
    signal += tone(17 * fr, 0.3) + tone(18 * fr, 0.1) + tone(16.59 * fr, 0.05) + tone(7 * fr, 0.2)
    train = sum(tone(fr * 3.5848 * 0.992 * k, 0.3 / k) for k in range(1, 4))
    envelope = 2 + train + tone(fr, 0.2) + noise(2, 0.1)
    got = compute(signal, envelope, rpm, lines)
    windows = signal.astype(np.float32), envelope.astype(np.float32)
    assert_agree(
        LONG, got, lambda x, e: naive.long_features(x, e, RATE, SPANS.pass_hz, rpm, lines), *windows
    )


def test_velocity_and_displacement_of_a_known_tone():
    got = named(tone(80.0, 2.0), 1 + noise(0, 0.01))
    omega = 2 * np.pi * 80
    assert got["acceleration_rms"] == pytest.approx(2 / math.sqrt(2), rel=1e-3)
    assert got["velocity_rms_mm_s"] == pytest.approx(1e3 * 2 / math.sqrt(2) / omega, rel=5e-3)
    assert got["displacement_rms_um"] == pytest.approx(1e6 * 2 / math.sqrt(2) / omega**2, rel=2e-2)


def test_slow_machines_are_judged_from_2_hz():
    signal = tone(5.0, 1.0)
    slow, fast = named(signal, 1 + noise(), 300.0), named(signal, 1 + noise(), 900.0)
    assert slow["velocity_rms_mm_s"] == pytest.approx(1e3 / math.sqrt(2) / (10 * np.pi), rel=0.05)
    assert fast["velocity_rms_mm_s"] < 0.2 * slow["velocity_rms_mm_s"]


@pytest.mark.parametrize("error", [-0.008, 0.0, 0.008])
def test_orders_are_found_at_a_speed_that_is_a_little_off(error):
    fr = RPM / 60 * (1 + error)
    got = named(tone(fr, 1.5) + tone(2 * fr, 0.4) + tone(3.5 * fr, 0.2), 1 + noise())
    assert got["order_1"] == pytest.approx(1.5, rel=0.01)
    assert got["order_2"] == pytest.approx(0.4, rel=0.01)
    assert got["order_0_5"] < 0.02
    assert got["order_share"] > -0.2


def test_the_line_of_the_faulty_part_stands_out_and_no_other():
    fr = RPM / 60
    train = sum(tone(5.4152 * fr * 1.012 * k, 0.2 / k) for k in (1, 2, 3))
    got = named(noise(3), 1 + train + noise(4, 0.3))
    assert got["ses_bpfi"] > 8
    for other in ("ses_bpfo", "ses_2bsf", "ses_ftf"):
        assert got[other] < 5


def test_noise_has_no_bearing_lines():
    count = 4 if config.DISABLE_JIT else 40
    found = [named(noise(i), 1 + noise(100 + i, 0.3)) for i in range(count)]
    for line in ("ses_bpfo", "ses_bpfi", "ses_2bsf", "ses_ftf"):
        values = np.array([f[line] for f in found])
        assert np.abs(values.mean()) < (3.0 if config.DISABLE_JIT else 1.0)
        assert values.max() < 7.0


@pytest.mark.parametrize("rpm", [math.nan, 0.0, 1e9])
def test_unknown_speed_leaves_lines_undefined(rpm):
    got = named(noise(), 1 + noise(1, 0.2), rpm)
    lines = [n for n in LONG_NAMES if n.startswith(("order", "gear", "blade"))]
    lines += ["ses_bpfo", "ses_bpfi", "ses_2bsf", "ses_ftf", "ses_shaft"]
    assert all(got[name] == 0.0 for name in lines)
    assert got["velocity_rms_mm_s"] > 0


def test_unknown_bearing_leaves_its_lines_undefined():
    got = named(noise(), 1 + noise(1, 0.2), RPM, LineOrders())
    undefined = ("ses_bpfo", "ses_ftf", "gear_mesh_1", "gear_sidebands", "blade_pass_1")
    assert all(got[name] == 0.0 for name in undefined)
    assert got["order_1"] > 0


def test_silence():
    got = named(np.full(LENGTH, 3.0), np.zeros(LENGTH))
    for name, value in got.items():
        if name not in ("floor_level", "envelope_mean", "ses_peak"):
            assert value == 0.0, name
    assert got["envelope_mean"] == pytest.approx(-120.0)
    assert got["ses_peak"] < 1e-3


def test_more_gear_shafts_than_there_is_room_for_are_ignored():
    row = lines_of(LineOrders(gear_mesh=20.0, gear_shafts=(1.0, 2.0, 3.0, 4.0, 5.0)))
    assert row.tolist()[7:-1] == [1.0, 2.0, 3.0, 4.0]
