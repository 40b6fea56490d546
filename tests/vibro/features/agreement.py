"""How far a float32 kernel may be from the same formula in float64, column by column.

What is summed in float32 over some thousand terms is right to 1e-4 of itself (measured: 5e-5 in
the worst order of summation, that of the run without JIT; 1e-5 with it). What is read from a
spectrum is, besides, off by the FFT's documented error, 4e-7 of the window's largest line a bin,
1e-6 for the five bins of a line: so amplitudes are compared, not decibels, which make a mountain
of nothing where there is nothing.

A few columns weigh lines by their logarithm or far from where the power is. Where a spectrum has
parts that are empty (a tone without noise, an envelope beyond its band's width) they say what
rounding left there; their twin, told of the same rounding, moves as much.
"""

from __future__ import annotations

import numpy as np

OF_ITSELF = 1e-4
"""Share of the value."""
OF_LARGEST = 1e-6
"""Share of the largest amplitude there is in the window."""
OF_SUM = 1e-5
"""The same for the mean, whose sum passes through values as large as the window's."""
PLAIN = 5e-5
"""Of numbers without a unit, such as a skewness near 0."""
DECIBELS = 1e-3
"""Of ratios in decibels."""
LITTLE_LINES = (
    *("spectral_kurtosis", "spectral_flatness", "envelope_kurtosis", "envelope_crest"),
    *("ses_bpfo", "ses_bpfi", "ses_2bsf", "ses_ftf", "ses_shaft", "ses_peak"),
    *("gear_sidebands", "floor_level"),
)
ROUNDING = 2e-7
"""Measured error of a bin of the FFT over the largest one, its root mean square at most."""


def amplitudes(column, values):
    """Levels as amplitudes, all else as it is."""
    is_level = column.unit.startswith("dB re") and column.name != "floor_level"
    return 10 ** (np.asarray(values, np.float64) / 20) if is_level else np.float64(values)


def allowed(columns, want):
    """Largest difference of every column that is no disagreement, shape as ``want``."""
    values = dict(zip([c.name for c in columns], want, strict=True))
    largest = values["peak" if "peak" in values else "acceleration_rms"]
    found = []
    for column, value in zip(columns, want, strict=True):
        of_unit = PLAIN if column.unit != "dB" else DECIBELS
        if column.name == "mean":
            of_unit = OF_SUM * largest
        elif column.name == "floor_level":  # a mean of logarithms, not the level of a mean
            of_unit = DECIBELS
        elif column.unit.startswith("dB re") or column.unit == "m/s2":
            of_unit = OF_LARGEST * largest
        found.append(OF_ITSELF * abs(amplitudes(column, value)) + of_unit)
    return np.array(found)


def differences(columns, got, want):
    """Difference of every column, levels as amplitudes."""
    pairs = zip(columns, got, want, strict=True)
    return np.array([abs(amplitudes(c, g) - amplitudes(c, w)) for c, g, w in pairs])


def rounded(x, seed):
    """Window whose spectrum is off by what the float32 FFT is off, white."""
    n, x = len(x), np.asarray(x, np.float64)
    line = np.abs(np.fft.rfft(x - x.mean())).max() / np.sqrt(n)
    return x + ROUNDING * line * np.random.default_rng(seed).standard_normal(n)


def assert_agree(columns, got, twin, *windows):
    """Every column is finite and what the twin makes of the windows, within what is allowed."""
    assert np.isfinite(got).all()
    want = twin(*windows)
    wrong = differences(columns, got, want) > allowed(columns, want)
    if any(wrong[i] and c.name in LITTLE_LINES for i, c in enumerate(columns)):
        others = [twin(*(rounded(w, seed) for w in windows)) for seed in range(5)]
        moves = np.max([differences(columns, other, want) for other in others], axis=0)
        moves[[c.name not in LITTLE_LINES for c in columns]] = 0.0
        wrong &= differences(columns, got, want) > allowed(columns, want) + 3.0 * moves
    named = zip(columns, got, want, wrong, strict=True)
    assert not wrong.any(), "; ".join(
        f"{c.name}: {g:.8g}, not {w:.8g}" for c, g, w, x in named if x
    )
