"""When a new epoch begins, when a gap lies inside one, and that both account for every sample."""

from __future__ import annotations

import numpy as np
import pytest

from edge_node.acquisition.acquire import ANEW, MOST_EPOCHS, OTHER, PARTED, RESTART, TOO_LONG
from edge_node.acquisition.epoch import DEVICE, SILENT
from edge_node.sources.device import Frames
from edge_node.sources.port import Gap
from tests.edge_node.acquisition.played import (
    BLOCK,
    BLOCK_S,
    RATE,
    UTC0,
    Feed,
    S,
    gaps,
    numbered,
    read_up,
    samples,
    tile,
)
from vibro.errors import VibroError


def leading(epoch) -> Gap:
    first = epoch.take()
    assert isinstance(first, Gap)
    assert first.first_sample + first.samples == 0
    return first


def test_the_first_epoch_of_a_stream_has_no_gap_before_it_and_bears_its_time():
    feed = Feed()
    feed.run(2.0)
    (epoch,) = feed.acquisition.epochs
    assert epoch.info.stream_epoch == UTC0 + round(BLOCK_S * S)
    items = read_up(epoch)
    assert not gaps(items)
    assert (samples(items) == numbered(0, 2000)).all()


def test_what_the_device_lost_is_a_gap_inside_the_epoch():
    feed = Feed()
    feed.run(1.0)
    feed.push(lost=300)
    (epoch,) = feed.acquisition.epochs
    feed.acquisition.finish()
    items = read_up(epoch)
    (gap,) = gaps(items)
    assert (gap.first_sample, gap.samples, gap.reason) == (1000, 300, DEVICE)
    assert tile(items) == feed.taken


def test_a_gap_that_is_too_long_begins_an_epoch_and_is_counted_exactly():
    feed = Feed(longest_gap_s=10.0)
    feed.run(1.0)
    feed.push(lost=10_000)
    assert len(feed.acquisition.epochs) == 1
    feed.push(lost=10_001)
    feed.run(1.0)
    assert len(feed.acquisition.epochs) == 2
    gap = leading(feed.acquisition.epochs[1])
    assert (gap.samples, gap.reason) == (10_001, TOO_LONG)
    items = read_up(feed.acquisition.epochs[1])
    assert tile(items) == 1000 + BLOCK


@pytest.mark.parametrize("jump_s", [3600.0, -7200.0, 0.6])
def test_a_jump_of_the_time_of_day_begins_an_epoch_that_lost_nothing(jump_s):
    feed = Feed()
    feed.run(1.0)
    feed.clocks.offset_ns += round(jump_s * S)
    feed.run(1.0)
    before, after = feed.acquisition.epochs
    assert after.info.stream_epoch > before.info.stream_epoch
    gap = leading(after)
    assert gap.samples == 0
    assert gap.reason == f"the time of day jumped by {jump_s:+.3f} s"
    block = after.take()
    assert block.t0_ns == pytest.approx(UTC0 + (1.0 + jump_s) * S, abs=BLOCK_S * S)
    assert samples(read_up(before)).shape[1] == 1000


def test_a_small_jump_of_the_time_of_day_is_followed_and_begins_nothing():
    feed = Feed()
    feed.run(1.0)
    feed.clocks.offset_ns += S // 4
    feed.run(1.0)
    assert len(feed.acquisition.epochs) == 1


def test_a_device_that_failed_begins_an_epoch_and_the_time_between_is_lost():
    feed = Feed()
    feed.run(1.0)
    feed.acquisition.fail("the cable is out")
    feed.clocks.mono_ns += 5 * S
    feed.clocks.offset_ns += 100 * S
    feed.run(1.0)
    gap = leading(feed.acquisition.epochs[1])
    assert gap.samples == pytest.approx(5.0 * RATE, abs=1)
    assert gap.reason == f"{ANEW}: the cable is out"
    assert feed.acquisition.facts()["last_failure"] == "the cable is out"


def test_a_device_that_began_anew_by_itself_begins_an_epoch():
    feed = Feed()
    feed.run(1.0)
    feed.clocks.mono_ns += 2 * S
    feed.push(anew=True)
    feed.run(1.0)
    gap = leading(feed.acquisition.epochs[1])
    assert (gap.samples, gap.reason) == (pytest.approx(2000, abs=1), ANEW)


