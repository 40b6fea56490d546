"""What physics says about features, whatever computes them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numba import config

from tests.vibro.diagnosis import machines
from tests.vibro.features.signals import windows
from vibro.diagnosis.envelope import envelope_spectra
from vibro.dsp.design import band_gain
from vibro.features import stream
from vibro.features.fast import fast_kit, fast_window
from vibro.features.long import lines_of, long_kit, long_window
from vibro.features.setup import ChannelSetup, LineOrders
from vibro.features.spans import envelope_support, spans_of
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES, LONG_NAMES, ORDERS

RATE, LENGTH = 2560.0, 1024 if config.DISABLE_JIT else 8192
SPANS = spans_of(RATE, [ChannelSetup()], long_window=LENGTH)
BIN_HZ = RATE / LENGTH
KIT = long_kit(SPANS)
T = np.arange(LENGTH) / RATE
QUIET = 1e-3 * np.random.default_rng(9).standard_normal(LENGTH)
FEW = 5 if config.DISABLE_JIT else 40


def low(signal, rpm=math.nan):
    """Long-path features of a decimated signal, by name."""
    out = np.empty(len(LONG_NAMES), np.float32)
    envelope = np.ones(LENGTH, np.float32)
    long_window(signal.astype(np.float32), envelope, rpm, lines_of(LineOrders()), KIT, out)
    return dict(zip(LONG_NAMES, out.tolist(), strict=True))


def fast(x, rate):
    """Fast-path features of a window by name, and the power spectrum behind them."""
    spans = spans_of(rate, [ChannelSetup()])
    n, (bottom, top), kit = spans.fast_window, ChannelSetup().band(rate), fast_kit(spans)
    first, gains = band_gain(bottom * n / rate, top * n / rate, n, envelope_support(n))
    out = np.empty(len(FAST_NAMES), np.float32)
    tile = np.empty(spans.envelope_points // 2, np.float32)
    fast_window(x, kit, first, gains * np.float32(2 / n), out, tile)
    return dict(zip(FAST_NAMES, out.tolist(), strict=True)), kit.power.astype(np.float64)


@pytest.mark.parametrize("rate", [1000.0, 25600.0])
@pytest.mark.parametrize(
    "kind", ["random", "impulsive", "one impact", "tonal", "clipped", "counts"]
)
def test_parseval_the_spectrum_holds_the_power_that_the_samples_have(kind, rate):
    n = spans_of(rate, [ChannelSetup()]).fast_window
    x = windows(n, rate)[kind]
    got, power = fast(x, rate)
    weighed = (x - x.mean(dtype=float)) * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n))
    outside = weighed.sum() ** 2 / n / n  # bin 0, which is left out
    assert power.sum() == pytest.approx((np.mean(weighed**2) - outside) * 8 / 3, rel=1e-5)
    bands = sum(10 ** (got[f"band_{b:02d}"] / 10) for b in range(16))
    assert bands <= power.sum() * (1 + 1e-5)


def test_parseval_over_many_windows_of_noise():
    """The window's correction is right on the average: spectrum and samples tell one power."""
    rate, ratios = 1000.0, []
    for seed in range(10 * FEW):
        got, power = fast(windows(128, rate, seed)["random"], rate)
        ratios.append(power.sum() / got["rms"] ** 2)
    # A window's power is known to sqrt(2 * 35/18 / 128) = 17 %.
    assert np.mean(ratios) == pytest.approx(1.0, abs=3 * 0.17 / math.sqrt(len(ratios)))


@settings(max_examples=FEW, deadline=None)
@given(
    bins=st.floats(12 if config.DISABLE_JIT else 40, 0.35 * LENGTH),
    amplitude=st.floats(0.01, 100.0),
    phase=st.floats(0.0, 6.28),
)
def test_a_tone_has_its_amplitude_wherever_it_falls_between_two_bins(bins, amplitude, phase):
    """Half a bin off, Hann's main lobe leaks 2.5e-4 past the five bins; the RMS loses nothing."""
    hz = bins * BIN_HZ
    x = amplitude * (np.cos(2 * np.pi * hz * T + phase) + QUIET)
    got = low(x, 60 * hz)
    assert got["order_1"] == pytest.approx(amplitude, rel=5e-4)
    assert got["acceleration_rms"] == pytest.approx(amplitude / math.sqrt(2), rel=1e-4)
    assert got["velocity_rms_mm_s"] == pytest.approx(
        1e3 * amplitude / math.sqrt(2) / (2 * np.pi * hz), rel=1e-2
    )


