"""What is lost: by the clock, by sequence numbers, by timestamps, and in a queue that is full."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.sources.device import Frames
from edge_node.sources.frame_clock import FrameClock
from edge_node.sources.inbox import Inbox
from edge_node.sources.scan_gaps import ScanGaps
from edge_node.sources.sequence import BEGAN_ANEW, Sequence
from vibro.errors import VibroError

RATE = 1000.0
PERIOD_NS = 1_000_000


def delivered(clock: FrameClock, frames: int, ppm: float, late, block: int = 20, from_s=5.0):
    """Frames of a converter whose clock is off, in blocks that come a little late."""
    for i in range(block, frames + 1, block):
        clock.got(block, from_s + i / RATE * (1 + ppm * 1e-6) + late(i))
    return from_s + frames / RATE * (1 + ppm * 1e-6)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(-100, 100), st.integers(0, 1000), st.integers(1, 5000), st.sampled_from([2, 60, 600])
)
def test_frames_that_were_dropped_are_counted_to_within_clock_and_delay(ppm, seed, gone, seconds):
    clock, rng = FrameClock(RATE), np.random.default_rng(seed)
    end_s = delivered(clock, seconds * 1000, ppm, lambda _: rng.exponential(0.002))
    told = clock.missed(end_s + gone / RATE)
    # Ten milliseconds of delay, and what two such clocks part by in a second or so.
    assert abs(told - gone) <= max(1.0, 0.01 * RATE + 1e-3 * gone)


def test_a_count_goes_on_after_a_loss_and_begins_anew():
    clock = FrameClock(RATE)
    end_s = delivered(clock, 10_000, 0.0, lambda _: 0.001)
    assert clock.missed(end_s + 2.001) == 2000
    assert clock.missing(end_s + 2.001) == 0
    clock.got(20, end_s + 2.021)
    assert clock.missing(end_s + 3.021) == pytest.approx(1000, abs=1)
    clock.begin()
    assert clock.missing(9.0) == 0
    assert clock.missed(9.0) == 1  # something was lost, and nothing says how much


def test_drift_is_never_taken_for_loss():
    clock = FrameClock(RATE)
    end_s = delivered(clock, 3_600_000, 100.0, lambda _: 0.0, block=1000)
    assert clock.missing(end_s) <= 1


# -- sequence numbers --------------------------------------------------------------------------


class Sender:
    """Messages of 50 frames, one every 50 ms, each numbered."""

    def __init__(self, *, per_frame: bool, modulus: int, first: int = 0) -> None:
        self.clock = FrameClock(RATE)
        self.judge = Sequence(self.clock, RATE, per_frame, modulus)
        self.step, self.modulus = 50 if per_frame else 1, modulus
        self.number, self.now_s = first, 3.0

    def send(self, number: int | None = None, *, passed_s: float = 0.05):
        if number is not None:
            self.number = number
        self.now_s += passed_s
        lost = self.judge.lost(self.number, 50, self.now_s)
        if lost is not None:
            self.clock.skip(max(0, lost))
            self.clock.got(50, self.now_s)
        self.number += self.step
        if self.modulus:
            self.number %= self.modulus
        return lost


@pytest.mark.parametrize("per_frame", [False, True])
@pytest.mark.parametrize("first", [0, 2**32 - 250])
def test_numbers_tell_exactly_what_is_missing_also_where_they_begin_again(per_frame, first):
    sender = Sender(per_frame=per_frame, modulus=2**32, first=first)
    assert [sender.send() for _ in range(4)] == [0] * 4
    sender.number = (sender.number + 3 * sender.step) % 2**32
    assert sender.send(passed_s=0.2) == 150
    assert sender.send() == 0


def test_a_repeat_is_dropped():
    sender = Sender(per_frame=True, modulus=0)
    sender.send()
    assert sender.send(0) is None
    assert sender.send(50) == 0


@pytest.mark.parametrize("modulus", [0, 2**32])
@pytest.mark.parametrize("liar", [7, 2**31, 2**32 - 1])
def test_a_number_that_claims_more_than_time_allows_is_a_sender_that_began_anew(modulus, liar):
    sender = Sender(per_frame=True, modulus=modulus, first=10**6)
    for _ in range(10):
        sender.send()
    assert sender.send(liar, passed_s=2.05) == BEGAN_ANEW
    assert sender.send() == 0


# -- timestamps --------------------------------------------------------------------------------


def told(stamps: np.ndarray, chunks: list[int]) -> list[tuple[int, int]]:
    """(scans before, lost) of every loss, when stamps come in chunks of these sizes in turn."""
    gaps, found, at, i, waiting = ScanGaps(PERIOD_NS), [], 0, 0, stamps[:0]
    done = 0
    while at < len(stamps) or len(waiting):
        if at < len(stamps):
            step = chunks[i % len(chunks)]
            waiting = np.concatenate([waiting, stamps[at : at + step]])
            at, i = at + step, i + 1
        n, lost = gaps.split(waiting)
        assert 1 <= n <= len(waiting)
        if lost:
            found.append((done, lost))
        done, waiting = done + n, waiting[n:]
    assert done == len(stamps)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(1, 5000)), max_size=5),
    st.lists(st.integers(1, 90), min_size=1, max_size=4),
    st.floats(0.9, 1.1),
)
def test_gaps_in_timestamps_are_found_wherever_they_lie(losses, chunks, real_period):
    kept, at, expected = [], 0, []
    for before, lost in losses:
        kept += range(at, at + before)
        expected.append((len(kept), lost))
        at += before + lost
    kept += range(at, at + 50)
    stamps = 10**15 + np.round(np.array(kept) * PERIOD_NS * real_period).astype(np.int64)
    found = told(stamps, chunks)
    assert [f[0] for f in found] == [e[0] for e in expected]
    for (_, said), (_, lost) in zip(found, expected, strict=True):
        # A sensor's clock is a few per cent off, and its nominal period is all that is known.
        assert abs(said - lost) <= 1 + abs(real_period - 1) * (lost + 1) * 1.2


def test_stamps_that_are_merely_late_are_no_loss():
    stamps = 10**18 + PERIOD_NS * np.arange(400, dtype=np.int64)
    stamps[100] += 700_000
    stamps[200:203] += [900_000, 500_000, 100_000]
    assert told(stamps, [400]) == []


# -- the queue ---------------------------------------------------------------------------------


def frames(n: int, lost: int = 0) -> Frames:
    return Frames(np.zeros((2, n), np.int16), lost)


def test_what_does_not_fit_in_the_queue_is_told_as_lost():
    inbox = Inbox(100)
    for lost in (0, 0, 3, 0):
        inbox.put(frames(40, lost))
    assert [inbox.get(0).lost for _ in range(2)] == [0, 0]
    inbox.put(frames(40))
    late = inbox.get(0)
    assert (late.lost, late.anew) == (40 + 3 + 40, False)
    assert inbox.get(0) is None


def test_a_beginning_that_does_not_fit_is_told_with_what_fits():
    inbox = Inbox(50)
    inbox.put(frames(40))
    inbox.put(replace(frames(40), anew=True))
    inbox.get(0)
    inbox.put(frames(40))
    inbox.put(frames(5))
    assert [inbox.get(0).anew for _ in range(2)] == [True, False]


def test_a_failure_is_told_after_what_still_waits_and_forgotten_at_a_new_start():
    inbox = Inbox(100)
    inbox.put(frames(1))
    inbox.fail("it is gone")
    assert inbox.get(0) is not None
    with pytest.raises(VibroError, match="it is gone"):
        inbox.get(0)
    inbox.clear()
    assert inbox.get(0) is None


def test_a_reader_is_woken_by_what_comes():
    inbox, got = Inbox(100), []
    reader = threading.Thread(target=lambda: got.append(inbox.get(10.0)))
    reader.start()
    inbox.put(frames(5))
    reader.join(10.0)
    assert got[0].counts.shape == (2, 5)
    assert math.isnan(got[0].rpm)