def test_another_type_scale_or_rate_begins_an_epoch_with_its_own_description():
    feed = Feed()
    feed.run(1.0)
    feed.push(dtype=np.int16)
    feed.acquisition.epochs.popleft()
    feed.device.scale = np.full(2, 2.0, np.float32)
    feed.push(dtype=np.int16)
    feed.acquisition.epochs.popleft()
    feed.device.rate_hz = 500.0
    feed.run(2.0)
    scaled, slow = feed.acquisition.epochs
    assert scaled.info.scale.tolist() == [2.0, 2.0]
    assert (slow.info.rate_hz, leading(slow).reason) == (500.0, OTHER)


def test_a_new_process_counts_what_passed_since_the_last_one_was_accounted_for():
    feed = Feed()
    feed.acquisition.follow(UTC0 + 10**15, UTC0 - 60 * S)
    feed.run(1.0)
    (epoch,) = feed.acquisition.epochs
    # Names of epochs rise, even when the time of day is behind.
    assert epoch.info.stream_epoch == UTC0 + 10**15 + 1
    gap = leading(epoch)
    assert (gap.samples, gap.reason) == (60_000, RESTART)
    assert gap.t0_ns == pytest.approx(UTC0 - 60 * S, abs=2)


def test_epochs_that_nobody_reads_do_not_pile_up_and_what_they_would_hold_is_counted():
    feed = Feed()
    for _ in range(5):
        feed.run(1.0)
        feed.clocks.offset_ns += S
    assert len(feed.acquisition.epochs) == MOST_EPOCHS
    first, second = feed.acquisition.epochs
    assert (first.end, second.end) == (1000, 1000)
    feed.acquisition.epochs.clear()
    feed.run(1.0)
    (third,) = feed.acquisition.epochs
    assert leading(third).samples == 3000
    assert samples(read_up(third)).shape[1] == 1000


def test_a_silent_device_is_found_out_and_an_exact_one_is_believed():
    for exact in (False, True):
        feed = Feed(exact=exact, ring_s=200.0)
        feed.run(60.0)
        # A second passes of which the device never speaks.
        feed.clocks.mono_ns += S
        feed.run(60.0)
        (epoch,) = feed.acquisition.epochs
        found = gaps(read_up(epoch))
        assert [g.samples for g in found] == ([] if exact else [pytest.approx(1000, abs=2)])
        assert all(g.reason == SILENT for g in found)


def test_a_device_that_is_twice_as_fast_as_it_says_begins_an_epoch_a_minute():
    feed = Feed(ring_s=500.0)
    for _ in range(8000):
        feed.push()
        feed.clocks.mono_ns -= round(0.5 * BLOCK_S * S)
    # 80 s have passed.
    assert feed.acquisition.epoch_count == 2
    assert leading(feed.acquisition.epochs[1]).reason == PARTED


def test_a_wrong_number_of_channels_is_a_failure_of_the_device():
    feed = Feed()
    with pytest.raises(VibroError, match="the device delivers 1 channels, the machine has 2"):
        feed.acquisition.push(Frames(numbered(0, 5)[:1]), *feed.clocks())


def test_rate_ring_and_losses_are_told():
    feed = Feed(ring_s=10.0)
    feed.run(9.0)
    (epoch,) = feed.acquisition.epochs
    assert epoch.facts() == {
        "frames_lost": 0, "frames_overrun": 0, "ring_share": 0.9, "clock_error_ms": 0,
        "rate_error_ppm": pytest.approx(0.0, abs=0.1),
    }  # fmt: skip
    feed.run(2.0)
    assert (epoch.facts()["frames_overrun"], epoch.facts()["ring_share"]) == (1000, 1.0)
    assert feed.acquisition.facts()["epochs"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_any_life_is_accounted_for(seed):
    rng = np.random.default_rng(seed)
    feed = Feed(ring_s=1.0, longest_gap_s=2.0)
    kept = total = 0
    for _ in range(400):
        what = rng.integers(0, 40)
        if what == 0:
            feed.clocks.offset_ns += int(rng.integers(-5, 5)) * S
        elif what == 1:
            feed.push(lost=int(rng.integers(1, 4000)))
        else:
            feed.push(int(rng.integers(1, 60)))
        if what > 30:
            for epoch in list(feed.acquisition.epochs):
                items = read_up(epoch)
                kept += samples(items).shape[1]
                total += sum(g.samples for g in gaps(items))
                if epoch.drained:
                    feed.acquisition.epochs.remove(epoch)
    feed.acquisition.finish()
    for epoch in feed.acquisition.epochs:
        items = read_up(epoch)
        kept += samples(items).shape[1]
        total += sum(g.samples for g in gaps(items))
    lead = feed.acquisition._lead
    assert kept + total + (lead.missing or 0) == feed.taken
