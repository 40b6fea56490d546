"""Made-up bearing rigs at 12 kHz: healthy recordings, and some with an outer race fault."""

from __future__ import annotations

import numpy as np

from tests.datasets.manifests import LINES

RATE = 12_000


def healthy(seed, n=12_000):
    rng = np.random.default_rng(seed)
    turn = np.sin(2 * np.pi * 30 * np.arange(n) / RATE + rng.uniform(0, 6))
    return (0.05 * turn + rng.normal(0, 0.1, n))[None].astype(np.float32)


def outer(seed, n=12_000, size=1.0):
    """Impacts at BPFO of 1797 rpm that ring at 3 kHz."""
    x, at = healthy(seed, n), 0.0
    ring = np.arange(200) / RATE
    hit = size * np.exp(-ring * 800) * np.sin(2 * np.pi * 3000 * ring)
    rng = np.random.default_rng(seed)
    while at < n - 200:
        x[0, int(at) : int(at) + 200] += hit
        at += RATE / (LINES["BPFO"] * 1797 / 60) * (1 + 0.01 * rng.normal())
    return x
