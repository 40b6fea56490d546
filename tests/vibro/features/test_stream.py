"""Streams: any chunking, any start, the whole chain against slow sums, and physics."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from tests import naive
from tests.vibro.features.agreement import assert_agree
from vibro.errors import BadInputError
from vibro.features.setup import ChannelSetup, LineOrders
from vibro.features.spans import envelope_support, spans_of
from vibro.features.stream import FeatureBatch, MachineFeatures
from vibro.features.table import FAST_NAMES, LONG, LONG_NAMES

RATE = 5000.0
SETUPS = (
    ChannelSetup(lines=LineOrders(1.0, 3.5848, 5.4152, 4.7135, 0.3983)),
    ChannelSetup(band_hz=(700.0, 1500.0)),
)
SPANS = spans_of(RATE, SETUPS, fast_window=128, long_window=128)
LENGTH = 1500 if config.DISABLE_JIT else 6000
SIGNAL = np.random.default_rng(5).standard_normal((2, LENGTH)).astype(np.float32)
FIELDS = [f.name for f in dataclasses.fields(FeatureBatch)]


def rpm_at(sample):
    """Speed in steps of 100 samples: pushes must be cut there to mean the same."""
    return 1500.0 + sample // 100


def run(cuts, start=0, signal=SIGNAL, rpm=None):
    machine = MachineFeatures(RATE, SETUPS, start, spans=SPANS)
    parts = []
    stops = sorted({*cuts, *(range(0, signal.shape[1], 100) if rpm is None else ())})
    stops = [s for s in stops if start < s < signal.shape[1]] + [signal.shape[1]]
    at = start
    for stop in stops:
        parts.append(machine.push(signal[:, at:stop], rpm_at(at) if rpm is None else rpm))
        at = stop
    assert machine.next_sample == signal.shape[1]
    return {name: np.concatenate([getattr(p, name) for p in parts]) for name in FIELDS}


WHOLE = run([])


@settings(max_examples=4 if config.DISABLE_JIT else 30, deadline=None)
@given(cuts=st.lists(st.integers(0, LENGTH), max_size=40))
def test_chunking_changes_nothing(cuts):
    parts = run(cuts)
    for name in FIELDS:
        np.testing.assert_array_equal(parts[name], WHOLE[name])


THREE = (*SETUPS, ChannelSetup(lines=LineOrders(0.41, blade_pass=7.0)))
ODD_SPANS = {
    rate: spans_of(rate, THREE, fast_window=128, long_window=128)
    for rate in (3200.0, 12000.0, 25600.0, 48828.0)
}
LONGER = np.random.default_rng(8).standard_normal((3, 7000)).astype(np.float32)
LONGER[1, 900:905] = np.nan


def pushed(rate, cuts):
    """Everything that a machine of three channels says of pieces between ``cuts``."""
    spans, machine = ODD_SPANS[rate], MachineFeatures(rate, THREE, spans=ODD_SPANS[rate])
    length = max(1500, spans.long_window_samples) if config.DISABLE_JIT else 7000
    edges = [0, *sorted(c for c in cuts if 0 < c < length), length]
    parts = [machine.push(LONGER[:, a:b], 1500.0) for a, b in pairwise(edges)]
    return {name: np.concatenate([getattr(p, name) for p in parts]) for name in FIELDS}


@functools.cache
def in_one_piece(rate):
    return pushed(rate, [])


@pytest.mark.parametrize("rate", ODD_SPANS)
@settings(max_examples=2 if config.DISABLE_JIT else 15, deadline=None)
@given(cuts=st.lists(st.integers(0, 7000), max_size=60))
def test_chunking_changes_nothing_at_any_ratio_of_rates(rate, cuts):
    """No decimation, by whole numbers, of 2 and of 4 phases; three channels, one with gaps."""
    parts, whole = pushed(rate, cuts), in_one_piece(rate)
    assert len(whole["fast"])
    assert len(whole["long"])
    for name in FIELDS:
        np.testing.assert_array_equal(parts[name], whole[name])


def test_a_channel_is_the_same_in_any_company():
    """Channels share the scratch memory of a machine and nothing else."""
    rate = 12000.0
    together = in_one_piece(rate)
    for c, setup in enumerate(THREE):
        machine = MachineFeatures(rate, [setup], spans=ODD_SPANS[rate])
        length = 1500 if config.DISABLE_JIT else 7000
        alone = machine.push(LONGER[c : c + 1, :length], 1500.0)
        for name in ("fast", "long", "reflex"):
            np.testing.assert_array_equal(getattr(alone, name)[:, 0], together[name][:, c])


@settings(max_examples=4 if config.DISABLE_JIT else 30, deadline=None)
@given(start=st.integers(1, LENGTH // 2))
def test_a_later_start_gives_the_same_windows(start):
    late = run([], start)
    for path in ("fast", "long", "reflex"):
        first = late[f"{path}_first"]
        keep = WHOLE[f"{path}_first"] >= (first[0] if len(first) else LENGTH)
        for name in (f"{path}_first", path, f"{path}_rpm"):
            if name in WHOLE:
                np.testing.assert_array_equal(late[name], WHOLE[name][keep])
    assert len(late["fast_first"])
    assert late["fast_first"][0] - start < SPANS.fast_hop
    assert late["reflex_first"][0] - start < 2 * SPANS.reflex_block


def test_replaying_the_memory_repeats_the_rest():
    stop = LENGTH - 200
    late = run([], stop - SPANS.memory_samples)
    for path, need in (("fast", SPANS.fast_window), ("long", SPANS.long_window_samples)):
        new = WHOLE[f"{path}_first"] + need > stop
        again = late[f"{path}_first"] + need > stop
        np.testing.assert_array_equal(late[path][again], WHOLE[path][new])


def test_windows_stand_on_the_grid_and_are_finite():
    assert (WHOLE["fast_first"] == np.arange(len(WHOLE["fast_first"])) * SPANS.fast_hop).all()
    assert (
        WHOLE["long_first"] == np.arange(len(WHOLE["long_first"])) * SPANS.long_hop_samples
    ).all()
    assert (WHOLE["reflex_first"] % SPANS.reflex_block == 0).all()
    assert len(WHOLE["fast"]) == (LENGTH - SPANS.fast_window) // SPANS.fast_hop + 1
    assert len(WHOLE["long"]) == (LENGTH - SPANS.long_window_samples) // SPANS.long_hop_samples + 1
    for name in ("fast", "long", "reflex"):
        assert np.isfinite(WHOLE[name]).all()
    assert WHOLE["fast"].shape[1:] == (2, len(FAST_NAMES))
    assert WHOLE["long"].shape[1:] == (2, len(LONG_NAMES))


def test_speed_of_a_window_is_its_mean():
    for path, span in (("fast", SPANS.fast_window), ("long", 128 * SPANS.decimation)):
        for first, rpm in zip(WHOLE[f"{path}_first"], WHOLE[f"{path}_rpm"], strict=True):
            mean = np.mean([rpm_at(s) for s in range(first, first + span)])
            assert rpm == pytest.approx(mean, rel=1e-12)


def test_unknown_speed_is_left_out_of_the_mean():
    machine = MachineFeatures(RATE, SETUPS, spans=SPANS)
    first = machine.push(SIGNAL[:, :50], math.nan)
    second = machine.push(SIGNAL[:, 50:200], 1500.0)
    assert len(first.fast_rpm) == 0
    assert second.fast_rpm.tolist() == [1500.0, 1500.0]
    assert np.isnan(
        MachineFeatures(RATE, SETUPS, spans=SPANS).push(SIGNAL, math.nan).long_rpm
    ).all()


def test_reflex_blocks():
    block = SPANS.reflex_block
    blocks = SIGNAL[:, : LENGTH // block * block].reshape(2, -1, block).astype(np.float64)
    rms = np.sqrt(np.mean(blocks**2, axis=2)).T
    slope = np.diff(rms, axis=0, prepend=rms[:1]) / (block / RATE)
    expected = np.stack([np.abs(blocks).max(axis=2).T, rms, slope], axis=2)
    np.testing.assert_allclose(WHOLE["reflex"], expected, rtol=1e-4, atol=1e-3)


def test_the_whole_chain_against_slow_sums():
    """Long features of decimated signal and envelope, from all tiles at once."""
    chain = naive.Chain(
        *(RATE, SPANS.fast_window, SPANS.envelope_points, SPANS.decimation),
        *(SPANS.pass_hz, SPANS.envelope_up, SPANS.envelope_down),
    )
    for c, setup in enumerate(SETUPS):
        signal, envelope = naive.long_inputs(SIGNAL[c], setup.band(RATE), chain)
        for v, rpm in enumerate(WHOLE["long_rpm"]):
            piece = slice(v * SPANS.long_hop, v * SPANS.long_hop + SPANS.long_window)
            facts = SPANS.long_rate_hz, SPANS.pass_hz, rpm, setup.lines
            got, inputs = WHOLE["long"][v, c], (signal[piece], envelope[piece])
            assert_agree(LONG, got, lambda x, e, f=facts: naive.long_features(x, e, *f), *inputs)


def test_tiles_of_the_squared_envelope_are_those_of_one_convolution():
    """They abut: what is 60 dB down at a window's ends is all that tells them from one piece."""
    s, x = SPANS, SIGNAL[0].astype(np.float64)
    chain = naive.Chain(
        *(RATE, s.fast_window, s.envelope_points, s.decimation),
        *(s.pass_hz, s.envelope_up, s.envelope_down),
    )
    band, stop = SETUPS[0].band(RATE), s.long_rate_hz - s.pass_hz
    tiles = naive.long_inputs(x, band, chain)[1]
    plain = naive.linear_envelope(x, *band, RATE, envelope_support(s.fast_window))
    plain = plain[s.fast_window // 4 :: s.fast_window // s.envelope_points]
    ratio = s.envelope_up, s.envelope_down
    plain = naive.resample(plain, s.pass_hz, stop, s.envelope_rate_hz, *ratio)[: len(tiles)]
    assert len(plain) == len(tiles) > 500
    np.testing.assert_allclose(tiles, plain, atol=5e-3 * plain.max())
    assert np.corrcoef(tiles, plain)[0, 1] > 0.99999


def test_what_is_not_finite_counts_as_zero():
    broken = SIGNAL.copy()
    broken[0, 300:310] = np.nan
    broken[1, 400] = np.inf
    zeroed = np.nan_to_num(broken, nan=0.0, posinf=0.0)
    got, want = run([], signal=broken), run([], signal=zeroed)
    for name in ("fast", "long", "reflex"):
        np.testing.assert_array_equal(got[name], want[name])


def test_wrong_input_is_refused():
    with pytest.raises(BadInputError, match="at least one channel"):
        MachineFeatures(RATE, [])
    machine = MachineFeatures(RATE, SETUPS, spans=SPANS)
    with pytest.raises(BadInputError, match="2 channels"):
        machine.push(SIGNAL[:1], 1500.0)
    with pytest.raises(BadInputError, match="2 channels"):
        machine.push(SIGNAL[0], 1500.0)


def impacts(rate, seconds, orders, rpm, resonance_hz, noise=0.3):
    """Impulse train at an order of the shaft, each impact ringing a resonance."""
    n = int(rate * seconds)
    x = noise * np.random.default_rng(1).standard_normal(n)
    t = np.arange(int(0.01 * rate)) / rate
    ring = np.exp(-1000 * t) * np.sin(2 * np.pi * resonance_hz * t)
    for k in range(int(seconds * orders * rpm / 60) - 2):
        at = int(k / (orders * rpm / 60) * rate)
        x[at : at + len(ring)] += 2 * ring
    return x.astype(np.float32)[None]


@pytest.mark.slow_nojit
@pytest.mark.parametrize("rate", [12000.0, 25600.0])
def test_an_outer_race_fault_is_seen_as_one(rate):
    lines = LineOrders(1.0, 3.5848, 5.4152, 4.7135, 0.3983)
    x = impacts(rate, 5.0, 3.5848 * 1.006, 1796.0, 0.28 * rate)
    batch = MachineFeatures(rate, [ChannelSetup(lines=lines)]).push(x, 1796.0)
    got = dict(zip(LONG_NAMES, batch.long[0, 0].tolist(), strict=True))
    assert got["ses_bpfo"] > 10
    # Twice BPFI is within 2 % of three times BPFO: one harmonic of three may coincide.
    assert got["ses_bpfo"] > max(got["ses_bpfi"], got["ses_2bsf"], got["ses_ftf"]) + 5


@pytest.mark.parametrize(
    ("rate", "band"), [(200.0, (0.0, 0.0)), (1000.0, (0.0, 0.0)), (5000.0, (1000.0, 1040.0))]
)
def test_an_envelope_has_no_lines_beyond_the_width_of_its_band(rate, band):
    """Two lines of a band beat at its width at most; beyond it there is rounding, not a line."""
    setup, rpm = ChannelSetup(band_hz=band), 60.0  # an order is 1 Hz
    s = spans_of(rate, [setup], fast_window=128, long_window=256)
    top = naive.envelope_top(*setup.band(rate), rate, s.fast_window)
    assert top < 0.9 * s.pass_hz
    x = np.random.default_rng(6).standard_normal((1, s.long_window_samples)).astype(np.float32)

    def lines(bpfo, bpfi):
        known = replace(setup, lines=LineOrders(bpfo=bpfo, bpfi=bpfi))
        (row,) = MachineFeatures(rate, [known], spans=s).push(x, rpm).long[:, 0]
        return dict(zip(LONG_NAMES, row.tolist(), strict=True))

    # The decoys of a line reach 1.2 times as far, with 2 % of slip.
    beyond = lines(0.83 * top, 0.9 * s.pass_hz / 1.224)
    assert beyond["ses_bpfo"] == beyond["ses_bpfi"] == 0.0
    assert lines(0.75 * top, 0.4 * top)["ses_bpfo"] != 0.0
