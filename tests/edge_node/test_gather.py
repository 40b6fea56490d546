"""Short blocks are joined to the end of a hop, the same ones after every restart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_node.gather import HopGatherer
from tests.edge_node.plants import ArraySource, column, eventful, node_of, of, run, trained
from vibro.records import Event, SampleBlock

HOP = 12


def cut(sizes, first=0, rpm=None):
    """Neighbouring blocks of the ramp 0, 1, 2 ..."""
    found, at = [], first
    for i, n in enumerate(sizes):
        counts = np.arange(at, at + n, dtype=np.int16)[None]
        found.append(SampleBlock(at, at * 100, counts, 1500.0 if rpm is None else rpm[i]))
        at += n
    return found


def joined(sizes, first=0, rpm=None):
    gatherer = HopGatherer(HOP)
    found = [gatherer.take() for b in cut(sizes, first, rpm) if gatherer.push(b)]
    return [*found, gatherer.take()] if gatherer else found


@given(st.lists(st.integers(1, 30), max_size=30))
def test_no_sample_is_lost_or_doubled_and_each_keeps_its_time(sizes):
    at = 0
    for block in joined(sizes):
        assert (block.first_sample, block.t0_ns) == (at, at * 100)
        np.testing.assert_array_equal(block.counts[0], np.arange(at, at + block.counts.shape[1]))
        at += block.counts.shape[1]
    assert at == sum(sizes)


def test_a_block_is_handed_on_as_soon_as_it_reaches_the_end_of_a_hop():
    gatherer = HopGatherer(HOP)
    given_on = [gatherer.take() if gatherer.push(b) else None for b in cut([4, 4, 4, 5, 8, 30])]
    assert [b and b.counts.shape[1] for b in given_on] == [None, None, 12, None, 13, 30]
    assert not gatherer


@pytest.mark.parametrize("skipped", range(1, 9))
def test_after_a_restart_the_same_blocks_come_together(skipped):
    whole = {b.first_sample: b for b in joined([4] * 30)}
    again = joined([4] * (30 - skipped), 4 * skipped)
    # The first may be the rest of a hop whose beginning was not read.
    for block in again[1:]:
        np.testing.assert_array_equal(block.counts, whole[block.first_sample].counts)


def test_the_speed_is_the_mean_of_what_is_known():
    assert joined([4, 4, 4])[0].rpm == 1500.0
    assert joined([2, 10], rpm=[600.0, 1200.0])[0].rpm == 1100.0
    assert joined([4, 4, 4], rpm=[math.nan, 900.0, 900.0])[0].rpm == 900.0
    assert math.isnan(joined([6, 6], rpm=[math.nan, math.nan])[0].rpm)


@pytest.mark.slow_nojit
def test_a_node_on_short_blocks_decides_as_on_long_ones(tmp_path):
    """A hop is 128 samples here: blocks of 0.02 s are 25.6 samples, those of 0.5 s five hops."""
    counts, _ = eventful()
    spools = []
    for block_s in (0.5, 0.02):
        node = node_of(tmp_path / str(block_s), ArraySource(counts, block_s=block_s), trained())
        run(node)
        spools.append(node.spool)
    events = [[(e.id, e.severity, e.causes, e.t_decided_ns) for e in of(Event, s)] for s in spools]
    assert events[0]
    assert events[0] == events[1]
    for path, name in (("fast", "rms"), ("long", "velocity_rms_mm_s")):
        np.testing.assert_array_equal(*(column(s, "sample", path, name) for s in spools))
    for spool in spools:
        spool.close()
