"""One node from samples to the spool: accounting, intervals, clips and models."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from edge_node.reporting import PathReporter
from tests.edge_node.plants import (
    RATE,
    REPORTING,
    SCALE,
    T0,
    ArraySource,
    Now,
    S,
    bundle_of,
    eventful,
    healthy,
    node_of,
    of,
    records,
    run,
)
from tests.vibro.wire.records import assert_same
from vibro.faults import Fault, Severity
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import Clip, Event, FeatureBlock, Health, RecordId

pytestmark = pytest.mark.slow_nojit
NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES}


@cache
def trained():
    return bundle_of(healthy(40.0, seed=5))


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A node that lived through everything, with its spool."""
    node = node_of(tmp_path_factory.mktemp("story"), ArraySource(*eventful()), trained())
    run(node)
    yield node
    node.spool.close()


def blocks(spool, content: str, path: str = "") -> list[FeatureBlock]:
    return [b for b in of(FeatureBlock, spool) if (b.content, b.path) == (content, path)]


def column(spool, content: str, path: str, name: str, channel: int = 0) -> np.ndarray:
    """A column of one channel over all blocks, in the order they were sent."""
    parts = [b.columns[name][b.columns["channel"] == channel] for b in blocks(spool, content, path)]
    return np.concatenate(parts)


# -- accounting --------------------------------------------------------------------------------


def test_every_sample_is_seen_and_either_processed_or_lost(story):
    beats = of(Health, story.spool)
    delivered = 2 * eventful()[0].shape[1]
    assert (beats[-1].seen, beats[-1].lost) == (delivered, 0)
    assert beats[-1].raw_bytes == 2 * delivered
    assert all(b.seen == b.processed + b.lost for b in beats)
    assert all(a.seen < b.seen for a, b in pairwise(beats))
    assert [b.detail["finished"] for b in beats] == [False] * (len(beats) - 1) + [True]


def test_heartbeats_come_at_their_interval_and_each_has_its_own_id(story):
    beats = of(Health, story.spool)
    assert [b.t0_ns - T0 for b in beats] == [4 * S * k for k in range(1, 10)]
    assert len({str(b.id) for b in beats}) == len(beats)
    assert {b.bundle for b in beats} == {"v1"}


