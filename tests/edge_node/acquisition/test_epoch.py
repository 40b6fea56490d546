"""The ring between acquisition and processing: everything is there or counted, in order."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.acquisition.epoch import MOST_HOLES, OVERRUN, Epoch, Lead
from edge_node.sources.device import Frames
from edge_node.sources.port import Gap
from tests.edge_node.acquisition.played import (
    BLOCK,
    CHANNELS,
    RATE,
    UTC0,
    S,
    gaps,
    numbered,
    read_up,
    samples,
    tile,
)
from vibro.records import SampleBlock, StreamInfo

INFO = StreamInfo(CHANNELS, RATE, np.ones(2, np.float32), 1, 4)


def epoch_of(capacity: int = 1000, lead: Lead | None = None, *, exact: bool = True) -> Epoch:
    return Epoch(INFO, numbered(0, 1), capacity, BLOCK, 0.5, lead, exact=exact)


class Writer:
    """Pushes numbered samples in time."""

    def __init__(self, epoch: Epoch) -> None:
        self.epoch, self.happened = epoch, 0

    def push(self, n: int, lost: int = 0, rpm: float = float("nan")) -> bool:
        first = self.happened + lost
        self.happened = first + n
        mono_ns = round(self.happened / RATE * S)
        return self.epoch.push(Frames(numbered(first, n), lost, rpm), mono_ns, UTC0)

    def run(self, samples: int) -> None:
        for _ in range(samples // BLOCK):
            self.push(BLOCK)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(0, 90), st.sampled_from([0, 0, 0, 1, 37])),
        st.tuples(st.just("read"), st.integers(1, 6), st.just(0)),
    ),
    max_size=80,
)


@settings(max_examples=80, deadline=None)
@given(steps, st.integers(2 * BLOCK, 400))
def test_whatever_comes_is_read_once_in_order_or_counted_as_lost(script, capacity):
    epoch = epoch_of(capacity)
    writer, read = Writer(epoch), []
    # Time passes at once, so that samples can be dated from the first one on.
    epoch.clock.settle(0, UTC0)
    for what, n, lost in script:
        if what == "push":
            writer.push(n, lost)
        else:
            read += [x for x in (epoch.take() for _ in range(n)) if x is not None]
    epoch.close(UTC0)
    read += read_up(epoch)
    assert epoch.drained
    assert tile(read) == epoch.end == writer.happened
    told = sum(g.samples for g in gaps(read))
    assert (told, told + samples(read).shape[1]) == (epoch.lost, epoch.end)
    for block in read:
        if isinstance(block, SampleBlock):
            # Every sample stands at its own index.
            expected = numbered(block.first_sample, block.counts.shape[1])
            assert (block.counts == expected).all()


def test_blocks_end_on_the_grid_even_after_a_gap():
    epoch = epoch_of()
    writer = Writer(epoch)
    writer.run(600)
    writer.push(100, lost=7)
    ends = [x.first_sample + x.counts.shape[1] for x in read_up(epoch) if not isinstance(x, Gap)]
    assert ends == [*range(BLOCK, 601, BLOCK), *range(620, 701, BLOCK)]


def test_a_full_ring_never_waits_and_what_did_not_fit_is_one_gap():
    epoch = epoch_of(100)
    writer = Writer(epoch)
    for _ in range(50):
        writer.push(BLOCK)
    first = read_up(epoch)
    writer.push(BLOCK)
    after = read_up(epoch)
    (gap,) = gaps(after)
    assert (samples(first).shape[1], gap.first_sample, gap.samples) == (100, 100, 900)
    assert gap.reason == OVERRUN
    assert epoch.overrun == epoch.lost == 900
    assert tile([*first, *after]) == 51 * BLOCK


def test_the_times_of_gaps_and_blocks_are_those_of_their_first_samples():
    epoch = epoch_of()
    writer = Writer(epoch)
    writer.run(600)
    writer.push(100, lost=200)
    for item in read_up(epoch):
        assert item.t0_ns == pytest.approx(UTC0 + item.first_sample / RATE * S, abs=2)


def test_a_stream_of_holes_takes_no_memory():
    epoch = epoch_of(10_000)
    writer = Writer(epoch)
    for _ in range(2000):
        writer.push(1, lost=1)
    assert len(epoch._holes) <= MOST_HOLES + 1
    epoch.close(UTC0)
    read = read_up(epoch)
    assert tile(read) == 4000
    assert samples(read).shape[1] == 4000 - epoch.lost


def test_the_speed_of_a_block_is_the_mean_of_what_is_known():
    epoch = epoch_of()
    writer = Writer(epoch)
    for rpm in (1000.0, 1200.0, float("nan")):
        writer.push(5, rpm=rpm)
    writer.push(5, rpm=1100.0)
    writer.push(580)
    blocks = read_up(epoch)
    assert blocks[0].rpm == pytest.approx(1100.0)
    assert np.isnan(blocks[1].rpm)


@pytest.mark.parametrize(
    ("lead", "missing"),
    [
        (Lead("a", 0), 0),
        (Lead("a", 33), 33),
        (Lead("a", since_mono_ns=-2 * S), 2000),
        (Lead("a", since_utc_ns=UTC0 - 3 * S), 3000),
        (Lead("a", since_utc_ns=UTC0 + 3 * S), 0),
    ],
)
def test_what_passed_before_an_epoch_is_a_gap_that_ends_at_index_0(lead, missing):
    epoch = epoch_of(lead=lead)
    Writer(epoch).run(600)
    gap, block, *_ = read_up(epoch)
    assert (gap.first_sample, gap.samples, gap.reason) == (-missing, missing, "a")
    assert gap.t0_ns == pytest.approx(UTC0 - missing / RATE * S, abs=2)
    assert block.first_sample == 0


def test_two_threads_share_the_ring_without_a_lock():
    epoch = epoch_of(500)
    writer = Writer(epoch)
    done = threading.Event()

    def write():
        rng = np.random.default_rng(1)
        for n in rng.integers(0, 60, 3000):
            writer.push(int(n), lost=int(n) % 11 == 3, rpm=float(n % 3))
        epoch.close(UTC0)
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    read = []
    while not epoch.drained:
        item = epoch.take()
        if item is not None:
            read.append(item)
    thread.join()
    assert done.is_set()
    assert tile(read) == writer.happened
    for block in read:
        if isinstance(block, SampleBlock):
            assert (block.counts == numbered(block.first_sample, block.counts.shape[1])).all()
            assert 0.0 <= block.rpm <= 2.0
