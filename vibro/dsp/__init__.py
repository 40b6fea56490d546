"""Digital signal processing in numba: FFTs, FIR decimation and squared envelopes.

Everything works on float32, allocates nothing while it runs and can be called from other numba
kernels. With ``NUMBA_DISABLE_JIT=1`` the same source runs as plain Python.
"""
