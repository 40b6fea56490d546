"""Combs: what is found, where, and what chance finds by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vibro.diagnosis.machines import RATE, noise
from vibro.diagnosis.bearings import probability
from vibro.diagnosis.comb import HARMONICS, SLIP, depth_at, search, spans_around
from vibro.diagnosis.envelope import EnvelopeSpectrum, envelope_spectra

DF, BINS = 0.25, 4000


def flat(seed: int = 0) -> EnvelopeSpectrum:
    """Squared envelope spectrum of noise: exponential power about a mean of one."""
    ratio = np.random.default_rng(seed).exponential(1.0, BINS)
    return EnvelopeSpectrum((2000.0, 4000.0), DF, 0.02 * np.sqrt(ratio), ratio)


def with_lines(lines: dict[float, float], seed: int = 0) -> EnvelopeSpectrum:
    """Noise with lines (Hz: depth) in it, each on its nearest bin."""
    made = flat(seed)
    depth, ratio = made.depth.copy(), made.ratio.copy()
    for hz, value in lines.items():
        k = round(hz / DF)
        depth[k], ratio[k] = value, (value / 0.02) ** 2
    return EnvelopeSpectrum(made.band_hz, DF, depth, ratio)


def comb_of(hz: float, depths=(0.6, 0.4, 0.3, 0.2)) -> dict[float, float]:
    return {h * hz: d for h, d in enumerate(depths, 1)}


def found(lines, expected_hz, seed=0):
    return search([with_lines(lines, seed)], expected_hz, [expected_hz], 24.7)


@settings(max_examples=40, deadline=None)
@given(st.floats(60.0, 200.0), st.floats(-0.95 * SLIP, 0.95 * SLIP), st.integers(0, 99))
def test_a_comb_within_the_slip_is_found_where_it_is(expected_hz, slip, seed):
    true_hz = expected_hz * (1 + slip)
    comb = found(comb_of(true_hz), expected_hz, seed)
    assert comb is not None
    assert comb.found_hz == pytest.approx(true_hz, abs=DF / 2)
    assert comb.depth == pytest.approx(np.sqrt(0.36 + 0.16 + 0.09 + 0.04), rel=0.02)
    assert comb.harmonics == HARMONICS
    assert comb.snr_db > comb.decoy_snr_db + 6
    assert probability(comb) > 0.5


@pytest.mark.parametrize("slip", [-0.06, -0.04, 0.04, 0.06])
@pytest.mark.parametrize("expected_hz", [9.5, 100.0])
def test_a_comb_beyond_the_slip_is_not_believed(expected_hz, slip):
    """Also at 40 bins, where a bin is half the slip."""
    comb = found(comb_of(expected_hz * (1 + slip)), expected_hz)
    assert comb is None or probability(comb) < 0.5


@pytest.mark.parametrize("multiple", [0.5, 1 / 3])
def test_another_combs_multiples_are_not_taken_for_a_comb_of_finer_spacing(multiple):
    comb = found({100.0: 0.8, 200.0: 0.5, 300.0: 0.4}, 100.0 * multiple)
    assert comb is not None
    assert min(comb.lead, comb.odd) < 0.1
    assert probability(comb) < 0.3


def test_of_several_bands_the_one_that_shows_it_best_is_chosen():
    spectra = [flat(1), with_lines(comb_of(99.0), 2), with_lines(comb_of(99.0, (0.2,)), 3)]
    spectra[1] = EnvelopeSpectrum((5000.0, 6000.0), DF, spectra[1].depth, spectra[1].ratio)
    comb = search(spectra, 100.0, [100.0], 24.7)
    assert comb is not None
    assert comb.band_hz == (5000.0, 6000.0)


def test_bands_too_narrow_to_hold_the_line_are_passed_over():
    narrow = with_lines(comb_of(100.0))
    narrow = EnvelopeSpectrum(narrow.band_hz, DF, narrow.depth[:500], narrow.ratio[:500])
    assert search([narrow], 100.0, [100.0], 24.7) is None  # it ends at 125 Hz
    assert search([narrow], 80.0, [80.0], 24.7) is not None


def test_lines_closer_than_the_resolution_tells_apart_are_not_searched():
    assert search([flat()], 7.9 * DF, [], 0.0) is None
    assert search([flat()], 60 * DF, [], 0.0) is not None


@pytest.mark.parametrize(("cage_hz", "spacing"), [(0.0, 24.0), (9.6, 9.6 * 0.99)])
def test_sidebands_belong_to_a_comb_and_are_no_decoys_of_it(cage_hz, spacing):
    """A ball's lie at the cage's rate, which slips with it; another race's at the shaft's."""
    true_hz = 0.99 * 110.0
    lines = comb_of(true_hz) | {
        h * true_hz + k * spacing: d / 2
        for h, d in enumerate((0.6, 0.4, 0.3, 0.2), 1)
        for k in (-2, -1, 1, 2)
    }
    comb = search([with_lines(lines)], 110.0, [110.0], 24.0, cage_hz)
    assert comb is not None
    assert comb.sideband_hz == pytest.approx(spacing, rel=1e-3)
    assert probability(comb) > 0.9
    other = search([with_lines(lines)], 110.0, [110.0], 24.0, 0.0 if cage_hz else 9.6)
    assert other is not None
    assert other.log10_p > comb.log10_p + 1.0


def test_where_half_orders_lie_everywhere_decoys_keep_clear_of_the_lines_alone():
    comb = search([with_lines(comb_of(99.2))], 100.0, [100.0], 0.8)
    assert comb is not None
    assert comb.found_hz == pytest.approx(99.2, abs=DF / 2)
    assert probability(comb) > 0.5


@pytest.mark.filterwarnings("error")
def test_silence_holds_no_comb():
    silent = EnvelopeSpectrum((2000.0, 4000.0), DF, np.zeros(BINS), np.zeros(BINS))
    comb = search([silent], 100.0, [100.0], 24.7)
    assert comb is not None
    assert comb.depth == 0.0
    assert comb.harmonics == 0
    assert probability(comb) < 0.01


@settings(max_examples=60, deadline=None)
@given(st.floats(5.0, 300.0), st.floats(0.0, 50.0), st.floats(100.0, 2000.0))
def test_spans_hold_every_harmonic_and_three_sidebands(fundamental, sideband, top):
    spans = spans_around(fundamental, sideband, top, DF)
    sides = range(-3, 4) if sideband > 0 else (0,)
    for k in range(1, int(top / fundamental) + 1):
        for side in sides:
            at = k * fundamental + side * sideband
            assert any(low < at < high for low, high in spans)
    assert all(high - low >= 6 * DF * 0.999 for low, high in spans)


def test_depth_adds_the_harmonics_as_powers_and_leaves_out_what_is_beyond_reach():
    s = with_lines(comb_of(120.0))
    assert depth_at(s, 120.0) == pytest.approx(np.sqrt(0.65), rel=0.01)
    short = EnvelopeSpectrum(s.band_hz, DF, s.depth[:1100], s.ratio[:1100])  # to 275 Hz
    assert depth_at(short, 120.0) == pytest.approx(np.sqrt(0.52), rel=0.01)


def test_chance_finds_what_its_probability_says_or_little_more():
    """100 searches in white noise: the share of small p keeps within 4.5 binomial deviations."""
    p = []
    for seed in range(50):
        spectra = envelope_spectra(noise(seed, seconds=2.5), RATE)
        for expected_hz in (88.4, 133.6):
            comb = search(spectra, expected_hz, [expected_hz], 24.7)
            assert comb is None or probability(comb) < 0.5
            p.append(1.0 if comb is None else 10.0**comb.log10_p)
    for level in (0.01, 0.05, 0.1, 0.25, 0.5):
        slack = 4.5 * math.sqrt(level * (1 - level) / len(p))
        assert np.mean(np.array(p) <= level) <= level + slack
    assert np.mean(np.array(p) <= 0.5) >= 0.3  # nor is it blind