def test_latencies_are_counted_once_a_fast_window(tmp_path):
    ticks = iter(np.arange(1000) * 0.003)
    node = node_of(tmp_path, ArraySource(healthy(4.0)), monotonic=lambda: float(next(ticks)))
    run(node)
    tally = of(Health, node.spool)[-1].detail["latency_us_log20"]
    assert tally == {"69": (4 * RATE - 256) // 128 + 1}  # 10^(69/20) <= 3000 us < 10^(70/20)


def test_no_record_is_there_twice_and_none_is_out_of_its_time(story):
    found = records(story.spool)
    ids = Counter(str(r.id) for r in found if not isinstance(r, FeatureBlock))
    assert set(ids.values()) == {1}
    end = T0 + 36 * S
    for r in found:
        assert r.origin.node == "harbour-motor-1"
        if isinstance(r, FeatureBlock):
            assert r.columns["t0_ns"].min() >= T0
            assert r.columns["t0_ns"].max() < end
            assert (r.schema_hash, r.bundle) == (SCHEMA_HASH, "v1")


# -- steady health -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["fast", "long"])
def test_means_and_maxima_are_those_of_the_intervals_windows(tmp_path, path):
    counts = healthy(23.0, seed=3)
    node = node_of(tmp_path, ArraySource(counts))
    run(node)
    batch = MachineFeatures(float(RATE), node._judge.setups).push(
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
    batch = MachineFeatures(float(RATE), node._judge.setups).push(
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
    assert (column(story.spool, "status", "", "judged_share") == 1.0).all()


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


# -- events and clips --------------------------------------------------------------------------


def test_events_name_their_channel_and_their_reason(story):
    events = of(Event, story.spool)
    rough = [e for e in events if e.channel == "de-h"]
    flat = [e for e in events if e.channel == "de-v"]
    assert T0 + 12 * S <= rough[0].t_onset_ns < T0 + 14 * S
    assert rough[0].severity is Severity.ALERT
    assert rough[0].sensor_fault is None
    assert rough[0].p_value < 1e-8
    assert rough[0].contributions[0][0] in ("rms", "peak")
    assert [e.id.revision for e in rough] == list(range(len(rough)))
    assert rough[-1].t_clear_ns is not None
    assert flat[-1].sensor_fault is Fault.FLATLINE
    assert T0 + 27 * S <= flat[0].t_onset_ns < T0 + 29 * S


def test_clips_hold_all_channels_of_the_instant_they_say(story):
    counts, _ = eventful()
    clips = of(Clip, story.spool)
    assert [c.reason for c in clips] == ["commissioning", "event", "event", "event"]
    for clip in clips:
        first = round((clip.t0_ns - T0) * RATE / 1e9)
        assert clip.id == RecordId("clip", "harbour/motor-1", 0, first)
        assert clip.channels == ("de-h", "de-v")
        assert (clip.samples == counts[:, first : first + 2 * RATE]).all()
        assert clip.samples.dtype == np.int16
        np.testing.assert_allclose(clip.acceleration(), clip.samples * SCALE, rtol=1e-5)


def test_an_events_clip_spans_the_event_and_names_it(story):
    events = {e.id.thing: e for e in of(Event, story.spool) if e.id.revision == 0}
    clips = [c for c in of(Clip, story.spool) if c.reason == "event"]
    first = {}
    for clip in clips:
        first.setdefault(clip.event, clip)
    assert set(first) == set(events)
    for thing, event in events.items():
        clip = first[thing]
        end_ns = clip.t0_ns + 2 * S
        assert clip.t0_ns <= event.t_onset_ns <= event.t_decided_ns <= end_ns
        assert event.t_decided_ns - clip.t0_ns == pytest.approx(0.5 * S, abs=S / RATE)


@pytest.mark.parametrize(
    ("spacing_s", "most", "expected"),
    [(10.0, 9, 3), (10.0, 2, 2), (10.0, 0, 0), (30.0, 9, 2), (1000.0, 9, 1)],
)
def test_clips_are_spaced_and_capped(tmp_path, spacing_s, most, expected):
    """Three bursts, 20 s apart; each is an event of its own."""
    counts = healthy(62.0, 7)
    second = np.arange(counts.shape[1]) // RATE
    counts = np.where((second % 20 >= 10) & (second % 20 < 13), 6 * counts, counts)
    limits = {"clip_spacing_s": spacing_s, "clips_per_day": most}
    node = node_of(tmp_path, ArraySource(counts.astype(np.int16)), trained(), **limits)
    run(node)
    assert len({e.id.thing for e in of(Event, node.spool) if e.channel == "de-h"}) == 3
    times = [c.t0_ns for c in of(Clip, node.spool) if c.reason == "event"]
    assert len(times) == expected
    assert all(b - a >= spacing_s * S for a, b in pairwise(times))


def test_a_stream_that_ends_early_gives_what_there_is_of_its_clips(tmp_path):
    node = node_of(tmp_path, ArraySource(healthy(4.2)))
    run(node)
    (clip,) = of(Clip, node.spool)
    assert clip.samples.shape == (2, round(1.2 * RATE))


# -- models ------------------------------------------------------------------------------------


def test_models_are_swapped_between_windows(tmp_path):
    """Everything before the swap is by the old bundle, everything after by the new one."""
    node = node_of(tmp_path, ArraySource(healthy(20.0)), trained())
    for _ in range(17):
        node.step()
    assert node.bundle_version == "v1"
    node.use(bundle_of(healthy(40.0, 6), "v2"))
    assert node.bundle_version == "v2"
    swapped = len(records(node.spool))
    run(node)
    found = records(node.spool)
    by = [(r.bundle, r.columns["t0_ns"].max()) for r in found if isinstance(r, FeatureBlock)]
    assert {b for b, _ in by} == {"v1", "v2"}
    assert max(t for b, t in by if b == "v1") < T0 + 8.5 * S
    assert swapped < len(found)
    plain = node_of(tmp_path / "plain", ArraySource(healthy(20.0)), trained())
    run(plain)
    np.testing.assert_array_equal(
        column(node.spool, "mean", "fast", "rms"), column(plain.spool, "mean", "fast", "rms")
    )


def test_the_first_bundle_gives_scores_from_then_on(tmp_path):
    node = node_of(tmp_path, ArraySource(healthy(12.0)))
    for _ in range(12):
        node.step()
    node.use(trained())
    run(node)
    share = column(node.spool, "status", "", "judged_share")
    assert (share[0], share[-1]) == (0.0, 1.0)
    assert (np.diff(share) >= 0).all()


# -- waiting -----------------------------------------------------------------------------------


def test_a_node_waits_for_samples_that_have_not_happened(tmp_path):
    pace = Now(T0)
    node = node_of(tmp_path, ArraySource(healthy(6.0), pace=pace))
    assert not node.step()
    node.rest()
    assert records(node.spool) == []
    pace.now_ns = T0 + S
    assert [node.step() for _ in range(3)] == [True, True, False]
    assert not node.finished
    node.rest()
    (beat,) = of(Health, node.spool)
    assert (beat.seen, beat.t0_ns) == (2 * RATE, T0 + S)
    node.rest()
    assert len(of(Health, node.spool)) == 1
    pace.now_ns += 99 * S
    run(node)
    assert node.finished


def test_the_spool_is_committed_at_its_interval(tmp_path):
    node = node_of(tmp_path, ArraySource(healthy(10.0)))
    held = []
    while node.step():
        held.append(node.spool.checkpoint())
    changes = [i for i, (a, b) in enumerate(pairwise([None, *held])) if a != b]
    # Blocks are half a second long, commits come every second and a half.
    assert changes == list(range(2, 20, round(REPORTING["commit_s"] / 0.5)))


def test_the_same_machine_twice_gives_the_same_bytes(tmp_path):
    spools = []
    for name in "ab":
        node = node_of(tmp_path / name, ArraySource(*eventful()), trained())
        run(node)
        spools.append([(r.kind, r.value) for r in node.spool.peek(2**62) if r.kind != "health"])
    assert_same(tuple(spools[0]), tuple(spools[1]))
