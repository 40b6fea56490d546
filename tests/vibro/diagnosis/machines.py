"""A small machine made of first principles, sharing no code with `vibro.simulate`.

A defect strikes at instants that geometry gives, a little late or early and slowed by slip; each
strike rings one resonance; on top lie shaft orders and white noise.
"""

from __future__ import annotations

import numpy as np

from vibro.assets import Point
from vibro.kinematics import Bearing

RATE = 12800.0
SECONDS = 4.0
RPM = 1480.0
Z, BALL_MM, PITCH_MM = 9, 7.94, 39.04  # a 6205, whose lines keep clear of the shaft's
BEARING = Bearing("6205", Z, BALL_MM, PITCH_MM)


def orders(z: int = Z, d: float = BALL_MM, pitch: float = PITCH_MM) -> dict[str, float]:
    """Defect orders of a deep-groove bearing with a turning inner ring, by rolling without slip."""
    cage = 0.5 * (1 - d / pitch)
    return {
        "bearing_cage": cage,
        "bearing_outer": z * cage,
        "bearing_inner": z * (1 - cage),
        "bearing_ball": (pitch / d) * (1 - (d / pitch) ** 2),
    }


def point(channel: str = "de-h", axis: str = "H", **more) -> Point:
    location = channel.split("-", maxsplit=1)[0].upper()
    return Point(channel, location, axis, **{"bearing": BEARING, "rate_hz": RATE} | more)


def time_s(seconds: float = SECONDS) -> np.ndarray:
    return np.arange(round(RATE * seconds)) / RATE


def noise(seed: int, scale: float = 1.0, seconds: float = SECONDS) -> np.ndarray:
    return scale * np.random.default_rng(seed).standard_normal(round(RATE * seconds))


def tone(hz: float, amplitude: float, phase: float = 0.0, seconds: float = SECONDS) -> np.ndarray:
    return amplitude * np.cos(2 * np.pi * hz * time_s(seconds) + phase)


def order_tone(order: float, mm_s: float, phase: float = 0.0, rpm: float = RPM) -> np.ndarray:
    """A shaft order of a given velocity, as acceleration."""
    hz = order * rpm / 60
    return tone(hz, 1e-3 * mm_s * np.sqrt(2) * 2 * np.pi * hz, phase)


def ringing(at_s, sizes, hz=3300.0, damping=0.03, seconds=SECONDS) -> np.ndarray:
    """Sum of decaying sines that begin at any instant, also between two samples."""
    n, w = round(RATE * seconds), 2 * np.pi * hz
    x, length = np.zeros(n), round(8 / (damping * w) * RATE)
    for t, size in zip(at_s, sizes, strict=True):
        k = np.arange(int(np.ceil(t * RATE)), n)[:length]
        u = k / RATE - t
        x[k] += size * np.exp(-damping * w * u) * np.sin(w * u)
    return x


def strikes(hz: float, rng, seconds=SECONDS, jitter=0.01) -> np.ndarray:
    """Instants of strikes whose gaps vary: the elements slip, now more, now less."""
    gaps = (1 + jitter * rng.standard_normal(int(hz * seconds) + 2)) / hz
    at = rng.uniform() / hz + np.cumsum(gaps)
    return at[at < seconds]


def defect_hz(fault: str, rpm: float = RPM, slip: float = 0.01, **geometry) -> float:
    return orders(**geometry)[fault] * rpm / 60 * (1 - slip)


def damaged(
    fault: str, seed=0, rpm=RPM, slip=0.01, size=6.0, seconds=SECONDS, **geometry
) -> np.ndarray:
    """A running machine with one bearing defect, m/s2; the noise has unit variance."""
    rng = np.random.default_rng(seed)
    at = strikes(defect_hz(fault, rpm, slip, **geometry), rng, seconds)
    carrier_hz = {
        "bearing_inner": rpm / 60,
        "bearing_ball": defect_hz("bearing_cage", rpm, slip, **geometry),
    }.get(fault)
    load = 1.0 if carrier_hz is None else 0.2 + 0.8 * np.cos(np.pi * carrier_hz * at) ** 4
    sizes = size * load * (1 + 0.1 * rng.standard_normal(at.size))
    return ringing(at, sizes, seconds=seconds) + healthy(rng.integers(2**31), rpm, seconds)


def healthy(seed: int, rpm: float = RPM, seconds: float = SECONDS, scale: float = 1.0):
    """Orders of a sound machine in broad-band noise, m/s2."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(round(RATE * seconds))
    for order in range(1, 6):
        x += tone(order * rpm / 60, rng.uniform(0.1, 0.5), rng.uniform(0, 6.28), seconds)
    return scale * x
