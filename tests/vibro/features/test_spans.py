"""Spans at any sampling rate, and bands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import config

from vibro.errors import BadInputError
from vibro.features.setup import ChannelSetup, default_band
from vibro.features.spans import spans_of
from vibro.features.stream import FeatureBatch, MachineFeatures


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


ANY = {
    "rate": st.one_of(st.sampled_from([200.0, 1000.0, 12e3, 48e3]), st.floats(200.0, 60e3)),
    "fast": st.sampled_from([64, 128, 256, 512]),
    "long": st.sampled_from([64, 128]),
}


def piece(rate, first, last):
    """Samples ``first .. last - 1`` of an endless noise."""
    return np.random.default_rng(round(rate)).standard_normal((1, last))[:, first:]


@settings(max_examples=3 if config.DISABLE_JIT else 60, deadline=None)
@given(**ANY, more=st.integers(0, 3), missing=st.integers(0, 1))
@example(rate=12e3, fast=256, long=64, more=2, missing=0)
def test_as_many_samples_as_are_promised_are_enough_and_no_fewer(rate, fast, long, more, missing):
    """Of standard spans and of scaled ones, whose long windows may begin within a fast hop."""
    setup = ChannelSetup()
    s = spans_of(rate, [setup], fast_window=fast, long_window=long)
    enough = s.long_window_samples + more * s.long_hop_samples
    windows = MachineFeatures(rate, [setup], spans=s).push(piece(rate, 0, enough), 1500.0)
    assert len(windows.long) >= more + 1
    # Each comes with the sample that its reach ends before, no earlier; some come together.
    end = s.long_reach(more)[1]
    made = MachineFeatures(rate, [setup], spans=s).push(piece(rate, 0, end - missing), 1500.0)
    assert (len(made.long) > more) == (not missing)
    ends = [s.long_reach(w)[1] - w * s.long_hop_samples for w in range(fast)]
    assert max(ends) == s.long_window_samples


@settings(max_examples=3 if config.DISABLE_JIT else 60, deadline=None)
@given(**ANY, stop=st.integers(0, 3000))
@example(rate=12e3, fast=256, long=64, stop=160)
def test_who_hears_the_memory_again_repeats_every_window_to_come(rate, fast, long, stop):
    setup = ChannelSetup()
    s = spans_of(rate, [setup], fast_window=fast, long_window=long)
    stop += s.memory_samples
    whole, late = stop + s.long_window_samples + s.long_hop_samples, stop - s.memory_samples
    never = MachineFeatures(rate, [setup], spans=s)
    never.push(piece(rate, 0, stop), 1500.0)
    again = MachineFeatures(rate, [setup], late, spans=s)
    again.push(piece(rate, late, stop), 1500.0)
    want, got = (m.push(piece(rate, stop, whole), 1500.0) for m in (never, again))
    assert len(want.long) >= 1
    for path in FeatureBatch.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(got, path), getattr(want, path))


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
