"""Cutting clips out of a short memory."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.clips.cutter import ClipCutter, Request
from vibro.records import SampleBlock

RATE = 100.0
TOTAL = 400
COUNTS = np.stack([np.arange(TOTAL), -np.arange(TOTAL)]).astype(np.int32)


def blocks(lengths) -> list[SampleBlock]:
    found, at = [], 0
    for n in lengths:
        found.append(SampleBlock(at, round(at * 1e9 / RATE), COUNTS[:, at : at + n], 10.0 + at))
        at += n
    return found


def wanted(first: int, n: int) -> Request:
    return Request("event", f"e{first}", first, n)


REQUESTS = st.tuples(st.integers(0, 300), st.integers(1, 90))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=12),
    st.lists(REQUESTS, max_size=4, unique=True),
    st.integers(0, 120),
)
def test_a_clip_is_what_was_asked_for_or_as_much_as_there_is(lengths, asked, memory):
    cutter, cuts = ClipCutter(memory, RATE), []
    made = [wanted(first, n) for first, n in asked]
    for request in made:
        cutter.request(request)
    end = 0
    for block in blocks(lengths):
        if block.counts.shape[1] == 0:
            break
        served = cutter.push(block)
        end = block.first_sample + block.counts.shape[1]
        # Served at once, not earlier and not later.
        assert all(c.request.first_sample + c.request.samples <= end for c in served)
        assert all(r.first_sample + r.samples > end for r in cutter.requests)
        cuts += served
    cuts += cutter.finish()
    assert cutter.requests == ()
    for cut in cuts:
        first, n = cut.request.first_sample, cut.request.samples
        assert (cut.counts() == COUNTS[:, first : first + n]).all()
        assert (cut.counts().shape, cut.samples) == ((2, n), n)
        assert cut.t0_ns == round(first * 1e9 / RATE)
    assert sorted(c.request.event for c in cuts) == sorted(
        r.event for r in made if r.first_sample < end
    )
    for cut in cuts:
        (request,) = [r for r in made if r.event == cut.request.event][:1]
        assert cut.request.first_sample == request.first_sample


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, 20), st.integers(0, 500)
)
def test_the_newest_samples_of_a_cut_are_its_end(lengths, first, samples):
    cutter = ClipCutter(1000, RATE)
    cutter.request(wanted(first, TOTAL))
    for block in blocks(lengths):
        cutter.push(block)
    for cut in cutter.finish():
        newest = cut.newest(samples, RATE)
        n = min(samples, cut.samples) or cut.samples
        assert newest.samples == n
        assert (newest.counts() == cut.counts()[:, cut.samples - n :]).all()
        assert newest.t0_ns == round(newest.request.first_sample * 1e9 / RATE)


@pytest.mark.parametrize(("memory", "kept"), [(1000, 35), (60, 35), (30, 65)])
def test_a_late_request_reaches_back_as_far_as_memory_does(memory, kept):
    """Blocks are kept whole, so memory may reach a little further than it must."""
    cutter = ClipCutter(memory, RATE)
    for block in blocks([35, 30, 35]):
        cutter.push(block)
    cutter.request(Request("event", "e", 35, 80))
    (cut,) = cutter.push(blocks([35, 30, 35, 40])[-1])
    assert cut.request.first_sample == kept
    assert (cut.counts() == COUNTS[:, kept:115]).all()


def test_the_speed_of_a_clip_is_the_mean_over_its_samples():
    cutter = ClipCutter(1000, RATE)
    cutter.request(wanted(10, 40))
    (cut,) = [c for b in blocks([20, 80]) for c in cutter.push(b)]
    assert cut.rpm == pytest.approx((10 * 10.0 + 30 * 30.0) / 40)
    cutter.request(wanted(50, 10))
    (cut,) = cutter.finish()
    assert cut.rpm == 30.0


def test_an_unknown_speed_stays_unknown():
    cutter = ClipCutter(1000, RATE)
    cutter.request(wanted(0, 10))
    (cut,) = cutter.push(SampleBlock(0, 0, COUNTS[:, :20], math.nan))
    assert math.isnan(cut.rpm)


def test_memory_is_bounded_and_open_requests_hold_it():
    cutter = ClipCutter(50, RATE)
    for block in blocks([10] * 20):
        cutter.push(block)
    assert len(cutter._blocks) == 5
    cutter.request(Request("event", "e", 190, 300))
    for block in blocks([10] * 40)[20:]:
        cutter.push(block)
    assert cutter._blocks[0].first_sample == 190


def test_requests_survive_a_restart():
    cutter = ClipCutter(100, RATE)
    cutter.request(wanted(20, 30))
    cutter.request(Request("commissioning", "", 5, 10, 2))
    again = ClipCutter(100, RATE)
    again.restore(json.loads(json.dumps(cutter.snapshot())))
    assert again.requests == cutter.requests


def test_a_stream_without_samples_gives_no_clip():
    cutter = ClipCutter(100, RATE)
    cutter.request(wanted(0, 10))
    assert cutter.finish() == []
