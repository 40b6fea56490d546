"""Every column of the feature table against its slow twin, on windows of every kind."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numba import config
from scipy.signal import hilbert

from tests import naive
from tests.vibro.features.agreement import allowed, amplitudes, assert_agree
from tests.vibro.features.signals import windows
from vibro.dsp.design import band_gain
from vibro.features.fast import fast_kit, fast_window
from vibro.features.long import lines_of, long_kit, long_window
from vibro.features.recording import analyse_recording
from vibro.features.setup import ChannelSetup, LineOrders
from vibro.features.spans import envelope_support, spans_of
from vibro.features.table import FAST, FAST_NAMES, LONG, LONG_NAMES
from vibro.files import read_manifest, read_recording

SPANS = spans_of(25600.0, [ChannelSetup()])
RATES = (1000.0, 25600.0) if config.DISABLE_JIT else (1000.0, 12000.0, 25600.0, 48828.0)
SPEEDS = (1796.0, 590.0, 3600.0)
LINES = LineOrders(1.0, 3.5848, 5.4152, 4.7135, 0.3983, 17.0, (1.0, 0.41), 7.0)
KINDS = tuple(windows(128, 1000.0))
LONG_SPANS = spans_of(25600.0, [ChannelSetup()], long_window=1024 if config.DISABLE_JIT else 4096)
LONG_KIT = long_kit(LONG_SPANS)
LONGEST = 6000 if config.DISABLE_JIT else 10**7
"""Samples of a real recording that are looked at."""


@functools.cache
def edge_kit(spans):
    """Kit, first bin and gains of the fast path."""
    n, (low, high) = spans.fast_window, ChannelSetup().band(spans.rate_hz)
    scale = n / spans.rate_hz
    first, gains = band_gain(low * scale, high * scale, n, envelope_support(n))
    return fast_kit(spans), first, gains * np.float32(2 / n)


def fast_columns(x, spans):
    """Columns of one fast window by the kernel."""
    got = np.full(len(FAST), np.nan, np.float32)
    tile = np.empty(spans.envelope_points // 2, np.float32)
    fast_window(x, *edge_kit(spans), got, tile)
    return got


def fast_twin(spans):
    rate = spans.rate_hz
    return lambda x: naive.fast_features(x, rate, ChannelSetup().band(rate), spans.envelope_points)


def long_columns(x, envelope, rpm, lines=LINES):
    """Columns of one long window by the kernel."""
    got = np.full(len(LONG), np.nan, np.float32)
    long_window(x, envelope, rpm, lines_of(lines), LONG_KIT, got)
    return got


def long_twin(spans, rpm, lines=LINES, envelope_hz=math.inf):
    rate, top = spans.long_rate_hz, spans.pass_hz
    return lambda x, e: naive.long_features(x, e, rate, top, rpm, lines, envelope_hz)


def envelope_of(x):
    """Squared envelope of the whole range of a window."""
    return (np.abs(hilbert(x - x.mean())) ** 2).astype(np.float32)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", KINDS)
def test_fast_columns_are_those_of_the_slow_twin(kind, rate):
    spans = spans_of(rate, [ChannelSetup()])
    x = windows(spans.fast_window, rate)[kind]
    assert_agree(FAST, fast_columns(x, spans), fast_twin(spans), x)


@pytest.mark.parametrize("rpm", SPEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_long_columns_are_those_of_the_slow_twin(kind, rpm):
    x = windows(LONG_SPANS.long_window, LONG_SPANS.long_rate_hz)[kind]
    envelope = envelope_of(x)
    got = long_columns(x, envelope, rpm)
    assert_agree(LONG, got, long_twin(LONG_SPANS, rpm), x, envelope)


@pytest.mark.parametrize(
    ("shaft", "gear_shafts"), [(1.0, (1.0, 0.41)), (1.0, ()), (math.nan, (1.0,)), (1e3, (1.0,))]
)
def test_a_shafts_line_may_lie_below_its_decoys(shaft, gear_shafts):
    """Also where a shaft is unknown or beyond the band: it has no line, not one of 0 dB."""
    lines, at = replace(LINES, shaft=shaft, gear_shafts=gear_shafts), LONG_NAMES.index("ses_shaft")
    below = 0
    for seed in range(6):
        x = windows(LONG_SPANS.long_window, LONG_SPANS.long_rate_hz, seed)["random"]
        envelope = envelope_of(x)
        want = long_twin(LONG_SPANS, 3600.0, lines)(x, envelope)[at]
        assert long_columns(x, envelope, 3600.0, lines)[at] == pytest.approx(want, abs=1e-3)
        below += want < -0.2
    assert below >= 1


def test_every_column_varies_between_windows_far_more_than_what_is_allowed():
    """A column that is 0 or the same in every window would agree with anything."""
    made = windows(SPANS.fast_window, SPANS.rate_hz).values()
    fast, long = [fast_columns(x, SPANS) for x in made], []
    for x in windows(LONG_SPANS.long_window, LONG_SPANS.long_rate_hz).values():
        long += [long_columns(x, envelope_of(x), rpm) for rpm in SPEEDS]
    for columns, rows in ((FAST, fast), (LONG, long)):
        slack = np.median([allowed(columns, row) for row in rows], axis=0)
        for i, column in enumerate(columns):
            values = amplitudes(column, [row[i] for row in rows])
            assert np.count_nonzero(values) >= 3, column.name
            assert np.ptp(values) > 100 * slack[i], column.name
            assert len(np.unique(values)) >= 5, column.name


def test_the_slow_twin_uses_nothing_of_vibro():
    code = "import sys, tests.naive; sys.exit(any(m.startswith('vibro') for m in sys.modules))"
    root = Path(naive.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


@pytest.mark.parametrize("column", [*FAST_NAMES, *LONG_NAMES])
def test_a_wrong_column_is_noticed(column):
    """One part in a thousand and a hundredth of a decibel are seen in every column."""
    if column in FAST_NAMES:
        columns, at = FAST, FAST_NAMES.index(column)
        x = (windows(SPANS.fast_window, SPANS.rate_hz)["counts"],)
        twin, got = fast_twin(SPANS), fast_columns(*x, SPANS)
    else:
        columns, at = LONG, LONG_NAMES.index(column)
        signal = windows(LONG_SPANS.long_window, LONG_SPANS.long_rate_hz)["impulsive"]
        x = (signal, envelope_of(signal))
        twin, got = long_twin(LONG_SPANS, 590.0), long_columns(*x, 590.0)
    assert_agree(columns, got, twin, *x)
    near_zero = 1e-3 if column in {"mean", "skewness", "repeat_share"} else 1e-5
    in_decibels = columns[at].unit.startswith("dB")
    got[at] += 0.01 if in_decibels else 1e-3 * abs(got[at]) + near_zero
    with pytest.raises(AssertionError, match=column):
        assert_agree(columns, got, twin, *x)


def group(data_dir, name, rate, label):
    """Samples of a set's recordings of one label, joined until there are two long windows."""
    parts = []
    for entry in read_manifest(data_dir):
        if (entry.set, entry.rate_hz, entry.label) == (name, rate, label) and entry.path.is_file():
            got = read_recording(entry.path, rate_hz=rate, units="g", delimiter=entry.delimiter)
            parts.append(got.samples[:2])
            if sum(p.shape[1] for p in parts) > 7 * rate:
                break
    if not parts:
        pytest.skip(f"no {label} recordings of {name} at {rate:g} Hz")
    return np.concatenate(parts, axis=1)[:, : min(LONGEST, int(7 * rate))]


