"""Whole numbers that are mostly small, in few bits: Golomb-Rice codes of many short columns.

A column costs one parameter and, for residuals of a bell-shaped or exponential distribution, within
a fifth of a bit a value of their entropy, however few they are: that is what a day of a few dozen
rows needs, where a packer that learns a distribution pays more for the distribution than for the
rows. Source: R. F. Rice, JPL Publication 79-22 (1979).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError

Ints = NDArray[np.int64]
MOST_K = 56
"""Largest parameter: residuals are below 2^56, so that no quotient is longer than a few bits."""


def best_parameter(values: Ints) -> tuple[int, int]:
    """Parameter k with which a column of residuals takes the fewest bits, and how many.

    It lies near log2(mean ln 2) of the folded residuals, whatever their distribution.
    """
    folded = _fold(values)
    # Summed as floats, because sums of large residuals are beyond 64 bits.
    mean = float(folded.sum(dtype=np.float64)) / max(folded.size, 1)
    near = int(np.log2(max(mean * np.log(2.0), 1.0)))
    tried = range(max(0, near - 2), min(near + 1, MOST_K) + 1)
    bits = {k: int((folded >> np.uint64(k)).sum()) + folded.size * (1 + k) for k in tried}
    best = min(bits, key=lambda k: bits[k])
    return best, bits[best]


def write(columns: Sequence[Ints], parameters: Sequence[int]) -> bytes:
    """Write columns of residuals, |value| < 2^55, one after the other.

    All quotients come first, in unary (as many zeros, then a one), then all remainders, k bits
    each, high bit first.
    """
    folded = [_fold(c) for c in columns]
    pairs = list(zip(folded, parameters, strict=True))
    quotients = np.concatenate([np.zeros(0, np.uint64), *(u >> np.uint64(k) for u, k in pairs)])
    ends = np.cumsum(quotients.astype(np.int64) + 1)
    unary = np.zeros(int(ends[-1]) if ends.size else 0, np.uint8)
    unary[ends - 1] = 1
    rest = [((u[:, None] >> _places(k)) & np.uint64(1)).astype(np.uint8).ravel() for u, k in pairs]
    return np.packbits(np.concatenate([unary, *rest])).tobytes()


def read(data: bytes, lengths: Sequence[int], parameters: Sequence[int]) -> list[Ints]:
    """Read columns of the given lengths; the inverse of `write`.

    Raises
    ------
    BadInputError
        If the bytes are not exactly those columns.
    """
    total = sum(lengths)
    remainders = sum(n * k for n, k in zip(lengths, parameters, strict=True))
    if total + remainders > 8 * len(data):
        raise BadInputError(f"{len(data)} bytes cannot hold {total} residuals")
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    ends = np.flatnonzero(bits[: bits.size - remainders])[:total]
    used = int(ends[-1]) + 1 if total and ends.size else 0
    if ends.size != total or -(-(used + remainders) // 8) != len(data):
        raise BadInputError("residuals are torn")
    quotients = np.diff(ends, prepend=-1) - 1
    found, at, bit = [], 0, used
    for n, k in zip(lengths, parameters, strict=True):
        rest = bits[bit : bit + n * k].reshape(n, k).astype(np.int64) @ (1 << _places(k)).astype(
            np.int64
        )
        found.append(_unfold((quotients[at : at + n] << k) + rest))
        at, bit = at + n, bit + n * k
    return found


def _places(k: int) -> NDArray[np.uint64]:
    return np.arange(k - 1, -1, -1).astype(np.uint64)


def _fold(values: Ints) -> NDArray[np.uint64]:
    """0, -1, 1, -2, 2 ... as 0, 1, 2, 3, 4 ..."""
    return ((values << 1) ^ (values >> 63)).astype(np.uint64)


def _unfold(folded: Ints) -> Ints:
    return np.asarray((folded >> 1) ^ -(folded & 1), np.int64)
