"""The fast path against its slow twin, and physics."""

from __future__ import annotations

import numpy as np
import pytest
from numba import config

from tests import naive
from tests.vibro.features.signals import windows
from vibro.dsp.design import band_gain
from vibro.features.fast import fast_kit, fast_window
from vibro.features.setup import ChannelSetup
from vibro.features.spans import envelope_support, spans_of
from vibro.features.table import FAST_NAMES

RATES = (1000.0,) if config.DISABLE_JIT else (1000.0, 12000.0, 25600.0)
COLUMN = {name: i for i, name in enumerate(FAST_NAMES)}


def compute(x, rate):
    spans = spans_of(rate, [ChannelSetup()])
    n = spans.fast_window
    low, high = ChannelSetup().band(rate)
    first, gains = band_gain(low * n / rate, high * n / rate, n, envelope_support(n))
    out = np.full(len(FAST_NAMES), np.nan, np.float32)
    tile = np.full(spans.envelope_points // 2, np.nan, np.float32)
    fast_window(x, fast_kit(spans), first, gains * np.float32(2 / n), out, tile)
    assert np.isfinite(out).all()
    assert np.isfinite(tile).all()
    return out, tile, spans


def named(x, rate):
    return dict(zip(FAST_NAMES, compute(x, rate)[0].tolist(), strict=True))


@pytest.mark.parametrize("size", [1e-9, 1e-6, 1e-3, 1.0, 1e4, 1e9])
def test_a_window_that_moves_once_has_finite_features(size):
    """A step at the very edge hides under the Hann window: what is left has no shape, not NaN."""
    n = spans_of(RATES[0], [ChannelSetup()]).fast_window
    for at in (0, 1, n // 2, n - 2, n - 1):
        for base in (0.0, 0.7 * size):
            x = np.full(n, base, np.float32)
            x[at] += np.float32(size)
            compute(x, RATES[0])  # checks that all is finite
            step = np.full(n, base, np.float32)
            step[at:] += np.float32(size)
            compute(step, RATES[0])


@pytest.mark.parametrize("rate", RATES)
def test_the_tile_is_the_squared_envelope_of_the_middle_half(rate):
    n = spans_of(rate, [ChannelSetup()]).fast_window
    for x in windows(n, rate).values():
        _, tile, spans = compute(x, rate)
        m, band = spans.envelope_points, ChannelSetup().band(rate)
        exact = naive.window_envelope(naive.without_mean(x), *band, rate, m)
        np.testing.assert_allclose(tile, exact[m // 4 : 3 * m // 4], atol=2e-6 * exact.max())


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", ["random", "tonal", "impulsive", "counts"])
def test_the_tile_is_a_plain_convolution_within_the_filter_s_stop_band(kind, rate):
    """The window's ends and the bins left out are 60 dB down: a thousandth of what is there."""
    n = spans_of(rate, [ChannelSetup()]).fast_window
    x = windows(n, rate)[kind]
    _, tile, spans = compute(x, rate)
    d = naive.without_mean(x)
    plain = naive.linear_envelope(d, *ChannelSetup().band(rate), rate, envelope_support(n))
    middle = plain[n // 4 : 3 * n // 4 : n // spans.envelope_points]
    stop = 2e-3 * np.abs(d).max()
    np.testing.assert_allclose(np.sqrt(tile), np.sqrt(middle), rtol=2e-3, atol=stop)


def test_power_is_kept():
    x = windows(128, 1000.0)["random"]
    got = named(x, 1000.0)
    bands = sum(10 ** (got[f"band_{b:02d}"] / 10) for b in range(16))
    d = (x - x.mean()) * np.sqrt(8 / 3) * np.sin(np.pi * np.arange(128) / 128) ** 2
    power = np.abs(np.fft.rfft(d)) ** 2 * 2 / 128**2
    assert bands == pytest.approx(power[2:-1].sum() + power[-1] / 2, rel=1e-3)


def test_a_sine_has_a_sine_s_numbers():
    x = 3 * np.sin(2 * np.pi * 5 * np.arange(128) / 128).astype(np.float32)
    got = named(x, 1000.0)
    assert got["rms"] == pytest.approx(3 / np.sqrt(2), rel=1e-5)
    assert got["peak"] == pytest.approx(3, rel=1e-3)
    assert got["kurtosis"] == pytest.approx(1.5, rel=1e-4)
    assert got["shape_factor"] == pytest.approx(np.pi / 2 / np.sqrt(2), rel=1e-2)
    assert got["spectral_centroid"] == pytest.approx(5 * 1000 / 128, rel=1e-4)


def test_a_tone_in_the_band_has_its_amplitude_as_envelope():
    x = 2 * np.cos(2 * np.pi * 32 * np.arange(128) / 128).astype(np.float32)
    _, tile, _ = compute(x, 1000.0)
    np.testing.assert_allclose(tile, 4.0, rtol=0.05)
    got = named(x, 1000.0)
    assert got["envelope_level"] == pytest.approx(10 * np.log10(2), abs=0.2)
    assert got["envelope_kurtosis"] == pytest.approx(1.0, abs=0.01)


def test_scale_moves_levels_and_nothing_else():
    x = windows(128, 1000.0)["impulsive"]
    one, ten = named(x, 1000.0), named(10 * x, 1000.0)
    assert ten["rms"] == pytest.approx(10 * one["rms"], rel=1e-5)
    assert ten["band_10"] == pytest.approx(one["band_10"] + 20, abs=1e-2)
    for name in ("kurtosis", "crest_factor", "spectral_centroid", "envelope_kurtosis"):
        assert ten[name] == pytest.approx(one[name], rel=1e-3)


@pytest.mark.parametrize("value", [0.0, 9.80665, -1e4])
def test_a_constant_says_nothing(value):
    got = named(np.full(128, value, np.float32), 1000.0)
    assert got.pop("mean") == pytest.approx(value)
    assert got.pop("repeat_share") == 1.0
    for name, x in got.items():
        assert x == pytest.approx(-120.0 if name.startswith(("band", "envelope_level")) else 0.0)
