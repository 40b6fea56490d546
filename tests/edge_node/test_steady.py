"""What a node sends of steady health: means, maxima, sampled vectors and status."""

from __future__ import annotations

import numpy as np
import pytest

from tests.edge_node.plants import (
    RATE,
    SCALE,
    T0,
    ArraySource,
    S,
    blocks,
    column,
    eventful,
    healthy,
    node_of,
    of,
    run,
    trained,
)
from vibro.faults import Severity
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.records import Event, FeatureBlock

pytestmark = pytest.mark.slow_nojit
NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES}


@pytest.mark.parametrize("path", ["fast", "long"])
def test_means_and_maxima_are_those_of_the_intervals_windows(tmp_path, path):
    counts = healthy(23.0, seed=3)
    node = node_of(tmp_path, ArraySource(counts))
    run(node)
    batch = MachineFeatures(float(RATE), node._pipeline.judge.setups).push(
        counts.astype(np.float32) * np.float32(SCALE), 1480.0
    )
    firsts, rows = getattr(batch, f"{path}_first"), getattr(batch, path)
    interval = firsts * S // RATE // (5 * S)  # T0 lies on the grid of 5 s
    for k, at in enumerate(np.unique(interval)):
        mine = interval == at
        assert column(node.spool, "mean", path, "first_sample")[k] == firsts[mine][0]
        for i, name in enumerate(NAMES[path]):
            for channel in (0, 1):
                values = rows[mine, channel, i]
                mean = column(node.spool, "mean", path, name, channel)[k]
                # Columns travel rounded to a few bits of mantissa.
                assert mean == pytest.approx(values.mean(), rel=0.01, abs=0.05, nan_ok=True)
                most = column(node.spool, "max", path, name, channel)[k]
                assert most == pytest.approx(values.max(), rel=0.01, abs=0.05, nan_ok=True)
    assert len(column(node.spool, "mean", path, "t0_ns")) == interval.max() + 1


@pytest.mark.parametrize("path", ["fast", "long"])
def test_sampled_vectors_are_windows_at_full_precision_one_an_interval(tmp_path, path):
    counts = healthy(20.0, seed=4)
    node = node_of(tmp_path, ArraySource(counts), sample_s=4.0)
    run(node)
    batch = MachineFeatures(float(RATE), node._pipeline.judge.setups).push(
        counts.astype(np.float32) * np.float32(SCALE), 1480.0
    )
    firsts = getattr(batch, f"{path}_first").tolist()
    sampled = column(node.spool, "sample", path, "first_sample")
    times = column(node.spool, "sample", path, "t0_ns")
    assert (times == T0 + np.round(sampled * 1e9 / RATE)).all()
    intervals = (times - T0) // (4 * S)
    assert (np.diff(intervals) == 1).all()
    for name in NAMES[path]:
        values = column(node.spool, "sample", path, name, 1)
        truth = getattr(batch, path)[[firsts.index(f) for f in sampled], 1]
        np.testing.assert_array_equal(values, truth[:, NAMES[path].index(name)])


def test_status_is_score_severity_and_speed_once_an_interval(story):
    times = column(story.spool, "status", "", "t0_ns") - T0
    states = [
        b.states[s]
        for b in blocks(story.spool, "status")
        for s, c in zip(b.columns["state"], b.columns["channel"], strict=True)
        if c == 0
    ]
    starts = np.flatnonzero(np.array(states[1:]) != np.array(states[:-1])) + 1
    assert (np.diff(times) <= 2 * S + S // 10).all()
    # The machine stood still from 21 to 24 s: a change of state closes an interval early.
    assert [round(times[i] / S, 1) for i in starts] == pytest.approx([21.0, 24.0], abs=0.25)
    assert states[starts[0]] == "stopped"
    rpm = column(story.spool, "status", "", "rpm")
    assert rpm[0] == 1480.0
    assert rpm[starts[0]] < 30
    severity = column(story.spool, "status", "", "severity")
    assert severity[0] == Severity.OK
    assert severity[(times > 14 * S) & (times < 19 * S)].min() >= Severity.ALERT
    share = column(story.spool, "status", "", "judged_share")
    started = (times > 23 * S) & (times <= 24 * S)  # windows that the start stands in
    still = np.array(states) == "stopped"
    assert (share[~still & ~started] == 1.0).all()
    assert (share[still] == 0.0).all()
    # The other channel's sensor was flat from 27 to 31 s, and had to settle after it.
    blind = column(story.spool, "status", "", "judged_share", 1)
    assert (blind[(times > 28 * S) & (times < 35 * S)] == 0.0).all()
    assert (blind[times < 20 * S] == 1.0).all()


def test_without_a_model_there_is_no_score_and_it_says_so(tmp_path):
    node = node_of(tmp_path, ArraySource(healthy(9.0)))
    run(node)
    assert np.isnan(column(node.spool, "status", "", "score_fast")).all()
    assert (column(node.spool, "status", "", "judged_share") == 0.0).all()
    assert of(Event, node.spool) == []
    assert {b.bundle for b in of(FeatureBlock, node.spool)} == {""}


def test_a_stopped_machine_sends_no_features(tmp_path):
    node = node_of(tmp_path, ArraySource(healthy(9.0), np.zeros(9 * RATE)), trained())
    run(node)
    assert {b.content for b in of(FeatureBlock, node.spool)} == {"status"}
    assert of(Event, node.spool) == []


def test_without_a_speed_quiet_means_stopped(tmp_path):
    counts = healthy(8.0)
    counts[:, 4 * RATE :] = 0
    node = node_of(tmp_path, ArraySource(counts, np.full(8 * RATE, np.nan)))
    run(node)
    states = [b.states[s] for b in blocks(node.spool, "status") for s in b.columns["state"]]
    assert states == ["running"] * 4 + ["stopped"] * (len(states) - 4)
    assert len(states) > 6


def test_chunks_of_any_length_give_the_same_records(tmp_path, story):
    """Only where commits fall may differ: rows are compared, not blocks."""
    for block_s in (0.1, 1.1):
        folder = tmp_path / str(block_s)
        counts, _ = eventful()
        whole = node_of(folder / "a", ArraySource(counts), trained())
        other = node_of(folder / "b", ArraySource(counts, block_s=block_s), trained())
        run(whole)
        run(other)
        for content, path, name in (
            ("mean", "fast", "rms"),
            ("sample", "long", "order_1"),
            ("status", "", "score_fast"),
        ):
            np.testing.assert_array_equal(
                column(whole.spool, content, path, name), column(other.spool, content, path, name)
            )
        assert [str(e.id) for e in of(Event, whole.spool)] == [
            str(e.id) for e in of(Event, other.spool)
        ]
