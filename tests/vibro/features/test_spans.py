"""Spans at any sampling rate, and bands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.errors import BadInputError
from vibro.features.setup import ChannelSetup, default_band
from vibro.features.spans import spans_of


def test_standard_rate():
    s = spans_of(25600.0, [ChannelSetup()])
    assert (s.reflex_block, s.fast_window, s.fast_hop) == (512, 4096, 2048)
    assert (s.decimation, s.long_rate_hz, s.long_window) == (10, 2560.0, 8192)
    assert s.long_hop_samples == 40960
    assert s.pass_hz == 1000.0
    assert s.memory_samples >= s.long_window_samples >= s.long_window * s.decimation


@settings(max_examples=200, deadline=None)
@given(rate=st.floats(200.0, 300e3))
def test_any_rate(rate):
    setup = ChannelSetup()
    s = spans_of(rate, [setup])
    assert s.fast_window & (s.fast_window - 1) == 0
    assert rate < 900 or 0.11 <= s.fast_window / rate <= 0.23
    assert s.decimation == 1 or 2340.0 <= s.long_rate_hz <= 5200.0
    assert s.long_rate_hz < 600 or 2.2 <= s.long_window / s.long_rate_hz <= 4.6
    # Every long window starts on a fast window's start: it then needs nothing before itself.
    assert s.long_hop_samples % s.fast_hop == 0
    # The ratio of rates is exact, and the squared envelope does not fold into the pass band.
    assert s.envelope_rate_hz * s.envelope_up == pytest.approx(s.long_rate_hz * s.envelope_down)
    low, high = setup.band(rate)
    clear = s.envelope_rate_hz - (high - low) >= min(s.pass_hz, high - low)
    assert clear or s.envelope_points == s.fast_window


@pytest.mark.parametrize("rate", [0.0, 10.0, 2e6, float("nan")])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(BadInputError, match="sampling rate"):
        spans_of(rate, [ChannelSetup()])


@pytest.mark.parametrize("band", [(3000.0, 2000.0), (0.0, 100.0), (1000.0, 20000.0)])
def test_impossible_bands_are_refused(band):
    with pytest.raises(BadInputError, match="envelope band"):
        ChannelSetup(band_hz=band).band(25600.0)


def test_default_band():
    assert default_band(25600.0) == (2500.0, 7500.0)
    assert ChannelSetup().band(1000.0) == pytest.approx((130.0, 390.0))
    assert ChannelSetup(band_hz=(100.0, 200.0)).band(1000.0) == (100.0, 200.0)
