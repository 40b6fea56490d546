"""Envelope spectra against a plain Hilbert envelope, and known modulations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vibro.diagnosis.machines import RATE, noise, ringing, strikes, time_s, tone
from vibro.diagnosis.envelope import (
    EnvelopeSpectrum,
    best_band,
    candidate_bands,
    envelope_spectra,
)


def plain_depth(x, band_hz) -> np.ndarray:
    """Textbook squared envelope: mask the two-sided spectrum, square, transform; no whitening."""
    f = np.fft.fftfreq(x.size, 1 / RATE)
    inside = (f > band_hz[0]) & (f < band_hz[1])
    squared = np.abs(np.fft.ifft(np.where(inside, 2 * np.fft.fft(x), 0))) ** 2
    lines = np.abs(np.fft.rfft(squared))
    return 2 * lines / lines[0]


def modulated(hz: float, depth: float, seed=0, seconds=8.0) -> np.ndarray:
    """White noise whose power swings as 1 + depth cos."""
    power = 1 + depth * np.cos(2 * np.pi * hz * time_s(seconds))
    return np.sqrt(power) * noise(seed, seconds=seconds)


@pytest.mark.parametrize("depth", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("band", [(1000.0, 5000.0), (2000.0, 3000.0)])
def test_a_known_modulation_of_power_is_measured_as_its_depth(depth, band):
    """Two bins 90 Hz apart make the line: so many pairs fewer than bins fit into the band."""
    (s,) = envelope_spectra(modulated(90.0, depth), RATE, [band])
    pairs = 1 - 90.0 / (band[1] - band[0])
    assert s.highest(89.5, 90.5) == pytest.approx(depth * pairs, abs=0.05)
    assert s.depth[0] == 2.0


def test_agrees_with_the_plain_envelope_of_flat_noise():
    band = (1500.0, 4500.0)
    x = modulated(90.0, 0.6) + 0.2
    (s,) = envelope_spectra(x, RATE, [band])
    plain = plain_depth(x - x.mean(), band)[: s.depth.size]
    k = round(90.0 / s.resolution_hz)
    assert s.depth[k] == pytest.approx(plain[k], rel=0.1)
    # The floor too, over all modulation frequencies that both reach.
    assert np.median(s.depth[50:]) == pytest.approx(np.median(plain[50:]), rel=0.2)


def test_a_train_of_short_impacts_modulates_all_its_harmonics_twofold():
    at = strikes(50.0, np.random.default_rng(1), jitter=2e-4)
    x = ringing(at, np.full(at.size, 100.0), damping=0.1) + noise(1, 0.1)
    (s,) = envelope_spectra(x, RATE, [(1500.0, 6000.0)])
    for hz in (50.0, 100.0, 150.0, 200.0):
        assert 1.5 < s.highest(hz - 0.3, hz + 0.3) <= 2.001


def test_a_tone_does_not_hide_what_rings_around_it():
    quiet = modulated(90.0, 0.8, seconds=4.0)
    loud = quiet + tone(3000.0, 200.0) + tone(24.7, 5.0)
    for x in (quiet, loud):
        (s,) = envelope_spectra(x, RATE, [(2000.0, 4000.0)])
        assert s.highest(89.5, 90.5) == pytest.approx(0.8, abs=0.12)


@settings(max_examples=15, deadline=None)
@given(st.floats(1e-3, 1e4), st.floats(-100.0, 100.0))
def test_neither_gain_nor_offset_matters(gain, offset):
    x = modulated(90.0, 0.5, seconds=1.0)
    (one,) = envelope_spectra(x, RATE, [(1000.0, 5000.0)])
    (other,) = envelope_spectra(gain * x + offset * gain, RATE, [(1000.0, 5000.0)])
    np.testing.assert_allclose(other.depth[2:], one.depth[2:], rtol=2e-2, atol=2e-3)


def test_noise_stands_one_mean_power_over_its_floor():
    for s in envelope_spectra(noise(2), RATE, [(1000.0, 5000.0), (100.0, 900.0)]):
        assert np.mean(s.ratio[20:]) == pytest.approx(1.0, rel=0.1)
        assert np.mean(s.ratio[20:] > 10.0) < 1e-3  # exponential: 5 in 100 000


def test_the_spectrum_ends_where_the_band_or_interest_does():
    wide, narrow = envelope_spectra(noise(3), RATE, [(0.0, 6000.0), (2000.0, 2500.0)])
    assert wide.top_hz == pytest.approx(2000.0, abs=0.5)
    assert narrow.top_hz == pytest.approx(500.0, abs=0.5)
    assert wide.resolution_hz == pytest.approx(0.25)


@pytest.mark.parametrize("rate", [200.0, 1000.0, 2560.0, 12000.0, 25600.0, 1e6])
def test_candidate_bands_lie_within_the_range_and_are_wide_enough(rate):
    bands = candidate_bands(rate)
    assert bands[0][0] == 0.01 * rate
    assert bands[0][1] == 0.49 * rate
    for low, high in bands:
        assert 0.0 < low < high < rate / 2
    for low, high in bands[1:]:
        assert high - low >= 400.0
    assert len(set(bands)) == len(bands)


SPECTRUM = envelope_spectra(modulated(90.0, 0.9, seconds=2.0), RATE, [(1000.0, 5000.0)])[0]
SPANS = st.lists(
    st.tuples(st.floats(-50.0, 2500.0), st.floats(0.0, 80.0)).map(lambda p: (p[0], p[0] + p[1])),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(SPANS)
def test_taking_spans_out_lowers_them_to_the_floor_and_leaves_the_rest(spans):
    left = SPECTRUM.without(spans)
    hz = np.arange(SPECTRUM.depth.size) * SPECTRUM.resolution_hz
    inside = np.zeros(hz.size, bool)
    for low, high in spans:
        inside |= (hz >= low) & (hz <= high)
    assert (left.ratio[inside] <= 1.0 + 1e-12).all()
    np.testing.assert_array_equal(left.depth[~inside], SPECTRUM.depth[~inside])
    np.testing.assert_array_equal(left.ratio[~inside], SPECTRUM.ratio[~inside])
    assert (left.depth <= SPECTRUM.depth).all()
    again = left.without(spans)
    np.testing.assert_allclose(again.depth, left.depth, rtol=1e-12)


def test_the_highest_line_of_a_span_beyond_reach_is_zero():
    s = EnvelopeSpectrum((0.0, 1.0), 1.0, np.array([2.0, 0.1, 0.7, 0.2]), np.ones(4))
    assert s.highest(1.0, 2.0) == 0.7
    assert s.highest(1.5, 1.9) == 0.0
    assert s.highest(-5.0, 0.5) == 2.0
    assert s.highest(10.0, 20.0) == 0.0


def test_the_band_shown_is_the_one_in_which_a_line_stands_out_most():
    at = strikes(90.0, np.random.default_rng(5))
    x = noise(5) + ringing(at, np.full(at.size, 8.0), hz=4500.0)
    spectra = envelope_spectra(x, RATE)
    low, high = best_band(spectra, [90.0]).band_hz
    assert low < 4500.0 < high
    by_itself = best_band(spectra, [])
    assert by_itself.depth[1:].max() == max(s.depth[1:].max() for s in spectra)
    assert best_band(spectra, [1e6]) is by_itself  # a line that none reaches says nothing
