"""One simulated machine: any stretch of samples, rendered from its physics.

Samples are made in fixed frames, each with a look-back long enough for every resonance to have
died out, so that a stretch is the same however it is asked for.

Speed wanders slowly as a sum of three sinusoids, whose integral (the shaft's angle) is known in
closed form; load follows another. Bearing defects strike where the geometry says, slowed by 1 to
2 % of slip and jittered, ring the structure's resonances and are weighed by the load zone
(P. D. McFadden & J. D. Smith, J. Sound Vib. 96(1), 1984; R. B. Randall & J. Antoni, MSSP 25, 2011).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.assets import Machine, Point
from vibro.faults import Fault
from vibro.records import StreamInfo
from vibro.simulate import kernel
from vibro.simulate.condition import AS_MADE, Condition
from vibro.simulate.scenario import CommonCause, Scenario, Truth, seed_of
from vibro.simulate.signature import faulty, healthy

KNOT = 128
FRAME = 200 * KNOT
LOOK_BACK = 16 * KNOT

Floats = NDArray[np.float64]


class SimulatedMachine:
    """Renders the samples of one machine of a scenario.

    Parameters
    ----------
    machine : Machine
        Asset record; all points at one rate.
    scenario : Scenario
    condition : Condition, optional
        What load, heat and the like make of it; as made by default.
    """

    def __init__(
        self, machine: Machine, scenario: Scenario, condition: Condition = AS_MADE
    ) -> None:
        self._machine = machine
        self._rate_hz = machine.points[0].rate_hz
        rng = np.random.default_rng(seed_of(scenario.seed, machine.path))
        self._speed = Speed((machine.rpm_nominal or 1500.0) / 60.0, rng)
        turn = float(rng.uniform(0, 2 * np.pi))
        truths = scenario.of(machine.path)
        shocks = scenario.shocks_of(machine.site)
        self._channels = [
            _Channel(machine, p, self._speed, truths, shocks, scenario.seed, turn, condition)
            for p in machine.points
        ]

    @property
    def info(self) -> StreamInfo:
        """What the stream is."""
        scale = [p.range_m_s2 / 32768.0 for p in self._machine.points]
        return StreamInfo(
            channels=self._machine.channels,
            rate_hz=self._rate_hz,
            scale=np.array(scale, np.float32),
            stream_epoch=0,
            sample_bytes=2,
        )

    def render(self, first_sample: int, n: int) -> tuple[NDArray[np.int16], float]:
        """Render samples ``first_sample`` to ``first_sample + n``.

        Returns
        -------
        counts : ndarray, int16, shape (channels, n)
        rpm : float
            Mean speed of the reference shaft over the stretch.
        """
        counts = np.empty((len(self._channels), n), np.int16)
        frame = first_sample // FRAME
        while frame * FRAME < first_sample + n:
            start = frame * FRAME
            lo, hi = max(first_sample, start), min(first_sample + n, start + FRAME)
            for c, channel in enumerate(self._channels):
                # Hashes wrap on purpose; with the JIT off NumPy would warn of it.
                with np.errstate(over="ignore"):
                    part = channel.frame(start)
                counts[c, lo - first_sample : hi - first_sample] = part[lo - start : hi - start]
            frame += 1
        span = np.array([first_sample, first_sample + n]) / self._rate_hz
        turns = self._speed.turns(span)
        return counts, float((turns[1] - turns[0]) / (span[1] - span[0]) * 60.0)


class Speed:
    """Shaft speed f(t) = f0 (1 + sum a sin(2 pi v t + p)): 0.3 % of slow wander."""

    def __init__(self, shaft_hz: float, rng: np.random.Generator) -> None:
        self.shaft_hz = shaft_hz
        self._a = rng.uniform(0.0005, 0.0018, 3)
        self._v = np.array([0.011, 0.047, 0.21]) * rng.uniform(0.8, 1.25, 3)
        self._p = rng.uniform(0, 2 * np.pi, 3)
        self._load = rng.uniform(0.02, 0.05), rng.uniform(0.008, 0.02), rng.uniform(0, 6.28)

    def turns(self, t: Floats) -> Floats:
        """Turns of the shaft since time 0, the integral of the speed."""
        w = 2.0 * np.pi * self._v
        swing = self._a / w * (np.cos(self._p) - np.cos(np.multiply.outer(t, w) + self._p))
        return np.asarray(self.shaft_hz * (t + swing.sum(axis=-1)))

    def load(self, t: Floats) -> Floats:
        """Relative load, about 1."""
        depth, hz, phase = self._load
        return np.asarray(1.0 + depth * np.sin(2.0 * np.pi * hz * t + phase))


class _Channel:
    """One point of the machine."""

    def __init__(
        self,
        machine: Machine,
        point: Point,
        speed: Speed,
        truths: tuple[Truth, ...],
        shocks: tuple[CommonCause, ...],
        seed: int,
        turn: float,
        condition: Condition,
    ) -> None:
        self._point, self._speed, self._truths, self._shocks = point, speed, truths, shocks
        rng = np.random.default_rng(seed_of(seed, machine.path, point.channel))
        # Common to all channels of a machine: what comes from inside it strikes all of them.
        self._inner_key = np.uint64(seed_of(seed, machine.path, "inside"))
        self._site_key = np.uint64(seed_of(seed, machine.site, "ground"))
        self._key = np.uint64(int(rng.integers(2**62)))
        self._rate_hz = point.rate_hz
        self._load, self._gain = condition.load, condition.gain
        self._healthy = healthy(point, speed.shaft_hz, rng, turn, condition.one_x)
        self._poles = _resonators(condition.stiffness, rng)
        self._floor = float(rng.uniform(0.25, 0.45)) * condition.floor
        self._force = float(rng.uniform(0.5, 0.8)) * condition.friction
        self._slip = float(rng.uniform(0.005, 0.015))
        self._hum = float(rng.uniform(0.01, 0.04)), float(rng.uniform(0, 6.28))
        # Drawn last: a fault leaves the machine it befalls what it was.
        self._faulty = [
            (t, faulty(t.fault, point, speed.shaft_hz, t.size, rng, turn)) for t in truths
        ]

    def frame(self, start: int) -> NDArray[np.int16]:
        """Render the frame that begins at ``start``."""
        first = start - LOOK_BACK
        n = FRAME + LOOK_BACK
        t = (first + KNOT * np.arange(n // KNOT + 1)) / self._rate_hz
        turns, load = self._speed.turns(t), self._speed.load(t) * self._load
        ratio = self._point.shaft_ratio
        out, force = np.zeros(n), np.zeros(n)
        kernel.synchronous(out, self._healthy, turns * ratio, load, KNOT)
        kernel.noise(force, self._key, first, self._force * load, KNOT)
        self._faults(out, force, t, turns * ratio, load)
        for shock in self._shocks:
            self._shock(force, t, first, shock)
        kernel.resonate(out, force, self._poles)
        kernel.noise(out, self._key + np.uint64(7), first, np.full(t.size, self._floor), KNOT)
        omega = 2.0 * np.pi * self._point.line_hz / self._rate_hz
        kernel.hum(out, first, 2.0 * omega, self._hum[0], self._hum[1])
        signal = out[LOOK_BACK:] * self._gain
        for truth in self._truths:
            if truth.fault.is_sensor_fault:
                signal = _spoil(signal, truth, start, self._rate_hz, self._point.range_m_s2)
        counts = np.empty(FRAME, np.int16)
        kernel.quantise(counts, signal, 32768.0 / self._point.range_m_s2)
        return counts

    def _faults(self, out: Floats, force: Floats, t: Floats, turns: Floats, load: Floats) -> None:
        for truth, table in self._faulty:
            grown = growth(truth, t)
            if not grown.any():
                continue
            if table is not None:
                kernel.synchronous(out, table, turns, grown * load, KNOT)
            self._strike(force, truth, turns, grown * load * truth.size)
            if truth.fault is Fault.CAVITATION:
                key = self._inner_key + np.uint64(3)
                bursts = 1.0 + 0.6 * np.sin(2 * np.pi * turns * (self._point.blades or 5))
                level = 4.0 * truth.size * grown * bursts
                kernel.noise(force, key, round(float(t[0]) * self._rate_hz), level, KNOT)

    def _strike(self, force: Floats, truth: Truth, turns: Floats, gain: Floats) -> None:
        """Impulses of bearing and tooth defects."""
        point, fault = self._point, truth.fault
        slip = turns * (1.0 - self._slip)
        orders = point.bearing.orders() if point.bearing else None
        plans: dict[Fault, tuple[float, Floats, float, float]] = {}
        if orders is not None:
            plans = {
                Fault.BEARING_OUTER: (orders.bpfo, 0.0 * turns, 0.0, 26.0),
                Fault.BEARING_INNER: (orders.bpfi, turns, 0.85, 34.0),
                Fault.BEARING_BALL: (2.0 * orders.bsf, orders.ftf * slip, 0.7, 30.0),
                Fault.BEARING_CAGE: (orders.ftf, 0.0 * turns, 0.0, 30.0),
            }
        plans[Fault.GEAR_TOOTH] = (1.0, 0.0 * turns, 0.0, 75.0)
        if fault not in plans:
            return
        order, modulation, depth, size = plans[fault]
        phase = (turns if fault is Fault.GEAR_TOOTH else slip) * order
        jitter = (
            2
            if fault is Fault.GEAR_TOOTH
            else max(2, round(0.02 * self._rate_hz / (order * self._speed.shaft_hz)))
        )
        kernel.impulses(force, self._inner_key, phase, gain * size, modulation, depth, jitter, KNOT)

    def _shock(self, force: Floats, t: Floats, first: int, shock: CommonCause) -> None:
        """Ground impacts five times a second, the same instants for every machine of the site."""
        inside = (t >= shock.at_s) & (t < shock.at_s + shock.duration_s)
        if not inside.any():
            return
        del first
        gain = inside * 160.0 * shock.size
        still = 0.0 * t
        kernel.impulses(force, self._site_key, 5.0 * t, gain, still, 0.0, 400, KNOT)


def growth(truth: Truth, t: Floats) -> Floats:
    """Size of a fault relative to fully grown: 0 at onset, 1 after ``grow_s``."""
    return np.asarray(np.clip((t - truth.onset_s) / truth.grow_s, 0.0, 1.0) ** 1.5)


def _resonators(stiffness: float, rng: np.random.Generator) -> Floats:
    """Two structural resonances with 2 to 4 % of critical damping, unit-peak impulse response."""
    rows = []
    for low, high in ((0.08, 0.13), (0.18, 0.3)):
        omega = 2.0 * math.pi * float(rng.uniform(low, high)) * stiffness
        decay = math.exp(-omega * float(rng.uniform(0.02, 0.04)))
        rows.append((2.0 * decay * math.cos(omega), -decay * decay, 0.5 * math.sin(omega)))
    return np.array(rows)


def _spoil(signal: Floats, truth: Truth, start: int, rate_hz: float, full: float) -> Floats:
    """What a sensor fault makes of the true signal from its onset on."""
    t = start / rate_hz + np.arange(signal.size) / rate_hz
    on = t >= truth.onset_s
    if not on.any():
        return signal
    spoiled: dict[Fault, Any] = {
        Fault.FLATLINE: lambda: np.full(signal.size, 0.02 * full),
        Fault.CLIPPING: lambda: np.clip(signal * 400.0, -full, full),
        Fault.DROPOUT: lambda: np.where((t * 3.0) % 1.0 < 0.4, 0.0, signal),
        Fault.BIAS: lambda: signal + 0.3 * full,
        Fault.SPIKE: lambda: np.where(np.rint(t * rate_hz) % 9973 == 0, full, signal),
        Fault.DETACHED: lambda: 0.05 * signal,
    }
    return np.where(on, spoiled[truth.fault](), signal)
