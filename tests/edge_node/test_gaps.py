"""Samples that never came, and epochs that follow one another on one spool."""

from __future__ import annotations

import pytest

from edge_node.sources.port import Gap
from tests.edge_node.plants import (
    RATE,
    T0,
    ArraySource,
    S,
    eventful,
    node_of,
    records,
    run,
    trained,
)
from tests.edge_node.plants import spool_of as spool_in
from vibro.records import Clip, Event, FeatureBlock, Health

pytestmark = pytest.mark.slow_nojit
COUNTS, RPM = eventful()


class Torn(ArraySource):
    """Loses what lies between two samples, and says so; it may go on in another epoch."""

    def __init__(self, first: int, end: int, *, epoch: int = 0, t0_ns: int = T0, block_s=0.5):
        super().__init__(COUNTS, RPM, block_s=block_s, epoch=epoch, t0_ns=t0_ns)
        self._first, self._end = first, end

    @property
    def continues(self) -> bool:
        return True

    def read(self):
        if self._first <= self._next < self._end:
            missing = self._end - self._next
            gap = Gap(self._next, missing, self.time_of(self._next), "cable came loose")
            self._next = self._end
            return gap
        return super().read()


def of(kind, spool) -> list:
    return [r for r in records(spool) if isinstance(r, kind)]


def newest(spool) -> dict:
    return {e.id.thing: e for e in sorted(of(Event, spool), key=lambda e: e.id.revision)}


def test_what_was_lost_is_counted_and_said(tmp_path):
    node = node_of(tmp_path, Torn(6 * RATE, 8 * RATE), trained())
    run(node)
    gaps = [h for h in of(Health, node.spool) if h.content == "gap"]
    assert [(g.t0_ns, g.detail["samples"], g.detail["reason"]) for g in gaps] == [
        (T0 + 6 * S, 2 * 2 * RATE, "cable came loose")
    ]
    assert gaps[0].detail["until_ns"] == T0 + 8 * S
    last = of(Health, node.spool)[-1]
    assert (last.seen, last.lost) == (COUNTS.size, 2 * 2 * RATE)
    assert last.seen == last.processed + last.lost


@pytest.mark.parametrize("block_s", [0.02, 0.5])
def test_no_window_and_no_clip_spans_a_gap(tmp_path, block_s):
    first, end = 6 * RATE + 300, 8 * RATE + 77
    node = node_of(tmp_path, Torn(first // 640 * 640, end, block_s=block_s), trained())
    first = first // 640 * 640
    run(node)
    sampled = [b for b in of(FeatureBlock, node.spool) if b.content == "sample"]
    spans = {"fast": node._pipeline.spans.fast_window, "long": 4096}
    for block in sampled:
        starts = block.columns["first_sample"]
        outside = (starts + spans[block.path] <= first) | (starts >= end)
        assert outside.all()
    assert {b.path for b in sampled} == {"fast", "long"}
    for clip in of(Clip, node.spool):
        begin = round((clip.t0_ns - T0) * RATE / S)
        assert begin + clip.samples.shape[1] <= first or begin >= end


def test_what_a_gap_cuts_short_is_kept_as_far_as_it_goes(tmp_path):
    node = node_of(tmp_path, Torn(4 * RATE, 5 * RATE), trained())
    run(node)
    clip = of(Clip, node.spool)[0]
    assert clip.reason == "commissioning"
    assert clip.samples.shape[1] == RATE
    assert (clip.samples == COUNTS[:, 3 * RATE : 4 * RATE]).all()


def test_an_epoch_that_is_over_leaves_no_event_open(tmp_path):
    """It ends while de-h is rough; nothing will ever clear that event but the end itself."""
    source = Torn(len(RPM), len(RPM))
    node = node_of(tmp_path, source, trained())
    while source.next_sample < 17 * RATE:
        node.step()
    node.finish(closing=True)
    events = newest(node.spool)
    assert events
    assert all(e.t_clear_ns is not None for e in events.values())
    before = len(records(node.spool))
    node.finish(closing=True)
    assert len(of(Event, node.spool)) == len(
        [r for r in records(node.spool)[:before] if isinstance(r, Event)]
    )


def test_the_next_epoch_starts_its_counts_afresh_and_keeps_the_order(tmp_path):
    source = Torn(len(RPM), len(RPM))
    node = node_of(tmp_path, source, trained())
    while source.next_sample < 17 * RATE:
        node.step()
    node.finish(closing=True)
    node.spool.close()
    later = T0 + 3600 * S
    again = node_of(tmp_path, Torn(len(RPM), len(RPM), epoch=later, t0_ns=later), trained())
    run(again)
    beats = [h for h in of(Health, again.spool) if h.content == "heartbeat"]
    new = [h for h in beats if h.id.stream_epoch == later]
    assert new[-1].seen == new[-1].processed == COUNTS.size
    assert max(h.seen for h in beats if h.id.stream_epoch == 0) == 2 * 17 * RATE
    for kind in (Event, Health, FeatureBlock, Clip):
        found = of(kind, again.spool)
        for lane in {r.origin.lane for r in found}:
            sequences = [r.origin.sequence for r in found if r.origin.lane == lane]
            assert sequences == list(range(len(sequences)))
    # One commissioning clip for the machine, not one for each start of its node.
    clips = of(Clip, again.spool)
    assert [c.reason for c in clips].count("commissioning") == 1
    ids = [r.id for r in records(again.spool) if hasattr(r, "id")]
    assert len(ids) == len(set(ids))


def test_a_live_stream_is_dated_anew_as_its_clock_drifts(tmp_path):
    class Slow(ArraySource):
        """Its converter is 200 ppm slow against the time of day."""

        def time_of(self, sample):
            return T0 + round(sample * (1 + 2e-4) * 1e9 / RATE)

    node = node_of(tmp_path, Slow(COUNTS, RPM))
    run(node)
    last = of(Health, node.spool)[-1]
    assert last.t0_ns == pytest.approx(T0 + 36 * S * (1 + 2e-4), abs=S * 2e-4)
    assert spool_in(tmp_path).checkpoint() is not None
