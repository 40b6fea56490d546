"""The simulator: the same samples however they are asked for, and physics where it belongs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from vibro.faults import Fault, Severity
from vibro.iso10816 import IsoLimits, zone
from vibro.simulate import CommonCause, Scenario, SimulatedMachine, Truth, plant

RATE = 25600
LENGTH = (1 if config.DISABLE_JIT else 8) * RATE
MOTOR = plant().machine("hamburg/motor-1")
GEARBOX = plant().machine("porto/gearbox-1")
PUMP = plant().machine("austin/pump-1")


def made(machine=MOTOR, *truths: Truth, seed: int = 3, shocks=()) -> SimulatedMachine:
    return SimulatedMachine(machine, Scenario(600.0, 100.0, seed, tuple(truths), tuple(shocks)))


def grown(fault: Fault, machine=MOTOR, size: float = 1.0, seed: int = 3) -> SimulatedMachine:
    """A machine whose fault is there from the start at full size."""
    return made(machine, Truth(machine.path, fault, -10.0, 1.0, size), seed=seed)


def acceleration(source: SimulatedMachine, first: int = 0, n: int = LENGTH) -> tuple:
    counts, rpm = source.render(first, n)
    return counts * source.info.scale[:, None].astype(np.float64), rpm


def spectrum(x) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes of lines (flat-top enough for 2 %) over frequency in Hz."""
    w = np.hanning(x.size)
    return np.fft.rfftfreq(x.size, 1 / RATE), 2 * np.abs(np.fft.rfft((x - x.mean()) * w)) / w.sum()


def line(x, hz: float, reach: float = 0.01) -> float:
    f, a = spectrum(x)
    return a[np.abs(f - hz) <= max(reach * hz, 2 * RATE / x.size)].max()


def band_envelope(x, low=0.15, high=0.32) -> np.ndarray:
    """Squared envelope of a wide band around the structure's resonances, by Hilbert."""
    bins = np.fft.fft(x)
    f = np.fft.fftfreq(x.size)
    return np.abs(np.fft.ifft(np.where((f > low) & (f < high), 2 * bins, 0))) ** 2


def velocity_mm_s(x) -> float:
    f, a = spectrum(x)
    band = (f >= 10) & (f <= 1000)
    # Parseval with a Hann window: its equivalent noise bandwidth is 1.5 bins.
    return 1e3 * math.sqrt((a[band] ** 2 / 2 / (2 * np.pi * f[band]) ** 2).sum() / 1.5)


# -- seeking -----------------------------------------------------------------------------------

SPAN = 3 * 5120
WHOLE = grown(Fault.BEARING_INNER).render(10_000, SPAN)[0]


@settings(max_examples=10 if config.DISABLE_JIT else 40, deadline=None)
@given(st.integers(0, SPAN - 1), st.integers(1, 6000), st.booleans())
def test_any_stretch_is_the_same_whenever_it_is_asked_for(at, n, again):
    n = min(n, SPAN - at)
    source = grown(Fault.BEARING_INNER)
    if again:
        source.render(at + 777, 5)
    assert (source.render(10_000 + at, n)[0] == WHOLE[:, at : at + n]).all()


@pytest.mark.parametrize("chunk", [4096 if config.DISABLE_JIT else 64, 5120, 7001])
def test_chunks_join_without_a_seam(chunk):
    source = grown(Fault.BEARING_INNER)
    starts = range(0, SPAN, chunk)
    parts = [source.render(10_000 + at, min(chunk, SPAN - at)) for at in starts]
    assert (np.concatenate([p for p, _ in parts], axis=1) == WHOLE).all()
    lengths = [p.shape[1] for p, _ in parts]
    mean = np.average([rpm for _, rpm in parts], weights=lengths)
    assert mean == pytest.approx(source.render(10_000, SPAN)[1], rel=1e-9)


