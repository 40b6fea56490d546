"""Filters: what they pass and stop, and their kernels against plain sums."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from tests import naive
from vibro.dsp.decibel import DB, ln
from vibro.dsp.decimate import decimate
from vibro.dsp.design import band_gain, lowpass_bank, tap_count


@njit
def levels(x, out):
    for i in range(x.shape[0]):
        out[i] = ln(x[i])


@njit
def run(x, offset, first, count, up, down, bank, out):
    decimate(x, offset, first, count, up, down, bank, out, 0)


def response(taps, f):
    return np.abs(np.exp(-2j * np.pi * np.outer(f, np.arange(len(taps)))) @ taps)


@pytest.mark.parametrize("phases", [1, 2, 5])
def test_lowpass_passes_and_stops(phases):
    bank = lowpass_bank(1000.0, 1560.0, 25600.0, phases).astype(np.float64)
    assert bank.shape == (phases, -(-tap_count(1000.0, 1560.0, 25600.0) // 16) * 16)
    np.testing.assert_allclose(bank.sum(axis=1), 1.0, atol=1e-6)
    for row in bank:
        passed = response(row, np.linspace(0, 1000, 50) / 25600)
        stopped = response(row, np.linspace(1560, 12800, 400) / 25600)
        np.testing.assert_allclose(passed, 1.0, atol=2e-4)
        assert stopped.max() < 2e-4


def test_rows_are_delays():
    bank = lowpass_bank(100.0, 200.0, 1000.0, 4)
    t = np.arange(bank.shape[1])
    tone = np.exp(2j * np.pi * 0.05 * t)
    phase = np.unwrap(np.angle(bank @ tone))
    np.testing.assert_allclose(np.diff(phase), 2 * np.pi * 0.05 / 4, rtol=1e-3)


def test_decimator_is_the_plain_sum_wherever_it_starts():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(600).astype(np.float32)
    bank = lowpass_bank(100.0, 156.0, 1000.0)
    expected = naive.decimate(x.astype(np.float64), bank[0].astype(np.float64), 4)
    out = np.empty(20, np.float32)
    run(x, 0, 0, 20, 1, 4, bank, out)
    np.testing.assert_allclose(out, expected[:20], atol=1e-5)
    late = np.empty(10, np.float32)
    run(x[33:], 33, 10, 10, 1, 4, bank, late)
    np.testing.assert_array_equal(late, out[10:])


def test_rational_decimation_keeps_a_tone():
    rate, up, down = 6400.0, 2, 5
    bank = lowpass_bank(1000.0, 1560.0, rate, up)
    t = np.arange(1200) / rate
    x = np.cos(2 * np.pi * 300 * t).astype(np.float32)
    out = np.empty(400, np.float32)
    run(x, 0, 0, 400, up, down, bank, out)
    taps = tap_count(1000.0, 1560.0, rate)
    at = np.arange(400) / (rate * up / down) + (taps / 2 - 1) / rate
    np.testing.assert_allclose(out, np.cos(2 * np.pi * 300 * at), atol=1e-3)


def test_band_gain_is_flat_inside_and_short_in_time():
    n, support = 1024, 128
    first, gains = band_gain(100.0, 200.0, n, support)
    inside = gains[118 - first : 182 - first]  # the slopes are 16 bins wide
    assert inside.min() > 0.99
    assert inside.max() < 1.01
    assert max(gains[0], gains[-1]) < 0.02
    full = np.zeros(n)
    full[first : first + len(gains)] = gains
    h = np.abs(np.fft.ifft(full))
    assert h[support // 2 + 1 : -(support // 2)].max() < 3e-3 * h.max()


def test_logarithm():
    x = np.geomspace(1e-30, 1e30, 2000).astype(np.float32)
    out = np.empty_like(x)
    levels(x, out)
    np.testing.assert_allclose(out, np.log(x.astype(np.float64)), rtol=3e-7, atol=2e-6)
    assert pytest.approx(10 / np.log(10)) == DB
