"""FFT kernels against numpy in float64, and the laws a transform obeys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from vibro.dsp.fft import GAP, complex_plan, passes, real_plan, rfft_rows, size_of
from vibro.errors import BadInputError
from vibro.jit import njit

REAL = (64, 128, 256, 512) if config.DISABLE_JIT else tuple(2**k for k in range(6, 18))
COMPLEX = (32, 64, 128, 256) if config.DISABLE_JIT else (32, 64, 128, 256, 512, 1024, 2048)
LARGEST_ERROR = 4e-7


def transform(x):
    out = np.full((1, 2, len(x) // 2 + 1), np.nan, np.float32)
    rfft_rows(np.asarray(x, np.float32)[None], real_plan(len(x)), out)
    return out[0, 0] + 1j * out[0, 1]


@njit()
def run_passes(x, plan):
    """Call the complex transform as a kernel does."""
    return passes(x, plan)


def signals(n):
    rng = np.random.default_rng(n)
    t = np.arange(n)
    yield rng.standard_normal(n)
    yield np.sin(2 * np.pi * 5 * t / n) + 1e-3 * np.cos(2 * np.pi * 20.3 * t / n)
    yield (t == n // 3).astype(float)
    yield np.ones(n)
    yield np.clip(3 * rng.standard_normal(n), -1, 1)


@pytest.mark.parametrize("n", REAL)
def test_real_transform_agrees_with_float64(n):
    for x in signals(n):
        expected = np.fft.rfft(np.asarray(x, np.float32).astype(np.float64))
        assert np.abs(transform(x) - expected).max() <= LARGEST_ERROR * np.abs(expected).max()


@pytest.mark.parametrize("n", COMPLEX)
def test_complex_transform_agrees_with_float64(n):
    rng = np.random.default_rng(n)
    x = rng.standard_normal(2 * n).astype(np.float32)
    plan = complex_plan(n)
    z = run_passes(x, plan)
    got = plan.work[z : z + n] + 1j * plan.work[z + n + GAP : z + 2 * n + GAP]
    expected = np.fft.fft(x.view(np.complex64).astype(np.complex128))
    assert np.abs(got - expected).max() <= LARGEST_ERROR * np.abs(expected).max()


@pytest.mark.parametrize("n", [1024, 4096])
def test_a_batch_is_its_rows_bit_for_bit(n):
    rows = np.stack([np.asarray(x, np.float32) for x in signals(n)])
    out = np.full((len(rows), 2, n // 2 + 1), np.nan, np.float32)
    rfft_rows(rows, real_plan(n), out)
    for row, got in zip(rows, out, strict=True):
        np.testing.assert_array_equal(got[0] + 1j * got[1], transform(row))


@pytest.mark.parametrize("n", REAL)
def test_energy_is_kept_at_every_length(n):
    for made in signals(n):
        x = np.asarray(made, np.float32).astype(np.float64)
        bins = np.abs(transform(x).astype(np.complex128)) ** 2
        energy = (2 * bins.sum() - bins[0] - bins[-1]) / n
        assert energy == pytest.approx(np.sum(x**2), rel=1e-6)


@settings(max_examples=10, deadline=None)
@given(shift=st.integers(0, 255), gain=st.floats(-10.0, 10.0))
def test_a_delay_turns_phases_and_sums_add(shift, gain):
    rng, n = np.random.default_rng(shift), 256
    x, y = rng.standard_normal(n), rng.standard_normal(n)
    turn = np.exp(-2j * np.pi * np.arange(n // 2 + 1) * shift / n)
    expected = transform(x) * turn + gain * transform(y)
    got = transform(np.roll(x, shift) + gain * y)
    assert np.abs(got - expected).max() < 3e-6 * np.abs(expected).max()


@settings(max_examples=15, deadline=None)
@given(bin_=st.integers(1, 31), phase=st.floats(0, 6.28), amplitude=st.floats(1e-3, 1e3))
def test_a_tone_is_one_bin(bin_, phase, amplitude):
    t = np.arange(64)
    bins = transform(amplitude * np.cos(2 * np.pi * bin_ * t / 64 + phase))
    assert bins[bin_] == pytest.approx(32 * amplitude * np.exp(1j * phase), rel=1e-5)
    assert np.abs(np.delete(bins, bin_)).max() < 1e-4 * amplitude


def test_input_is_not_changed_and_nan_is_seen():
    x = np.random.default_rng(2).standard_normal(64).astype(np.float32)
    before = x.copy()
    transform(x)
    np.testing.assert_array_equal(x, before)
    x[7] = np.nan
    assert np.isnan(transform(x)).all()


@pytest.mark.parametrize("n", [0, 3, 100, -4])
def test_other_lengths_are_refused(n):
    with pytest.raises(BadInputError, match="power of two"):
        size_of(n)


@pytest.mark.parametrize("n", [16, 131072])
def test_lengths_outside_the_range_are_refused(n):
    with pytest.raises(BadInputError, match="outside"):
        complex_plan(n)