@settings(max_examples=FEW, deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.floats(25.0, 900.0), st.floats(0.05, 5.0), st.floats(0, 6.28)),
        min_size=1,
        max_size=5,
        unique_by=lambda p: round(p[0] / 40),
    )
)
def test_a_known_motion_comes_back_from_its_acceleration(parts):
    """Velocities chosen in mm/s, differentiated by hand; the path integrates them back."""
    rising = sorted(hz for hz, _, _ in parts)
    assume(all(b - a > 8 * BIN_HZ for a, b in pairwise(rising)))
    acceleration, velocity2, displacement2 = np.zeros(LENGTH), 0.0, 0.0
    for hz, mm_s, phase in parts:
        w = 2 * np.pi * hz
        acceleration -= 1e-3 * mm_s * math.sqrt(2) * w * np.sin(w * T + phase)
        velocity2 += mm_s**2
        displacement2 += (1e3 * mm_s / w) ** 2
    got = low(acceleration)
    assert got["velocity_rms_mm_s"] == pytest.approx(math.sqrt(velocity2), rel=0.01)
    assert got["displacement_rms_um"] == pytest.approx(math.sqrt(displacement2), rel=0.03)


def test_velocity_of_a_motion_that_is_differentiated_numerically():
    """A smooth random displacement at 16 times the rate, two finite differences, one window."""
    rng, fine = np.random.default_rng(3), 16
    lines = np.zeros(LENGTH * fine // 2 + 1, complex)
    band = slice(round(30 / BIN_HZ), round(300 / BIN_HZ))
    count = band.stop - band.start
    lines[band] = rng.standard_normal(count) + 1j * rng.standard_normal(count)
    position = 1e-4 * np.fft.irfft(lines) * LENGTH
    step = 1 / RATE / fine
    velocity = (np.roll(position, -1) - np.roll(position, 1)) / (2 * step)
    acceleration = (np.roll(position, -1) - 2 * position + np.roll(position, 1)) / step**2
    got = low(acceleration[::fine])
    # The window looks at its middle most: weighed the same, both know one power.
    weight = np.sin(np.pi * np.arange(LENGTH * fine) / LENGTH / fine) ** 4
    weight /= weight.sum()
    weighed = [math.sqrt(np.sum(weight * v**2)) for v in (acceleration, velocity, position)]
    assert got["acceleration_rms"] == pytest.approx(weighed[0], rel=0.02)
    assert got["velocity_rms_mm_s"] == pytest.approx(1e3 * weighed[1], rel=0.02)
    assert got["displacement_rms_um"] == pytest.approx(1e6 * weighed[2], rel=0.03)


AMPLITUDES = {0.5: 0.2, 1: 1.0, 2: 0.5, 3: 0.3, 10: 0.1}


def run_up(hz, sweep, seconds):
    """Orders of a shaft whose speed rises by ``sweep`` Hz a second, and that speed, Hz."""
    t = np.arange(round(seconds * RATE)) / RATE
    turns = hz * t + sweep * t**2 / 2
    x = sum(a * np.cos(2 * np.pi * o * turns + o) for o, a in AMPLITUDES.items())
    return x + 0.01 * np.random.default_rng(4).standard_normal(len(t)), hz + sweep * t


def column(order):
    return LONG_NAMES.index(f"order_{order:g}".replace(".", "_"))


def followed(x, speed_hz, hop=256):
    """Long windows of a run-up whose speed is told with every piece of 0.1 s."""
    machine = MachineFeatures(RATE, [ChannelSetup()])
    pieces = [slice(at, at + hop) for at in range(0, len(x), hop)]
    made = [machine.push(np.float32(x[None, p]), 60 * speed_hz[p].mean()) for p in pieces]
    return np.concatenate([b.long[:, 0] for b in made]), np.concatenate([b.long_rpm for b in made])


@pytest.mark.slow_nojit
def test_orders_stay_orders_while_the_speed_rises():
    """1500 to 1840 rpm in 57 s; an order that sweeps less than a bin and a half keeps all of it."""
    rows, rpm = followed(*run_up(25.0, 0.1, 57.0))
    assert rpm[-1] - rpm[0] > 300.0
    for order in (0.5, 1, 2, 3):
        np.testing.assert_allclose(rows[:, column(order)], AMPLITUDES[order], rtol=0.005)
    np.testing.assert_allclose(rows[:, column(10)], 0.1, rtol=0.08)  # 10 bins wide, of which 5
    for order in set(ORDERS) - set(AMPLITUDES):
        assert rows[:, column(order)].max() < 0.02


@pytest.mark.slow_nojit
def test_orders_are_lost_when_the_speed_is_not_told():
    x, speed = run_up(25.0, 0.1, 40.0)
    rows, _ = followed(x, np.full(len(x), speed[0]))
    assert rows[0, column(1)] == pytest.approx(1.0, rel=0.005)
    assert rows[-1, column(1)] < 0.05


def test_one_window_of_a_run_up_is_read_at_its_mean_speed():
    sweep = 0.3 * BIN_HZ**2  # a third of a bin in the window
    x, speed = run_up(100.0, sweep, LENGTH / RATE)
    got = low(x, 60 * speed.mean())
    assert got["order_1"] == pytest.approx(1.0, rel=0.01)
    assert got["order_2"] == pytest.approx(0.5, rel=0.02)


def modulated_impacts(rpm, seed):
    """Outer race: impacts at BPFO whose gaps slip by 1 %, their force turning with the shaft."""
    rng = np.random.default_rng(seed)
    hz = machines.orders()["bearing_outer"] * rpm / 60
    at = machines.strikes(hz, rng, jitter=0.01)
    force = 6.0 * (1 + 0.3 * np.cos(2 * np.pi * rpm / 60 * at))
    return hz, machines.ringing(at, force, hz=3584.0) + machines.noise(seed)


@pytest.mark.slow_nojit
@pytest.mark.parametrize("rpm", [900.0, 1480.0, 1796.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_edge_s_envelope_line_lands_on_bpfo(monkeypatch, rpm, seed):
    """The highest line of the squared envelope's spectrum up to 1.5 BPFO, in every window."""
    hz, x = modulated_impacts(rpm, seed)
    found, take = [], stream.take_long

    def watched(cursor, buffers, half, speed, lines, kit, out):
        take(cursor, buffers, half, speed, lines, kit, out)
        top = kit.power[: int(1.5 * hz / kit.bin_hz)]  # what was transformed last: the envelope
        found.append((int(np.argmax(top)) * kit.bin_hz, out[0].copy()))

    monkeypatch.setattr(stream, "take_long", watched)
    geometry = machines.orders()
    lines = LineOrders(1.0, geometry["bearing_outer"], geometry["bearing_inner"])
    MachineFeatures(machines.RATE, [ChannelSetup(lines=lines)]).push(np.float32(x[None]), rpm)
    assert found
    for line_hz, row in found:
        assert line_hz == pytest.approx(hz, abs=0.5)
        assert row[LONG_NAMES.index("ses_bpfo")] > 12
        assert row[LONG_NAMES.index("ses_bpfi")] < 9


@pytest.mark.parametrize("rpm", [900.0, 1480.0, 1796.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_cloud_s_envelope_line_lands_on_bpfo(rpm, seed):
    hz, x = modulated_impacts(rpm, seed)
    (spectrum,) = envelope_spectra(x, machines.RATE, [(2000.0, 5000.0)])
    lines = spectrum.depth[: int(1.5 * hz / spectrum.resolution_hz)].copy()
    lines[: int(5.0 / spectrum.resolution_hz)] = 0.0
    assert np.argmax(lines) * spectrum.resolution_hz == pytest.approx(hz, abs=0.5)
    assert lines.max() > 0.5
