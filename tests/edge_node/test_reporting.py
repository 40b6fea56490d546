"""What steady health is reduced to, against plain lists."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.reporting.intervals import PathReporter, StatusReporter
from edge_node.reporting.tally import LatencyTally, quantiles_ms
from vibro.features.table import FAST, FAST_NAMES
from vibro.wire.precision import STEPS, round_mantissa

S = 10**9
VALUES = st.floats(-100, 100, width=32) | st.just(math.nan)
WINDOWS = st.lists(
    st.tuples(st.sampled_from(["running", "running", "stopped"]), VALUES, VALUES), max_size=40
)


def rows_of(steps):
    """Windows of two channels with one feature, every 0.4 s."""
    for k, (state, a, b) in enumerate(steps):
        yield 10 * k, k * 4 * S // 10, state, np.array([[a], [b]], np.float32)


def groups(steps, length_s: float) -> list[list]:
    """Runs of windows of one interval and state, as a person would cut them."""
    found: list[list] = []
    for window in rows_of(steps):
        key = (window[1] // round(length_s * S), window[2])
        if not found or found[-1][0] != key:
            found.append([key])
        found[-1].append(window)
    return [g[1:] for g in found]


def all_rows(reporter, windows) -> list:
    rows = [row for w in windows for row in reporter.window(*w)]
    return rows + reporter.close()


@settings(max_examples=60, deadline=None)
@given(WINDOWS)
def test_means_maxima_and_samples_against_plain_lists(steps):
    rows = all_rows(PathReporter("fast", "n", 2 * S, 3 * S), rows_of(steps))
    expected = groups(steps, 2.0)
    for channel in (0, 1):
        means = [r for r in rows if (r.content, r.channel) == ("mean", channel)]
        maxima = [r for r in rows if (r.content, r.channel) == ("max", channel)]
        assert [(r.first_sample, r.t0_ns, r.state) for r in means] == [
            (g[0][0], g[0][1], g[0][2]) for g in expected
        ]
        for mean, most, group in zip(means, maxima, expected, strict=True):
            values = np.array([w[3][channel, 0] for w in group], np.float64)
            # Few windows do not say how much they scatter: eight mantissa bits are kept.
            np.testing.assert_allclose(mean.values, [values.mean()], rtol=2.0**-8, atol=1e-4)
            np.testing.assert_array_equal(most.values, round_mantissa(values.max(keepdims=True)))
        samples = [r for r in rows if (r.content, r.channel) == ("sample", channel)]
        for row, group in zip(samples, groups(steps, 3.0), strict=True):
            (window,) = [w for w in group if w[0] == row.first_sample]
            assert (row.t0_ns, row.state) == window[1:3]
            np.testing.assert_array_equal(row.values, window[3][channel])


@settings(max_examples=60, deadline=None)
@given(WINDOWS, st.integers(0, 40))
def test_reporters_continue_from_their_snapshots(steps, cut):
    windows = list(rows_of(steps))

    def status(reporter, part):
        rows = []
        for first, t0, state, values in part:
            names = "score_fast", "p_fast", "rpm"
            rows += reporter.fast(first, t0, state, True, names, np.stack([values[:, 0]] * 3))
        return rows

    whole, first, second = (PathReporter("fast", "n", 2 * S, 3 * S) for _ in range(3))
    expected = all_rows(whole, windows)
    found = [row for w in windows[:cut] for row in first.window(*w)]
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert repr(found + all_rows(second, windows[cut:])) == repr(expected)
    whole, first, second = (StatusReporter(2, 2 * S) for _ in range(3))
    expected = status(whole, windows) + whole.close()
    found = status(first, windows[:cut])
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert repr(found + status(second, windows[cut:]) + second.close()) == repr(expected)


def test_many_windows_are_told_as_exactly_as_they_scatter():
    """Errors of a day's rows against the exact ones, in standard deviations of the windows."""
    rng = np.random.default_rng(5)
    usual = np.where([f.scale == "log" for f in FAST], 3.0, -20.0)
    windows = usual + rng.uniform(0.01, 0.2, usual.size) * rng.standard_normal((400, 1, usual.size))
    windows[:, :, 9] = 0.25  # constant
    windows = windows.astype(np.float32)
    reporter = PathReporter("fast", "n", 300 * S, 300 * S)
    for k, window in enumerate(windows):
        assert reporter.window(k, k * S // 10, "running", window) == []
    found = {r.content: r for r in reporter.close()}
    spread = windows[:, 0].std(axis=0)
    exact = {
        "mean": windows[:, 0].astype(np.float64).mean(axis=0),
        "max": windows[:, 0].max(axis=0),
        "sample": windows[found["sample"].first_sample, 0],
    }
    for content, row in found.items():
        error = np.abs(row.values - exact[content])
        # Of a feature that spans decades the error is in proportion to its value.
        most = spread * np.maximum(exact[content] / usual, 1.0) / (2 * STEPS[content])
        assert (error <= most * 1.01 + 1e-6).all()
        assert error.max() > 0
        assert row.values[FAST_NAMES.index("repeat_share")] == 0.25


def test_windows_are_sampled_uniformly():
    """Every place in an interval is as likely: training must not see only its beginnings."""
    places = []
    for node_id in range(40):
        reporter = PathReporter("fast", f"node-{node_id}", 10 * S, 10 * S)
        for k in range(1000):
            rows = reporter.window(k, k * S // 10, "running", np.full((1, 1), k, np.float32))
            places += [r.first_sample % 100 for r in rows if r.content == "sample"]
    counts = np.histogram(places, 10, (0, 100))[0]
    assert counts.sum() == 40 * 9
    # Ten bins of 36 expected: chi-squared with 9 degrees of freedom, 33.7 is p = 1e-4.
    assert ((counts - 36.0) ** 2 / 36.0).sum() < 33.7


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(VALUES, st.integers(0, 4), st.booleans()), min_size=1, max_size=20))
def test_a_status_is_mean_worst_and_last(steps):
    reporter = StatusReporter(1, 1000 * S)
    for k, (value, severity, judged) in enumerate(steps):
        names = "score_fast", "p_long", "severity", "rpm"
        facts = np.array([[value], [value], [severity], [value]], np.float32)
        assert reporter.fast(k, k, "running", judged, names, facts) == []
    (row,) = reporter.close()
    values = np.array([s[0] for s in steps], np.float32)
    real = values[~np.isnan(values)]
    near = {"rel": 1e-4, "abs": 1e-4, "nan_ok": True}
    mean = real.astype(float).mean() if real.size else math.nan
    assert row.values["score_fast"] == pytest.approx(mean, **near)
    assert row.values["p_long"] == pytest.approx(real.min() if real.size else math.nan, **near)
    assert row.values["severity"] == max(s[1] for s in steps)
    assert row.values["rpm"] == pytest.approx(values[-1], **near)
    assert row.values["judged_share"] == pytest.approx(np.mean([s[2] for s in steps]))
    assert reporter.close() == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(1e-6, 100.0), min_size=1, max_size=30), min_size=1, max_size=4))
def test_merged_latencies_give_quantiles_within_a_bin(groups_s):
    tallies = []
    for group in groups_s:
        tally = LatencyTally()
        for seconds in group:
            tally.add(seconds)
        tallies.append(json.loads(json.dumps(tally.as_dict())))
    every = np.sort([s for g in groups_s for s in g]) * 1e3
    for level, value in quantiles_ms(tallies, (0.5, 0.99, 1.0)).items():
        true = every[max(0, math.ceil(level * every.size) - 1)]
        assert true * (1 - 1e-9) <= value <= true * 10 ** (1 / 20) * (1 + 1e-9)


def test_latencies_of_nobody():
    assert quantiles_ms([], (0.5,)) == {0.5: None}
    tally = LatencyTally()
    tally.add(0.0, times=3)
    assert tally.as_dict() == {"0": 3}
