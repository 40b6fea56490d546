"""Limits set by hand: per point and feature, with N of M and hysteresis like everything else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.vibro.decide.test_channel import FULL, ISO, RULES, fast, long, run
from vibro.decide import ChannelDecider, Limit, Window, limits_by_channel
from vibro.errors import BadInputError
from vibro.faults import Severity

VELOCITY = Limit("*", "velocity_rms_mm_s", 2.0, 4.0)
BAND = Limit("de-h", "band_07", alert=-40.0)


def decider(*limits: Limit, iso=None) -> ChannelDecider:
    return ChannelDecider(RULES, FULL, iso, limits)


def at(k: int, mm_s: float) -> Window:
    return replace(long(k, mm_s=mm_s), limited=(mm_s,))


@pytest.mark.parametrize(
    ("mm_s", "severity"),
    [(1.99, None), (2.0, Severity.ALERT), (3.9, Severity.ALERT), (4.0, Severity.DANGER)],
)
def test_a_limit_that_lasts_is_an_event_of_its_own_name(mm_s, severity):
    changes = run(decider(VELOCITY), [at(k, mm_s) for k in range(RULES.long_n)])
    assert [c.severity for c in changes] == [severity] * (severity is not None)
    assert [c.causes for c in changes] == [("limit:velocity_rms_mm_s",)] * (severity is not None)
    assert run(decider(VELOCITY), [at(k, mm_s) for k in range(RULES.long_n - 1)]) == []


def test_limits_of_fast_features_may_be_negative_and_are_eased_by_their_size():
    d = decider(BAND)
    windows = [fast(k, limited=(-39.0,)) for k in range(RULES.fast_m)]
    (change,) = run(d, windows)
    assert change.causes == ("limit:band_07",)
    # Four dB below is still held, five are not.
    run(d, [fast(20 + k, limited=(-43.9,)) for k in range(300)])
    assert d.severity is Severity.ALERT
    assert [c.what for c in run(d, [fast(400 + k, limited=(-44.1,)) for k in range(100)])] == [
        "cleared"
    ]


@pytest.mark.parametrize(
    ("now", "what"), [(2.55, []), (2.49, ["cleared"])], ids=["above the eased limit", "below it"]
)
def test_an_event_of_a_zone_does_not_chatter_about_its_boundary(now, what):
    """B/C is 2.8 mm/s: having been above it, only 10 % below it is over."""
    d = decider(iso=ISO)
    assert [c.what for c in run(d, [long(k, mm_s=2.9) for k in range(4)])] == ["opened"]
    assert [c.what for c in run(d, [long(4 + k, mm_s=now) for k in range(12)])] == what
    assert run(decider(iso=ISO), [long(k, mm_s=2.7) for k in range(12)]) == []


def test_an_alert_that_holds_does_not_make_the_danger_nearer():
    d = decider(iso=ISO)
    run(d, [long(k, mm_s=4.4) for k in range(20)])
    assert d.severity is Severity.ALERT


def test_a_channels_own_limit_replaces_that_of_all():
    own = Limit("de-v", "velocity_rms_mm_s", alert=9.0)
    assert limits_by_channel([VELOCITY, own, BAND], ["de-h", "de-v"]) == [
        (VELOCITY, BAND),
        (own,),
    ]


def test_every_mistake_of_limits_is_told_at_once():
    wrong = [
        Limit("nde-h", "velocity_rms_mm_s", 1.0),
        Limit("*", "rmss", 1.0),
        Limit("*", "rms"),
        Limit("*", "peak", 5.0, 4.0),
        VELOCITY,
        VELOCITY,
    ]
    with pytest.raises(BadInputError) as caught:
        limits_by_channel(wrong, ["de-h"])
    told = str(caught.value).split("; ")
    assert len(told) == 5
    for part in (
        "channel is not one of *, de-h",
        "rmss: feature",
        "neither",
        "5 is above",
        "twice",
    ):
        assert part in str(caught.value)
