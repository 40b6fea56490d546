"""What writing and reading a block's cells have in common: flags, bounds, order of the rows.

Layout: four bytes with the length of the head (little endian), the head, the residuals (see
`vibro.wire.rice`). The head holds, as zigzag varints unless said otherwise: the number of channels,
or 0 and the channel of each row; of every other key a byte of flags, a slope (float64) where
`TIMED`, start and factor of its sequence, and where the factor is not 0 the middle of its steps and
a byte with the Rice parameter; of every column of values a byte with mode and parameter, a byte
with its grid, and a base for each channel, told as the difference to the one before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

MOST = 2**22
"""No sane block holds more cells: 128 channels for a day of minutes in 20 columns."""
CONSTANT, DELTA, PARAMETER = 0x80, 0x40, 0x3F
"""Mode of a column of values: it never changes; it is told row to row; bits of the parameter."""
SHARED, TIMED = 1, 2
"""Flags of a key: all channels have the same; it follows from ``first_sample``."""
FIRST_STEP, LAST_STEP = -149, 82
"""Exponents of grids of multiples, code 23 the first; codes below are mantissa bits dropped."""


def groups(channel: NDArray[Any]) -> tuple[NDArray[np.intp], list[int]]:
    """Order of the rows by channel, and how many rows each channel has."""
    _, sizes = np.unique(channel, return_counts=True)
    return np.argsort(channel, kind="stable"), sizes.tolist()


def elapsed(samples: Ints, slope: float) -> Ints:
    """Nanoseconds since the first of some sample numbers, at so many a sample."""
    with np.errstate(invalid="ignore", over="ignore"):
        exact = np.rint((samples - samples[0]).astype(np.float64) * slope)
        return np.asarray(exact.astype(np.int64), np.int64)
