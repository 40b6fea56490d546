"""Loading numba in a process that only runs kernels: in half the time, without scipy."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NOT_NEEDED = ("scipy", "coverage", "yaml", "cffi")
"""What numba looks for when it loads, and goes without where it is not installed.

The first is the BLAS of ``np.dot`` and its like, which no kernel uses: 0.25 s and 15 MiB. The last
two read a file of settings and C declarations, which there are none of: 0.03 s.
"""


def load_compiler() -> None:
    """Load numba with all that cached kernels need, unless it is loaded already.

    Afterwards numba knows no BLAS in this process: for one that is an edge node and nothing else.
    """
    if "numba" in sys.modules:
        return
    with _hidden(NOT_NEEDED), _no_collection():
        from numba.core import entrypoints  # noqa: PLC0415
        from numba.core.registry import cpu_target  # noqa: PLC0415

        # Nothing that is installed beside has anything to add; numba would ask every package.
        entrypoints._already_initialized = True  # noqa: SLF001
        # What else would happen at the first call, and import the rest.
        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Let modules that are not loaded yet seem not to be installed."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None: as the import system has it
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def _no_collection() -> Iterator[None]:
    """Load modules without looking for garbage: there is none, and looking takes a third."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