def slow_chain(x, band_hz, s):
    """Decimated signal and envelope of a channel by the slow twin."""
    chain = naive.Chain(
        *(s.rate_hz, s.fast_window, s.envelope_points, s.decimation),
        *(s.pass_hz, s.envelope_up, s.envelope_down),
    )
    return naive.long_inputs(x, band_hz, chain)


@pytest.mark.parametrize(
    ("name", "rate", "label"),
    [
        *(("cwru", 48000.0, "normal"), ("cwru", 12000.0, "fault"), ("mfpt", 48828.0, "fault")),
        *(("ims", 20480.0, "normal"), ("ims", 20480.0, "fault"), ("ims", 20480.0, "post_shutdown")),
        *(("femto", 25600.0, "run_to_failure"), ("pump_motor_45kw", 1000.0, "fault")),
        *(("ceiling_fan", 200.0, "normal"), ("ceiling_fan", 200.0, "fault")),
    ],
)
def test_real_recordings_have_the_columns_of_the_slow_twin(data_dir, name, rate, label):
    """From raw samples to both paths: filters, envelope, decimation and features."""
    x, setup = group(data_dir, name, rate, label), ChannelSetup(lines=LINES)
    made = analyse_recording(x, rate, SPEEDS[0], [setup] * len(x))
    s, band = made.spans, setup.band(rate)
    twin = long_twin(s, SPEEDS[0], LINES, naive.envelope_top(*band, rate, s.fast_window))
    assert len(made.long)
    for c, samples in enumerate(x):
        for first, got in zip(made.batch.fast_first, made.fast[:, c], strict=True):
            assert_agree(FAST, got, fast_twin(s), samples[first : first + s.fast_window])
        signal, envelope = slow_chain(samples, band, s)
        for v, got in enumerate(made.long[:, c]):
            piece = slice(v * s.long_hop, v * s.long_hop + s.long_window)
            assert_agree(LONG, got, twin, signal[piece], envelope[piece])
