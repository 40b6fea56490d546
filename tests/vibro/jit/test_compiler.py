"""Numba in a process that only runs kernels: without what it does not need, and nobody's harm."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import gc, sys
from vibro.jit.compiler import load_compiler
load_compiler()
load_compiler()
assert "numba" in sys.modules and gc.isenabled()
import numpy as np
from vibro.dsp.fft import real_plan, rfft_rows
out = np.zeros((1, 2, 33), np.float32)
rfft_rows(np.ones((1, 64), np.float32), real_plan(64), out)
assert out[0, 0, 0] == 64.0
loaded = {"scipy", "coverage", "yaml", "cffi"} & sys.modules.keys()
assert not loaded, loaded
import scipy.linalg
assert scipy.linalg.det([[2.0]]) == 2.0
"""


def test_numba_brings_nothing_that_no_kernel_uses_and_it_can_be_used_after_all():
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_is_loaded_already_stays_as_it_is():
    code = """
import sys, scipy.linalg
held = sys.modules["scipy.linalg"]
from vibro.jit.compiler import load_compiler
load_compiler()
assert sys.modules["scipy.linalg"] is held
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
