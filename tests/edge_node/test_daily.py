"""A spectrum and a waveform once a day and once in every state: when, of what, and by a node."""

from __future__ import annotations

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from edge_node.clips.cutter import Cut, Request
from edge_node.clips.daily import MOST_STATES, WAVEFORM, DailyRules, phase_of, spectrum_of
from tests.edge_node.plants import (
    MACHINE,
    RATE,
    SCALE,
    T0,
    ArraySource,
    S,
    healthy,
    node_of,
    of,
    run,
    spool_of,
    trained,
)
from vibro.records import LIVE, Clip, Origin, Spectrum, StreamInfo

HOUR, DAY = 3600 * S, 86_400 * S
INFO = StreamInfo(MACHINE.channels, float(RATE), np.full(2, SCALE, np.float32), 7, 2)
ORIGIN = Origin("n", "harbour", "motor-1", LIVE, 0, 7)


def told(rules: DailyRules, hours, state="running") -> list[tuple[int, str]]:
    """What is due when a window ends every minute."""
    minutes = range(hours.start * 60, hours.stop * 60)
    return [(m // 60, reason) for m in minutes if (reason := rules.due(m * 60 * S, state))]


def test_the_first_of_a_state_is_of_commissioning_and_then_one_comes_a_day():
    rules = DailyRules(DAY, 10 * S)
    assert told(rules, range(5, 60)) == [(5, "commissioning"), (24, "daily"), (48, "daily")]
    assert told(rules, range(60, 62), "fast") == [(60, "commissioning")]
    assert told(rules, range(62, 80)) == [(72, "daily")]


def test_a_fleet_does_not_speak_at_once():
    rules = DailyRules(DAY, 10 * S, 6 * HOUR)
    assert told(rules, range(5, 60)) == [
        (5, "commissioning"),
        (6, "daily"),
        (30, "daily"),
        (54, "daily"),
    ]
    phases = [phase_of(f"node-{k}", DAY) for k in range(200)]
    assert np.histogram(phases, 4, (0, DAY))[0].min() > 25
    assert phase_of("node-7", DAY) == phases[7]


@pytest.mark.parametrize("state", ["stopped", "transient"])
def test_a_machine_that_does_not_run_steadily_has_no_spectrum(state):
    assert told(DailyRules(DAY, 10 * S), range(48), state) == []


def test_a_day_that_was_missed_is_made_up_for_once_the_machine_runs():
    rules = DailyRules(DAY, 10 * S)
    told(rules, range(5, 20))
    assert told(rules, range(20, 70), "stopped") == []
    assert told(rules, range(70, 73)) == [(70, "daily"), (72, "daily")]


def test_the_stretch_is_steady_throughout():
    rules = DailyRules(DAY, 10 * S)
    due = [t for t in range(40) if rules.due(t * S, "a" if t < 8 or t >= 20 else "b")]
    # b from 8 to 19 s is steady for 10 s at 18 s, a from 20 s on at 30 s.
    assert due == [18, 30]


def test_a_gap_begins_the_stretch_anew():
    rules = DailyRules(DAY, 10 * S)
    assert [rules.due(t * S, "a") for t in range(6)] == [""] * 6
    rules.interrupt()
    assert [t for t in range(7, 30) if rules.due(t * S, "a")] == [17]


def test_never_means_never():
    assert told(DailyRules(0, 10 * S), range(48)) == []


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 30)), max_size=60))
def test_states_without_end_cost_a_bounded_number_of_spectra_and_a_restart_changes_nothing(steps):
    rules, twin, now, reasons = DailyRules(DAY, 0), DailyRules(DAY, 0), 0, []
    for i, (hours, state) in enumerate(steps):
        now += hours * HOUR
        reason = rules.due(now, f"s{state}")
        assert twin.due(now, f"s{state}") == reason
        reasons.append(reason)
        if i % 3 == 2:
            again = DailyRules(DAY, 0)
            again.restore(json.loads(json.dumps(twin.snapshot())))
            twin = again
    assert reasons.count("commissioning") <= MOST_STATES
    assert reasons.count("daily") <= now // DAY + 1


def cut(counts, spectrum="daily") -> Cut:
    request = Request("daily", "", 100, counts.shape[1], state="running", spectrum=spectrum)
    return Cut(request, T0, 1480.0, tuple(np.array_split(counts, 3, axis=1)))


def test_a_spectrum_shows_the_shaft_in_m_s2_rms():
    found = spectrum_of(cut(healthy(60.0)), INFO, ORIGIN)
    f = found.frequencies_hz()
    near = np.abs(f - 1480 / 60) < 1.0
    # 0.1 m/s2 of amplitude, between two lines.
    assert found.values[0, near].max() == pytest.approx(0.1 / np.sqrt(2), rel=0.2)
    assert f[found.values[:, f < 30].argmax(axis=1)] == pytest.approx(24.67, abs=found.step_hz)
    assert (found.averages, found.reason, found.state) == (17, "daily", "running")
    assert found.step_hz == RATE / 8192
    assert found.channels == ("de-h", "de-v")


def test_a_stretch_shorter_than_a_window_has_no_spectrum():
    assert spectrum_of(cut(healthy(3.0)), INFO, ORIGIN) is None


DAILY = {"daily_s": 86_400.0, "spectrum_s": 10.0}


@pytest.mark.slow_nojit
def test_a_node_sends_one_spectrum_and_the_waveform_at_its_end(tmp_path):
    counts = healthy(24.0)
    node = node_of(tmp_path, ArraySource(counts), trained(), **DAILY)
    run(node)
    (spectrum,) = of(Spectrum, node.spool)
    (waveform,) = [c for c in of(Clip, node.spool) if c.reason == "daily"]
    assert (spectrum.reason, spectrum.state) == ("commissioning", "running")
    first = spectrum.id.first_sample
    n = 10 * RATE
    whole = spectrum_of(cut(counts[:, first : first + n]), INFO, ORIGIN)
    np.testing.assert_allclose(spectrum.values, whole.values, rtol=0.05)
    assert waveform.id.kind == "waveform"
    assert waveform.samples.shape == (2, WAVEFORM)
    last = first + n
    assert waveform.id.first_sample == last - WAVEFORM
    np.testing.assert_array_equal(waveform.samples, counts[:, last - WAVEFORM : last])
    assert waveform.t0_ns == T0 + round((last - WAVEFORM) * 1e9 / RATE)


@pytest.mark.slow_nojit
def test_a_kill_neither_loses_nor_doubles_the_spectrum(tmp_path):
    whole = node_of(tmp_path / "whole", ArraySource(healthy(24.0)), trained(), **DAILY)
    run(whole)
    expected = of(Spectrum, whole.spool)
    for steps in (20, 24, 30):
        folder = tmp_path / str(steps)
        node = node_of(folder, ArraySource(healthy(24.0)), trained(), **DAILY)
        for _ in range(steps):
            node.step()
        node.spool.close()
        again = node_of(folder, ArraySource(healthy(24.0)), trained(), spool_of(folder), **DAILY)
        run(again)
        (found,) = of(Spectrum, again.spool)
        assert found.id == expected[0].id
        np.testing.assert_array_equal(found.values, expected[0].values)
        again.spool.close()
