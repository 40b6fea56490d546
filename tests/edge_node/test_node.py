"""One node from samples to the spool: accounting, intervals, clips and models."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from tests.edge_node.plants import (
    RATE,
    REPORTING,
    SCALE,
    T0,
    ArraySource,
    Now,
    S,
    bundle_of,
    column,
    eventful,
    healthy,
    node_of,
    of,
    records,
    run,
    trained,
)
from tests.vibro.wire.records import assert_same
from vibro import __version__
from vibro.faults import Fault, Severity
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import Clip, Event, FeatureBlock, Health, RecordId

pytestmark = pytest.mark.slow_nojit
NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES}


# -- accounting --------------------------------------------------------------------------------


def test_every_sample_is_seen_and_either_processed_or_lost(story):
    beats = of(Health, story.spool)
    delivered = 2 * eventful()[0].shape[1]
    assert (beats[-1].seen, beats[-1].lost) == (delivered, 0)
    assert beats[-1].raw_bytes == 2 * delivered
    assert all(b.seen == b.processed + b.lost for b in beats)
    assert all(a.seen < b.seen for a, b in pairwise(beats))
    # A fact is told when it changes.
    assert [b.detail["finished"] for b in beats if "finished" in b.detail] == [False, True]
    assert beats[-1].detail["finished"]
    # What the fleet's view needs: how full a spool is, and what runs where.
    assert (beats[0].detail["version"], beats[0].detail["spool_max_bytes"]) == (
        __version__,
        512_000_000,
    )


def test_heartbeats_fill_silences_and_each_has_its_own_id(tmp_path, story):
    patient = dict.fromkeys(("status_s", "summary_s", "sample_s", "commissioning_clip_s"), 600.0)
    node = node_of(tmp_path, ArraySource(healthy(36.0)), trained(), commit_s=0.5, **patient)
    run(node)
    quiet, busy = of(Health, node.spool), of(Health, story.spool)
    assert [b.t0_ns - T0 for b in quiet] == [4 * S * k for k in range(1, 10)]
    # Where anything else is said, that is the sign of life.
    assert len(busy) < len(quiet)
    for beats in (quiet, busy):
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
            assert (r.schema_hash, r.bundle) == (SCHEMA_HASH if r.path else "", "v1")


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
    assert [c.reason for c in clips] == ["commissioning", *5 * ["event"]]
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
    [(18.0, 9, 3), (18.0, 2, 2), (18.0, 0, 0), (30.0, 9, 3), (1000.0, 9, 1)],
)
def test_clips_are_spaced_and_capped(tmp_path, spacing_s, most, expected):
    """Three bursts, 20 s apart; each is an event of its own, and grows."""
    counts = healthy(62.0, 7)
    second = np.arange(counts.shape[1]) // RATE
    counts = np.where((second % 20 >= 10) & (second % 20 < 13), 6 * counts, counts)
    limits = {"clip_spacing_s": spacing_s, "clips_per_day": most}
    node = node_of(tmp_path, ArraySource(counts.astype(np.int16)), trained(), **limits)
    run(node)
    assert len({e.id.thing for e in of(Event, node.spool) if e.channel == "de-h"}) == 3
    times = [c.t0_ns for c in of(Clip, node.spool) if c.reason == "event"]
    assert len(times) == expected
    assert all(b - a >= spacing_s * S / 4 for a, b in pairwise(times))


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


def test_an_event_that_clears_still_says_what_stood_out(story):
    """The last revision wins: it must not tell of the healthy window that closed it."""
    by_thing: dict[str, list[Event]] = {}
    for e in of(Event, story.spool):
        by_thing.setdefault(e.id.thing, []).append(e)
    whole = [
        sorted(known, key=lambda e: e.id.revision)
        for known in by_thing.values()
        if known[0].sensor_fault is None and any(e.t_clear_ns is not None for e in known)
    ]
    assert whole
    for known in whole:
        *before, last = known
        assert last.contributions == before[-1].contributions != ()
