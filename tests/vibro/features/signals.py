"""Windows of every kind that a sensor delivers."""

from __future__ import annotations

import numpy as np


def windows(n, rate_hz, seed=0):
    """Name and samples of windows of every kind, float32.

    Tones stand on a little noise, as every sensor's do; ``pure`` is a tone without any, and what
    it leaves in the rest of the spectrum is rounding.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(n) / rate_hz
    noise = rng.standard_normal(n)
    tones = sum(np.sin(2 * np.pi * 29.95 * h * t + h) / h for h in range(1, 8))
    ring = np.exp(-800 * t) * np.sin(2 * np.pi * 0.23 * rate_hz * t)
    hits = np.zeros(n)
    hits[:: max(1, int(rate_hz / 107.4))] = 1.0
    impulses = np.convolve(hits, ring)[:n] + 0.05 * noise
    made = {
        "random": noise,
        "tonal": tones + 0.01 * noise,
        "pure": np.sin(2 * np.pi * 0.0391 * np.arange(n)),
        "impulsive": impulses,
        "one impact": np.roll(ring, n // 3) + 0.01 * noise,
        "constant": np.full(n, 9.80665),
        "silent": np.zeros(n),
        "clipped": np.clip(2 * noise, -1.5, 1.5),
        "clipped tone": np.clip(1.3 * tones, -1.0, 1.0) + 1e-3 * noise,
        "offset": 5 + 0.1 * noise,
        "small": 1e-3 * (noise + tones),
        "counts": np.round(20 * noise) * 0.01,
        "drifting": 3 * t / t[-1] + 0.1 * noise,
    }
    return {name: x.astype(np.float32) for name, x in made.items()}
