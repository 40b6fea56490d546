"""Inputs that nobody meant: what is sound, cut, flipped, repeated and mixed by a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mutated(sound: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """One input made of sound ones by a few random edits; sometimes none at all."""
    data = bytearray(sound[rng.integers(len(sound))])
    for _ in range(int(rng.integers(0, 5))):
        if not data:
            data = bytearray(b"\0")
        at = int(rng.integers(len(data)))
        n = int(rng.integers(1, 40))
        match int(rng.integers(7)):
            case 0:
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                data[at : at + n] = rng.bytes(n)
            case 2:
                del data[at : at + n]
            case 3:
                data[at:at] = rng.bytes(n)
            case 4:
                data = data[:at]
            case 5:
                # What is large, small, negative or not a number.
                value = np.array([rng.choice(EXTREMES)])
                data[at : at + 8] = value.astype(rng.choice(["<f8", "<f4", "<i8"])).tobytes()
            case _:
                other = sound[rng.integers(len(sound))]
                data[at:at] = other[: int(rng.integers(len(other) + 1))]
    return bytes(data)


EXTREMES = np.array([0.0, -1.0, 1.0, 2.0**15, 2.0**31, 2.0**62, -(2.0**62), 1e-300])
