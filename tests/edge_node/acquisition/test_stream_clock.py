"""The disciplined clock: what it dates is true, whatever the delays of arrivals do."""

from __future__ import annotations

import numpy as np
import pytest

from edge_node.acquisition.clock import SLEW, StreamClock

RATE, CHUNK = 25600.0, 512
OFFSET, MONO0 = 10**18, 5 * 10**9
LEAST_NS = 200_000


class Arrivals:
    """A converter whose rate is off, and a way from it that delays."""

    def __init__(self, ppm: float, seed: int = 0) -> None:
        self.clock = StreamClock(RATE, 0.5)
        self.rate, self.rng = RATE * (1 + 1e-6 * ppm), np.random.default_rng(seed)
        self.taken = self.counted = 0
        self.came_s = 0.0
        self.offset_ns = OFFSET
        self.missing: list[int] = []

    def go_on(self, seconds: float, extra_s=lambda t: 0.0) -> np.ndarray:
        """Deliver chunks; return the error of their times, ns, beyond the least delay."""
        errors = []
        for _ in range(round(seconds * self.rate / CHUNK)):
            self.taken, self.counted = self.taken + CHUNK, self.counted + CHUNK
            true_s = self.taken / self.rate
            seldom = 0.2 * (self.rng.random() < 0.01)
            delay_s = LEAST_NS * 1e-9 + self.rng.exponential(1e-3) + seldom + extra_s(true_s)
            self.came_s = max(self.came_s, true_s + delay_s)
            self.clock.arrived(self.counted, round(self.came_s * 1e9) + MONO0, self.offset_ns)
            if missing := self.clock.take_missing():
                self.counted += missing
                self.missing.append(missing)
            if self.clock.ready:
                told = self.clock.time_of(self.counted) - self.offset_ns - MONO0
                errors.append(told - true_s * 1e9 - LEAST_NS)
        return np.array(errors)


@pytest.mark.parametrize("ppm", [0.0, 50.0, -80.0, 1000.0])
def test_times_are_true_within_a_part_of_a_millisecond_though_arrivals_scatter_by_200(ppm):
    arrivals = Arrivals(ppm)
    arrivals.go_on(60.0)
    errors = arrivals.go_on(240.0)
    assert np.abs(errors).max() < 100_000
    found = 1e6 * (1.0 / (1.0 + arrivals.clock.rate_error) - 1.0)
    assert found == pytest.approx(ppm, abs=1.0)


def test_a_converter_that_is_off_by_a_per_cent_is_followed():
    arrivals = Arrivals(-10_000.0)
    arrivals.go_on(120.0)
    assert np.abs(arrivals.go_on(60.0)).max() < 1e6
    assert not arrivals.clock.parted()


def test_samples_that_are_held_up_for_ten_seconds_do_not_move_the_clock():
    arrivals = Arrivals(50.0)
    arrivals.go_on(100.0)
    errors = arrivals.go_on(60.0, lambda t: max(0.0, 110.0 - t))
    assert np.abs(errors).max() < 100_000
    assert not arrivals.missing


@pytest.mark.parametrize("lost", [15_000, 100_000])
def test_samples_that_a_device_loses_in_silence_are_found_and_counted(lost):
    arrivals = Arrivals(50.0)
    arrivals.go_on(60.0)
    arrivals.counted -= lost
    errors = arrivals.go_on(60.0)
    (missing,) = arrivals.missing
    assert missing == pytest.approx(lost, abs=20)
    assert abs(errors[-1]) < 1e6


def test_no_sample_is_dated_before_half_a_second_and_a_burst_at_the_start_is_forgotten():
    arrivals = Arrivals(0.0)
    errors = arrivals.go_on(3.0, lambda t: max(0.0, 1.0 - t))
    assert len(errors) < 3.0 * RATE / CHUNK - 5
    assert np.abs(errors).max() < 2e6


def test_times_never_go_back_and_follow_a_small_step_of_the_day_slowly():
    clock = StreamClock(RATE, 0.5)
    times, now = [], 0
    for k in range(1, 6000):
        now = k * CHUNK
        step = -100_000_000 if k > 1000 else 0
        clock.arrived(now, round(now / RATE * 1e9), OFFSET + step)
        if clock.ready:
            times.append(clock.time_of(now))
    taken = np.diff(times)
    assert taken.min() > 0
    assert np.abs(taken / (CHUNK / RATE * 1e9) - 1.0).max() < 1.01 * SLEW
    moved = times[-1] - OFFSET - now / RATE * 1e9
    slewed = SLEW * (6000 - 1000) * CHUNK / RATE * 1e9
    assert moved == pytest.approx(-slewed, rel=0.01)


def test_clocks_that_part_are_told_of_but_not_in_the_first_minute():
    clock, rate = StreamClock(RATE, 0.5), 2.0 * RATE
    told = None
    for k in range(1, 9000):
        clock.arrived(k * CHUNK, round(k * CHUNK / rate * 1e9), OFFSET)
        if clock.parted():
            told = k * CHUNK / rate
            break
    assert told == pytest.approx(60.0, abs=1.0)
