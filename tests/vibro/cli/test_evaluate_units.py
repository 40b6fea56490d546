"""How `vibro evaluate` cuts recordings: windows as long as the material allows, none for show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.cli.evaluate.reading import Material
from vibro.cli.evaluate.units import LEAST_RATIO, LEAST_ROWS, ROWS, choose_cut
from vibro.features.setup import ChannelSetup
from vibro.features.spans import spans_of
from vibro.features.stream import MachineFeatures

SETUPS = (ChannelSetup(),)


def material(rate_hz: float) -> Material:
    return Material([], [], SETUPS, rate_hz, [])


def test_long_recordings_are_cut_as_a_stream_would_be():
    cut = choose_cut(material(25_600.0), [25_600 * 60] * 4, 25_600 * 60)
    standard = spans_of(25_600.0, SETUPS)
    assert cut.has_long
    assert cut.spans == standard


@pytest.mark.parametrize(("rate", "seconds", "pieces"), [(25_600, 0.1, 10), (20_480, 0.5, 1)])
def test_snapshots_have_no_long_windows(rate, seconds, pieces):
    n = int(rate * seconds)
    cut = choose_cut(material(float(rate)), [n] * pieces, n)
    assert not cut.has_long
    assert n * pieces / 64 < cut.spans.fast_window <= n


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([200.0, 1000.0, 12_000.0, 48_000.0]),
    st.integers(100, 400_000),
    st.integers(1, 30),
)
def test_windows_fit_and_give_enough_rows(rate, n, pieces):
    cut = choose_cut(material(rate), [n] * pieces, n)
    if cut is None:
        assert pieces * (n // 32) < LEAST_ROWS + pieces
        return
    spans = cut.spans
    fast = pieces * ((n - spans.fast_window) // spans.fast_hop + 1)
    assert spans.fast_window <= n
    assert fast >= LEAST_ROWS
    if cut.has_long:
        long_s, fast_s = spans.long_window / spans.long_rate_hz, spans.fast_window / rate
        assert long_s >= LEAST_RATIO * fast_s
        assert pieces * ((n - spans.long_window_samples) // spans.long_hop_samples + 1) >= ROWS


def test_what_is_cut_gives_the_rows_that_were_counted():
    cut = choose_cut(material(1000.0), [5000] * 18, 5000)
    x = np.random.default_rng(0).standard_normal((1, 5000)).astype(np.float32)
    batch = MachineFeatures(1000.0, SETUPS, spans=cut.spans).push(x, 1500.0)
    assert cut.has_long
    assert 18 * len(batch.long) >= ROWS
