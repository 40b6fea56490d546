"""What must not matter, or must matter in one known way: gain, sign, offset, direction of time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from tests.vibro.features.signals import windows
from vibro.dsp.design import band_gain
from vibro.features.fast import fast_kit, fast_window
from vibro.features.long import lines_of, long_kit, long_window
from vibro.features.setup import ChannelSetup, LineOrders
from vibro.features.spans import envelope_support, spans_of
from vibro.features.table import FAST, LONG

RATE = 1000.0 if config.DISABLE_JIT else 25600.0
SPANS = spans_of(RATE, [ChannelSetup()])
N, LENGTH = SPANS.fast_window, 1024
LONG_SPANS = spans_of(25600.0, [ChannelSetup()], long_window=LENGTH)
LOW, HIGH = (hz * N / RATE for hz in ChannelSetup().band(RATE))
FIRST, GAINS = band_gain(LOW, HIGH, N, envelope_support(N))
FAST_KIT, LONG_KIT = fast_kit(SPANS), long_kit(LONG_SPANS)
LINES = lines_of(LineOrders(1.0, 3.5848, 5.4152, 4.7135, 0.3983, 17.0, (1.0, 0.41), 7.0))
KINDS = ("random", "tonal", "impulsive", "clipped", "drifting")
NAMES = [c.name for c in (*FAST, *LONG)]
RPM = 1796.0


def columns(fast_x, long_x, envelope):
    """All columns of both paths by name, of windows given apart."""
    fast, long = np.empty(len(FAST), np.float32), np.empty(len(LONG), np.float32)
    tile = np.empty(SPANS.envelope_points // 2, np.float32)
    fast_window(fast_x, FAST_KIT, FIRST, GAINS * np.float32(2 / N), fast, tile)
    long_window(long_x, envelope, RPM, LINES, LONG_KIT, long)
    return dict(zip(NAMES, [*fast, *long], strict=True))


def made(kind):
    """A fast window, a long one and an envelope, on a grid of 1/1024 m/s2."""
    pieces = windows(N, RATE)[kind], windows(LENGTH, 2560.0)[kind]
    fast_x, long_x = (np.round(1024 * p) / np.float32(1024) for p in pieces)
    return fast_x, long_x, np.square(long_x) + 1


def power_of(column):
    """How a column grows with the gain: 1 as an amplitude, 2 as a power, 0 not at all."""
    if column.unit in {"m/s2", "mm/s", "um"}:
        return 1
    return 2 if column.unit.startswith("dB re") else 0


@settings(max_examples=5 if config.DISABLE_JIT else 25, deadline=None)
@given(kind=st.sampled_from(KINDS), gain_db=st.floats(-30.0, 60.0))
def test_gain_moves_levels_by_its_decibels_and_no_shape(kind, gain_db):
    """Floors are the exception: -120 dB re 1 (m/s2)^2 is where a level ends."""
    fast_x, long_x, envelope = made(kind)
    gain = float(np.float32(10 ** (gain_db / 20)))
    before = columns(fast_x, long_x, envelope)
    after = columns(
        *(np.float32(g) * x for g, x in zip((gain, gain, gain**2), made(kind), strict=True))
    )
    for column in (*FAST, *LONG):
        one, other = float(before[column.name]), float(after[column.name])
        if column.unit.startswith("dB re"):
            if min(one, other) > -85.0:
                assert other == pytest.approx(one + gain_db, abs=2e-3), column.name
        elif column.unit == "dB":
            assert other == pytest.approx(one, abs=2e-2), column.name
        else:
            want = one * gain ** power_of(column)
            near = 2e-5 * (gain if power_of(column) else 1)
            assert other == pytest.approx(want, rel=1e-4, abs=near), column.name


@pytest.mark.parametrize("kind", KINDS)
def test_turning_the_sensor_round_turns_mean_and_skewness_and_nothing_else(kind):
    fast_x, long_x, envelope = made(kind)
    one, other = columns(fast_x, long_x, envelope), columns(-fast_x, -long_x, envelope)
    for name in NAMES:
        sign = -1 if name in {"mean", "skewness"} else 1
        assert other[name] == sign * one[name], name


@pytest.mark.parametrize("offset", [9.8125, -100.0, 1000.0, 8192.0])
@pytest.mark.parametrize("kind", KINDS)
def test_an_offset_changes_the_mean_and_nothing_else(kind, offset):
    """Gravity, any bias of a supply, and one as large as leaves the samples exact in float32."""
    fast_x, long_x, envelope = made(kind)
    one = columns(fast_x, long_x, envelope)
    other = columns(fast_x + np.float32(offset), long_x + np.float32(offset), envelope)
    assert other.pop("mean") == pytest.approx(float(one["mean"]) + offset, rel=1e-6, abs=1e-5)
    for name, value in other.items():
        assert value == one[name], name


@pytest.mark.parametrize("kind", KINDS)
def test_time_that_runs_backwards_changes_no_column_but_those_of_the_fast_envelope(kind):
    """Backwards on the circle that a periodic window is: x[0], x[n-1], ... x[1]."""
    fast_x, long_x, envelope = made(kind)
    one = columns(fast_x, long_x, envelope)
    other = columns(
        *(np.ascontiguousarray(np.roll(x[::-1], 1)) for x in (fast_x, long_x, envelope))
    )
    for column in (*FAST, *LONG):
        name, value = column.name, float(one[column.name])
        if name.startswith("envelope") and column in FAST:
            near = 0.5  # one sample enters at one end and one leaves at the other
        elif name == "repeat_share":
            near = 1.5 / N  # the pair across the ends is another
        else:
            near = 2e-4 * abs(value) + 5e-5
        assert other[name] == pytest.approx(value, abs=near), name


def test_shuffled_samples_keep_what_knows_no_order_and_lose_the_rest():
    """Moments are those of a set, spectra are not: neither is computed from the other's data."""
    fast_x, long_x, envelope = made("tonal")
    one = columns(fast_x, long_x, envelope)
    rng = np.random.default_rng(0)
    other = columns(rng.permutation(fast_x), rng.permutation(long_x), envelope)
    for name in ("mean", "rms", "peak", "kurtosis", "skewness", "shape_factor", "low_kurtosis"):
        assert other[name] == pytest.approx(one[name], rel=1e-4, abs=5e-5), name
    for name in ("spectral_flatness", "order_1", "velocity_rms_mm_s", "spectral_centroid"):
        assert other[name] != pytest.approx(one[name], rel=0.1), name
