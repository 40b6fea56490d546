"""Whole recordings of any length and rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import config

from vibro.errors import BadInputError
from vibro.features.recording import analyse_recording, recording_spans
from vibro.features.setup import ChannelSetup
from vibro.features.stream import MachineFeatures
from vibro.features.table import LONG_NAMES
from vibro.kinematics import find_bearing, line_orders

SETUPS = (ChannelSetup(),)


def signal(n, seed=0):
    return np.random.default_rng(seed).standard_normal((1, n)).astype(np.float32)


def test_a_short_recording_is_analysed_and_says_so():
    made = analyse_recording(signal(700), 1000.0, 1500.0, SETUPS)
    assert made.fast.shape[0] >= 2
    assert made.long.shape[0] >= 1
    assert "long window scaled" in made.note
    assert made.note == made.spans.note
    assert np.isfinite(made.fast).all()
    assert np.isfinite(made.long).all()


@pytest.mark.parametrize(
    ("samples", "rate"),
    [(2560, 25600.0), (20480, 20480.0), (62000, 48000.0), (121000, 12000.0), (1200, 200.0)],
)
def test_scaled_spans_fit(samples, rate):
    spans = recording_spans(samples, rate, math.nan, SETUPS)
    assert spans.fast_window * 2 <= samples
    if not config.DISABLE_JIT:
        made = analyse_recording(signal(samples), rate, math.nan, SETUPS)
        promised = (samples - spans.long_window_samples) // spans.long_hop_samples + 1
        assert max(1, promised) <= len(made.long) <= promised + 1


def test_a_slow_shaft_gets_twenty_revolutions():
    spans = recording_spans(10**7, 25600.0, 60.0, SETUPS)
    assert spans.long_window / spans.long_rate_hz >= 20.0
    assert "long window scaled" in spans.note
    assert recording_spans(10**7, 25600.0, 3000.0, SETUPS).note == ""


@pytest.mark.parametrize("samples", [0, 255, 300])
def test_too_short_is_refused(samples):
    with pytest.raises(BadInputError, match="samples"):
        recording_spans(samples, 25600.0, 1500.0, SETUPS)


def test_one_channel_may_be_given_flat_and_equals_the_stream():
    x = signal(900, 3)
    made = analyse_recording(x[0], 1000.0, 1500.0, SETUPS)
    machine = MachineFeatures(1000.0, SETUPS, spans=made.spans)
    first, second = machine.push(x[:, :400], 1500.0), machine.push(x[:, 400:], 1500.0)
    np.testing.assert_array_equal(np.concatenate([first.fast, second.fast]), made.fast)


@pytest.mark.slow_nojit
def test_a_real_outer_race_fault(data_dir):
    folder = data_dir / "cwru" / "12k_Drive_End_Bearing_Fault_Data" / "OR" / "007" / "at6"
    scipy_io = pytest.importorskip("scipy.io")
    content = scipy_io.loadmat(next(folder.glob("130at6*.mat")))
    x = next(v for k, v in content.items() if k.endswith("_DE_time")).ravel() * 9.80665
    setups = [ChannelSetup(lines=line_orders(bearing=find_bearing("6205")))]
    made = analyse_recording(x.astype(np.float32), 12000.0, 1796.0, setups)
    got = dict(zip(LONG_NAMES, np.median(made.long[:, 0], axis=0).tolist(), strict=True))
    assert got["ses_bpfo"] > 6
    # The cage's line is there too: it modulates this outer race's impacts.
    assert got["ses_bpfo"] > max(got["ses_bpfi"], got["ses_2bsf"]) + 3
