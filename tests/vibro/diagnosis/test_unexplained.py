"""A regular train of impacts that no known part explains is abnormal, and only that."""

from __future__ import annotations

import numpy as np
import pytest

from datasets.replay import points_of, read_entry
from vibro.diagnosis import assess
from vibro.diagnosis.unexplained import unexplained_comb
from vibro.faults import Fault, Severity
from vibro.files import read_manifest
from vibro.kinematics import LineOrders

RATE, RPM, N = 12_000.0, 1797.0, 96_000
NOTHING = LineOrders(shaft=1.0)


def impacts(f_hz: float, size: float, seed: int = 0) -> np.ndarray:
    """Noise, a shaft line, and a resonance at 3 kHz struck ``f_hz`` times a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(N) / RATE
    x = rng.standard_normal(N) + 2.0 * np.sin(2 * np.pi * RPM / 60 * t)
    ring = np.exp(-500.0 * t[:120]) * np.sin(2 * np.pi * 3000.0 * t[:120])
    strikes = np.zeros(N)
    strikes[(np.arange(0.01, N / RATE - 0.02, 1 / f_hz) * RATE).astype(int)] = size
    return x + np.convolve(strikes, ring)[:N]


@pytest.mark.parametrize("order", [2.37, 4.28, 7.6])
def test_impacts_of_an_unknown_part_are_found(order):
    f = order * RPM / 60
    found = unexplained_comb(impacts(f, 12.0), RATE, RPM, NOTHING)
    ratio = found.found_hz / f
    assert min(abs(ratio - r) for r in (0.5, 1.0, 2.0)) < 0.005
    assert found.clear_db > 14.0


@pytest.mark.parametrize("seed", range(8))
def test_noise_has_none(seed):
    assert unexplained_comb(impacts(100.0, 0.0, seed), RATE, RPM, NOTHING) is None


@pytest.mark.parametrize("f", [50.0, 60.0, 100.0, 150.0, 2 * RPM / 60, 5 * RPM / 60])
def test_what_is_locked_to_shaft_or_mains_is_no_part(f):
    assert unexplained_comb(impacts(f, 12.0), RATE, RPM, NOTHING) is None


@pytest.mark.parametrize("rpm", [np.nan, 0.0])
def test_without_a_speed_nothing_can_be_told(rpm):
    assert unexplained_comb(impacts(128.0, 12.0), RATE, rpm, NOTHING) is None


def test_faulty_bearings_that_are_not_in_the_register(data_dir):
    """Records of the 0.028 inch faults, made on another make of bearing: abnormal, not healthy."""
    entries = [e for e in read_manifest(data_dir) if "IR/028" in e.file]
    if not entries:
        pytest.skip("the 0.028 inch records are not in VIBRO_DATA")
    for entry in entries:
        recording = read_entry(entry)
        points = points_of(entry, recording)
        said = assess(recording.samples, recording.rate_hz, recording.rpm, points)
        assert [d.fault for d in said.diagnoses] == [Fault.UNKNOWN]
        assert said.severity is Severity.WATCH
