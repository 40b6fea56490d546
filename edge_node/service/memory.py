"""Memory of a process that runs for months beside others: what is freed goes back at once."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGE_BYTES = 128 * 1024
"""From here on a block is the system's again when it is freed; a sample block is smaller."""


def bound_heap() -> bool:
    """Let the C library keep one heap, and nothing large in it; return whether it can be told.

    By itself glibc gives every thread a heap, and once a clip was freed puts the next one of that
    size among the small blocks, where it leaves holes: some ten megabytes a machine. Source:
    mallopt(3).
    """
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        # Another C library has other habits.
        return False
    options = {M_ARENA_MAX: 1, M_MMAP_THRESHOLD: LARGE_BYTES, M_TRIM_THRESHOLD: LARGE_BYTES}
    return all(map(tell, options.keys(), options.values()))
