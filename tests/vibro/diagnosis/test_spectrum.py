"""Order lines and broad-band figures against closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vibro.diagnosis.machines import RATE, noise, tone
from vibro.diagnosis.spectrum import resolved, spectrum_of

PEAK_OF_HANN_HALF_A_BIN_OFF = 8 / (3 * math.pi)


@settings(max_examples=60, deadline=None)
@given(st.integers(40, 20000), st.floats(-3.1, 3.1), st.floats(1e-3, 1e3))
def test_a_tone_on_a_bin_has_its_amplitude_frequency_and_phase_at_the_centre(k, phase, amplitude):
    df = 0.25
    f, line = spectrum_of(tone(k * df, amplitude, phase), RATE).line(k * df)
    assert f == pytest.approx(k * df)
    assert abs(line) == pytest.approx(amplitude, rel=1e-6)
    centre = phase + 2 * math.pi * k * df * 2.0  # the clip is 4 s long
    assert np.angle(line * np.exp(-1j * centre)) == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.floats(20.0, 3000.0))
def test_between_bins_a_tone_loses_no_more_than_a_hann_window_does(hz):
    f, line = spectrum_of(tone(hz, 1.0), RATE).line(hz)
    assert abs(f - hz) <= 0.125 + 1e-9
    assert PEAK_OF_HANN_HALF_A_BIN_OFF - 1e-3 <= abs(line) <= 1.0 + 1e-3


@settings(max_examples=30, deadline=None)
@given(st.floats(20.0, 200.0), st.floats(-3.0, 3.0))
def test_the_phase_between_two_channels_does_not_need_a_tone_on_a_bin(hz, lag):
    a, b = (spectrum_of(tone(hz, 1.0, p) + 0.3, RATE) for p in (0.4, 0.4 - lag))
    at, one = a.line(hz)
    other = b.line(at, 0.0)[1]
    assert np.angle(one * np.conj(other) * np.exp(-1j * lag)) == pytest.approx(0.0, abs=0.02)


def test_a_line_is_looked_for_within_its_tolerance_only():
    s = spectrum_of(tone(100.0, 1.0) + tone(103.0, 5.0), RATE)
    assert s.line(100.0, 0.008)[0] == pytest.approx(100.0)
    assert s.line(100.0, 0.035)[0] == pytest.approx(103.0)
    assert s.line(1e6)[1] == 0.0
    assert s.line(-50.0)[1] == 0.0


@pytest.mark.parametrize("hz", [16.3, 80.0, 999.0])
def test_velocity_and_displacement_of_a_tone_are_its_integrals(hz):
    omega = 2 * math.pi * hz
    velocity, displacement = spectrum_of(tone(hz, 2.0) + 4.0, RATE).broad_band(1480.0)
    assert velocity == pytest.approx(1e3 * 2 / math.sqrt(2) / omega, rel=2e-3)
    assert displacement == pytest.approx(1e6 * 2 / math.sqrt(2) / omega**2, rel=1e-2)


def test_a_lines_velocity_is_that_of_its_tone():
    assert spectrum_of(tone(50.0, 2.0), RATE).velocity_mm_s(50.0) == pytest.approx(
        1e3 * 2 / math.sqrt(2) / (100 * math.pi), rel=1e-6
    )


def test_the_iso_band_begins_at_2_hz_below_600_rpm_and_ends_at_1000_hz():
    slow, fast, high = tone(5.0, 1.0), tone(80.0, 1.0), tone(1200.0, 50.0)
    s = spectrum_of(slow + fast + high, RATE)
    parts = [1e3 / math.sqrt(2) / (2 * math.pi * f) for f in (5.0, 80.0)]
    assert s.broad_band(599.0)[0] == pytest.approx(math.hypot(*parts), rel=5e-3)
    for rpm in (600.0, 1480.0, math.nan):
        assert s.broad_band(rpm)[0] == pytest.approx(parts[1], rel=5e-3)


def test_band_levels_add_up_to_that_of_the_whole_signal():
    x = noise(1) + tone(700.0, 3.0)
    s = spectrum_of(x, RATE)
    edges = (0.0, 100.0, 650.0, 750.0, 3000.0, RATE)
    bands = [s.band_rms(low, high) for low, high in pairwise(edges)]
    assert math.hypot(*bands) == pytest.approx(x.std(), rel=0.02)
    assert bands[2] == pytest.approx(3 / math.sqrt(2), rel=0.01)


def test_lines_are_told_apart_from_eight_turns_on():
    assert resolved(25.0, 0.32)
    assert not resolved(25.0, 0.31)
    assert not resolved(math.nan, 1.0)
    assert not resolved(-25.0, 10.0)
