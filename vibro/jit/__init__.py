"""Kernels: Python functions that numba compiles when they are first called, not before.

`njit` here is numba's, deferred: importing a module of kernels costs nothing, and a process whose
kernels were compiled ahead of time (`vibro.jit.ahead`) never imports numba at all.
"""

from vibro.jit.kernel import Kernel, njit, only

__all__ = ["Kernel", "njit", "only"]