def test_the_seam_of_two_frames_is_as_quiet_as_any_other_place():
    """Every frame starts its resonators afresh; the look-back must have settled them."""
    x, _ = acceleration(grown(Fault.BEARING_OUTER), 0, (4 if config.DISABLE_JIT else 40) * 5120)
    steps = np.abs(np.diff(x[0], n=3))
    seams = steps[np.arange(5120, x.shape[1] - 3, 5120) - 2]
    assert seams.max() <= np.quantile(steps, 0.9999)


@pytest.mark.slow_nojit
def test_far_from_the_start_it_is_still_the_same_machine():
    day = 86_400 * RATE
    near, far = acceleration(made(), 0, RATE // 2)[0], acceleration(made(), day, RATE // 2)[0]
    np.testing.assert_allclose(far.std(axis=1), near.std(axis=1), rtol=0.1)


def test_the_seed_is_everything_there_is_to_chance():
    a, b, other = (made(seed=s).render(0, 6000)[0] for s in (3, 3, 4))
    assert (a == b).all()
    assert (a != other).mean() > 0.9
    elsewhere = SimulatedMachine(replace(MOTOR, site="oslo"), Scenario(600.0, 100.0, 3))
    assert (a != elsewhere.render(0, 6000)[0]).mean() > 0.9


def test_a_fault_of_another_machine_leaves_this_one_alone():
    other = Truth("hamburg/fan-1", Fault.BEARING_OUTER, 0.0)
    assert (made(MOTOR, other).render(0, 6000)[0] == made().render(0, 6000)[0]).all()


def test_what_the_stream_says_of_itself():
    info = made().info
    assert [str(c) for c in info.channels] == ["hamburg/motor-1/de-h", "hamburg/motor-1/de-v"]
    assert (info.rate_hz, info.sample_bytes) == (25600.0, 2)
    np.testing.assert_allclose(info.scale * 32768, 490.0)
    assert made().render(0, 100)[0].dtype == np.int16


# -- physics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", [MOTOR, GEARBOX, PUMP], ids=lambda m: m.machine)
def test_a_healthy_machine_is_in_zone_a_or_b_and_turns_at_its_speed(machine):
    x, rpm = acceleration(made(machine))
    assert rpm == pytest.approx(machine.rpm_nominal, rel=0.01)
    limits = IsoLimits((1.4, 2.8, 4.5), (22.0, 45.0, 71.0))
    for channel in x:
        speed = velocity_mm_s(channel)
        assert speed > 0.2
        assert zone(speed, None, limits).severity is Severity.OK
        f, a = spectrum(channel)
        low = (f > 5) & (f < 1.5 * rpm / 60)
        assert f[low][a[low].argmax()] == pytest.approx(rpm / 60, rel=0.03)


def test_imbalance_is_one_line_at_the_shafts_speed_in_both_axes_a_quarter_turn_apart():
    x, rpm = acceleration(grown(Fault.IMBALANCE))
    fr = rpm / 60
    expected = 6e-3 * math.sqrt(2) * 2 * math.pi * fr
    assert line(x[0], fr) == pytest.approx(expected, rel=0.2)
    assert line(x[1], fr) == pytest.approx(0.85 * expected, rel=0.2)
    healthy, _ = acceleration(made())
    assert line(x[0], 3 * fr) == pytest.approx(line(healthy[0], 3 * fr), rel=0.1)
    t = np.arange(x.shape[1]) / RATE
    turning = np.exp(-2j * np.pi * fr * t) * np.hanning(t.size)
    lag = np.angle((x[1] * turning).sum() / (x[0] * turning).sum())
    assert lag == pytest.approx(-math.pi / 2, abs=0.35)


@pytest.mark.slow_nojit
def test_misalignment_pulls_twice_a_turn():
    (x, _), (y, rpm) = acceleration(made()), acceleration(grown(Fault.MISALIGNMENT))
    fr = rpm / 60
    expected = 4.2e-3 * math.sqrt(2) * 2 * math.pi * 2 * fr
    assert line(y[0], 2 * fr) == pytest.approx(expected, rel=0.25)
    assert line(y[0], 2 * fr) > 4 * line(x[0], 2 * fr)


@pytest.mark.slow_nojit
def test_looseness_brings_half_orders():
    (x, _), (y, rpm) = acceleration(made()), acceleration(grown(Fault.LOOSENESS))
    for half in (0.5, 1.5, 2.5):
        hz = half * rpm / 60
        assert line(y[0], hz, 0.002) > 4 * line(x[0], hz, 0.002)


def test_a_damaged_tooth_strikes_once_a_turn_and_loads_the_meshs_sidebands():
    (x, _), (y, rpm) = acceleration(made(GEARBOX)), acceleration(grown(Fault.GEAR_TOOTH, GEARBOX))
    fr = rpm / 60
    mesh = GEARBOX.points[0].gear_teeth * fr
    assert line(y[0], mesh + fr, 0.002) > 3 * line(x[0], mesh + fr, 0.002)
    e = band_envelope(y[0])
    assert line(e, fr) > 5 * np.median(spectrum(e)[1][1:2000])


@pytest.mark.slow_nojit
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fault", [Fault.BEARING_OUTER, Fault.BEARING_INNER, Fault.BEARING_BALL])
def test_bearing_defects_strike_where_geometry_says_less_the_slip(fault, seed):
    x, rpm = acceleration(grown(fault, seed=seed))
    orders = MOTOR.points[0].bearing.orders()
    order = {
        Fault.BEARING_OUTER: orders.bpfo,
        Fault.BEARING_INNER: orders.bpfi,
        Fault.BEARING_BALL: 2 * orders.bsf,
    }[fault]
    f, a = spectrum(band_envelope(x[0]))
    expected = order * rpm / 60
    near = (f > 0.9 * expected) & (f < 1.1 * expected)
    found = f[near][a[near].argmax()]
    assert 0.98 * expected <= found <= 0.998 * expected
    floor = np.median(a[(f > 0.5 * expected) & (f < 1.5 * expected)])
    assert a[near].max() > 6 * floor
    healthy, _ = acceleration(made(seed=seed))
    assert line(band_envelope(healthy[0]), found, 0.002) < 0.2 * a[near].max()


@pytest.mark.slow_nojit
def test_only_a_turning_defect_is_modulated_by_the_load_zone():
    """Inner race: sidebands at the shaft's speed around BPFI; outer race: none around BPFO."""
    orders = MOTOR.points[0].bearing.orders()
    ratio = {}
    for fault, order in ((Fault.BEARING_INNER, orders.bpfi), (Fault.BEARING_OUTER, orders.bpfo)):
        x, rpm = acceleration(grown(fault))
        e, fr = band_envelope(x[0]), rpm / 60
        f, a = spectrum(e)
        near = (f > 0.97 * order * fr) & (f < 1.0 * order * fr)
        centre = f[near][a[near].argmax()]
        ratio[fault] = line(e, centre + fr, 0.003) / a[near].max()
    assert ratio[Fault.BEARING_INNER] > 0.3
    assert ratio[Fault.BEARING_OUTER] < 0.5 * ratio[Fault.BEARING_INNER]


@pytest.mark.slow_nojit
def test_cavitation_is_broad_band_noise():
    healthy, sick = (acceleration(s)[0][0] for s in (made(PUMP), grown(Fault.CAVITATION, PUMP)))
    f, a = spectrum(healthy)
    high = f > 2000
    assert np.median(spectrum(sick)[1][high]) > 2 * np.median(a[high])


def test_a_fault_grows_from_nothing_at_its_onset():
    truth = Truth(MOTOR.path, Fault.IMBALANCE, 1.0, 4.0)
    n = RATE
    source, healthy = made(MOTOR, truth), made()
    assert (source.render(0, n - 128)[0] == healthy.render(0, n - 128)[0]).all()
    if config.DISABLE_JIT:
        return
    levels = [velocity_mm_s(acceleration(source, k * n, n)[0][0]) for k in range(1, 8)]
    assert (np.diff(levels[:5]) > 0).all()
    assert levels[-1] == pytest.approx(levels[-2], rel=0.15)


@pytest.mark.slow_nojit
def test_a_shock_is_felt_by_every_machine_of_the_site_at_once_and_nowhere_else():
    shock = CommonCause("hamburg", 0.2, 0.4)
    n = RATE
    fan, motor = (plant().machine(f"hamburg/{m}") for m in ("fan-1", "motor-1"))
    differs = []
    for machine in (fan, motor, PUMP):
        calm, shaken = made(machine).render(0, n)[0], made(machine, shocks=[shock]).render(0, n)[0]
        differs.append(np.abs(shaken.astype(int) - calm)[0] * made(machine).info.scale[0])
    assert differs[2].max() == 0.0
    first = [int(np.argmax(d > 1.0)) for d in differs[:2]]
    assert abs(first[0] - first[1]) < 20
    assert min(first) >= 0.2 * RATE
    assert max(d[round(0.7 * RATE) :].max() for d in differs[:2]) < 0.5


SPOILT = {
    Fault.FLATLINE: lambda x, y: np.ptp(y) == 0,
    Fault.CLIPPING: lambda x, y: (np.abs(y) > 489).mean() > 0.3,
    Fault.DROPOUT: lambda x, y: 0.3 < (y == 0).mean() < 0.6,
    Fault.BIAS: lambda x, y: abs(y.mean() - x.mean() - 0.3 * 490) < 1,
    Fault.SPIKE: lambda x, y: 1 <= (y > 489).sum() < 5,
    Fault.DETACHED: lambda x, y: abs(y.std() / x.std() - 0.05) < 0.01,
}


@pytest.mark.parametrize("fault", SPOILT)
def test_sensor_faults_spoil_the_measurement_from_their_onset_on(fault):
    n, onset = 20_480, 10_240
    sick = made(MOTOR, Truth(MOTOR.path, fault, onset / RATE))
    x, y = acceleration(made(), 0, n)[0][0], acceleration(sick, 0, n)[0][0]
    assert (x[:onset] == y[:onset]).all()
    assert SPOILT[fault](x[onset:], y[onset:])


FROM_THE_BEARING = [f for f in Fault if f.family == "bearing"]
FROM_THE_SHAFT = [Fault.IMBALANCE, Fault.MISALIGNMENT, Fault.LOOSENESS]
FROM_THE_GEAR = [Fault.GEAR_MESH, Fault.GEAR_TOOTH]


@pytest.mark.parametrize("fault", [*FROM_THE_BEARING, *FROM_THE_SHAFT, *FROM_THE_GEAR])
def test_every_fault_adds_to_what_the_machine_was(fault):
    n = 5120
    healthy = acceleration(made(GEARBOX), 0, n)[0].std(axis=1)
    sick = acceleration(grown(fault, GEARBOX, 2.0), 0, n)[0].std(axis=1)
    assert (sick > 1.02 * healthy).all()


def test_a_shock_of_no_length_and_a_fault_without_its_part_change_nothing():
    calm = made().render(0, 5120)[0]
    shaken = made(MOTOR, shocks=[CommonCause("hamburg", 9.0, 1.0)]).render(0, 5120)[0]
    toothless = grown(Fault.GEAR_MESH).render(0, 5120)[0]
    plain = made(replace(MOTOR, points=tuple(replace(p, bearing=None) for p in MOTOR.points)))
    no_bearing = SimulatedMachine(
        replace(MOTOR, points=tuple(replace(p, bearing=None) for p in MOTOR.points)),
        Scenario(600.0, 100.0, 3, (Truth(MOTOR.path, Fault.BEARING_OUTER, -10.0, 1.0),)),
    )
    assert (calm == shaken).all()
    assert (calm == toothless).all()
    assert (plain.render(0, 5120)[0] == no_bearing.render(0, 5120)[0]).all()
