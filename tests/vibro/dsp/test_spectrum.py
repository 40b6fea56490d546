"""The averaged spectrum: sines read their RMS value, noise its density, energy is kept."""

from __future__ import annotations

import numpy as np
import pytest

from vibro.dsp.spectrum import LINES, SPAN, averages, rms_spectrum

RATE = 25_600.0
STEP = RATE / SPAN


def sine(line: float, n: int = 4 * SPAN, amplitude: float = 2.0):
    return amplitude * np.sin(2 * np.pi * line * STEP * np.arange(n) / RATE + 0.3)


@pytest.mark.parametrize("line", [3, 160, LINES])
def test_a_sine_on_a_line_reads_its_rms_value_there(line):
    values = rms_spectrum(np.stack([sine(line), 0.5 * sine(line)]))
    assert values.shape == (2, LINES)
    np.testing.assert_allclose(values[:, line - 1], [np.sqrt(2.0), np.sqrt(0.5)], rtol=1e-5)
    assert values.argmax(axis=1).tolist() == [line - 1] * 2


def test_a_sine_between_two_lines_reads_at_most_1_42_db_less():
    worst = rms_spectrum(sine(160.5)[None])[0].max() / np.sqrt(2.0)
    assert 20 * np.log10(worst) == pytest.approx(-1.42, abs=0.01)


def test_white_noise_reads_its_density_times_a_band_of_one_and_a_half_lines():
    noise = np.random.default_rng(0).normal(size=(1, 100 * SPAN))
    values = rms_spectrum(noise)[0].astype(float)
    expected = np.sqrt(1.5 * STEP * 2.0 / RATE)
    assert np.sqrt((values**2).mean()) == pytest.approx(expected, rel=0.01)


def test_an_offset_is_no_vibration():
    assert rms_spectrum(np.full((1, SPAN), 3.0)).max() < 1e-6


def test_how_many_windows_a_stretch_holds():
    assert [averages(n) for n in (0, SPAN - 1, SPAN, 256_000)] == [0, 0, 1, 61]
    # What is behind the last whole window does not count.
    signal = sine(100.0, SPAN + 50)
    np.testing.assert_allclose(
        rms_spectrum(signal[None])[0, 99], rms_spectrum(signal[None, :SPAN])[0, 99], rtol=1e-3
    )
