"""Kernels that numba compiles when they are called, and not before."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from vibro.jit import Kernel, njit, only


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
