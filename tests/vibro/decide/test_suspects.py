"""The quick look over all channels: it must never pass over a window that a decider would heed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.decide import ChannelDecider, DecisionRules, FastSuspects, Window, most_crest
from vibro.features.table import FAST_NAMES

NAN = float("nan")
FULL = 490.0
RULES = DecisionRules()
MOST = most_crest(4096)
NEAR = {
    "rms_m_s2": (0.0, 1e-3, 5e-4, 1.0, NAN),
    "peak_m_s2": (1.0, 31.9, 32.0, 487.55, 487.0, 490.0, NAN),
    "mean_m_s2": (0.0, 0.5, -98.0, 98.0, -97.9, 300.0, NAN),
    "repeat_share": (0.0, 0.25, 0.2499, 0.98, 1.0, NAN),
    "p_value": (1.0, 1e-4, 9e-5, 1e-8, 1e-9, NAN),
}
"""Values at and beside every threshold."""
QUIET = Window("fast", 0, 0, 10**8, 0.4, 0.5, 1480.0, 1.0, 4.0, 0.0, 0.0)
drawn = st.builds(
    lambda **v: replace(QUIET, **v), **{k: st.sampled_from(v) for k, v in NEAR.items()}
)


def suspected(suspects: FastSuspects, w: Window) -> bool:
    values = np.zeros((1, len(FAST_NAMES)), np.float32)
    for name, value in (
        ("rms", w.rms_m_s2),
        ("peak", w.peak_m_s2),
        ("mean", w.mean_m_s2),
        ("repeat_share", w.repeat_share),
    ):
        values[0, FAST_NAMES.index(name)] = value
    return suspects.of(values, np.array([w.p_value])) == [0]


def told(w: Window) -> Window:
    """As the edge tells it: in float32, and the crest factor is that of peak and RMS."""
    names = "rms_m_s2", "peak_m_s2", "mean_m_s2", "repeat_share"
    w = replace(w, **{name: float(np.float32(getattr(w, name))) for name in names})
    return replace(w, crest_share=w.peak_m_s2 / w.rms_m_s2 / MOST if w.rms_m_s2 > 0.0 else NAN)


def test_each_sign_alone_is_seen_and_a_healthy_window_is_not():
    suspects = FastSuspects(RULES, [FULL], MOST)
    assert not suspected(suspects, QUIET)
    for name, value in (
        ("rms_m_s2", 9e-4),
        ("peak_m_s2", 489.0),
        ("mean_m_s2", -98.0),
        ("repeat_share", 0.25),
        ("peak_m_s2", 32.0),
        ("p_value", 9e-5),
    ):
        assert suspected(suspects, replace(QUIET, **{name: value})), name


@given(st.lists(drawn, max_size=40))
@settings(max_examples=200)
def test_a_decider_that_is_asked_only_when_it_must_be_says_the_same(windows):
    every, some = (ChannelDecider(RULES, FULL, None) for _ in range(2))
    suspects = FastSuspects(RULES, [FULL], MOST)
    for i, w in enumerate(windows):
        at = told(replace(w, first_sample=i, t0_ns=i * 10**8, end_ns=(i + 1) * 10**8))
        change = every.window(at)
        if suspected(suspects, at) or not some.quiet:
            assert repr(some.window(at)) == repr(change)  # NaN as well
        else:
            assert change is None
        assert repr(some.snapshot()) == repr(every.snapshot())


def test_rules_whose_alert_is_wider_than_their_watch_are_heeded():
    suspects = FastSuspects(DecisionRules(p_watch=1e-6, p_alert=1e-2), [FULL])
    assert suspected(suspects, replace(QUIET, p_value=1e-3))
