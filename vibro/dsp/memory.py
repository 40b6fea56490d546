"""Memory for kernels that starts on a cache line: a vector that straddles two costs two loads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LINE_BYTES = 64
_LINE = LINE_BYTES // 4


def aligned(*shape: int) -> NDArray[np.float32]:
    """Float32 zeros, the first on a cache line."""
    size = int(np.prod(shape))
    room = np.zeros(size + _LINE, np.float32)
    first = (-room.ctypes.data % LINE_BYTES) // 4
    return room[first : first + size].reshape(shape)


def aligned_copy(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Float32 copy, the first value on a cache line."""
    copy = aligned(*values.shape)
    copy[...] = values
    return copy


def spectrum_memory(n: int) -> NDArray[np.float32]:
    """Room for the n/2 + 1 bins of a real FFT: real and imaginary parts, either on a cache line."""
    return aligned(2, n // 2 + _LINE)
