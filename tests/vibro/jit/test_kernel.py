"""Kernels that numba compiles when they are called, and not before."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from vibro.jit import Kernel, ahead, njit, only


@njit(error_model="numpy")
def halved(x):
    return x / 2.0


@njit(variant=only, error_model="numpy")
def summed(values):
    """Sum of halves."""
    total = 0.0
    for v in values:
        total += halved(v)
    return total


def test_a_kernel_calls_kernels_and_keeps_its_name():
    assert summed(np.arange(5.0)) == 5.0
    assert isinstance(summed, Kernel)
    assert (summed.__name__, summed.__doc__) == ("summed", "Sum of halves.")


def test_code_compiled_ahead_is_called_for_its_variant_only():
    @njit(variant=lambda args: (len(args[0]),))
    def doubled(values):
        return values * 2.0

    doubled.compiled[(3,)] = lambda values: "ahead"
    assert doubled(np.zeros(3)) == "ahead"
    assert doubled(np.ones(2)).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("module", ["vibro.features.stream", "vibro.bundle", "edge_node.host"])
def test_importing_kernels_does_not_import_numba(module):
    code = f"import sys, {module}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


ENTRY = """
from vibro.jit import njit

@njit(cache=True)
def doubled(x):
    return 2.0 * x
"""


@pytest.mark.slow_nojit
def test_machine_code_in_the_cache_is_as_old_as_all_kernels(tmp_path, monkeypatch):
    """Its own file has not changed, but a piece elsewhere that it carries may have."""
    file = tmp_path / "an_entry_of_kernels.py"
    file.write_text(ENTRY)

    def misses(digest: str) -> int:
        monkeypatch.setattr(ahead, "sources_digest", lambda: digest)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.doubled(2.0) == 4.0
        return sum(module.doubled.dispatcher.stats.cache_misses.values())

    assert [misses(d) for d in ("one", "one", "another", "another")] == [1, 0, 1, 0]
