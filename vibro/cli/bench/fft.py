"""Real FFTs, float32: single, and 64 at once."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.cli.bench.measure import Contender, agree, case, race, repeated, target
from vibro.dsp.fft import real_fft, real_plan, rfft_rows
from vibro.dsp.memory import aligned, aligned_copy, spectrum_memory
from vibro.jit import njit

LENGTHS = (1024, 2048, 4096, 8192, 16384)
BATCH = 64
F32 = NDArray[np.float32]


@njit(cache=True)
def _again(x, plan, out, times):  # type: ignore[no-untyped-def] # as a kernel would call it
    for _ in range(times):
        real_fft(x, plan, out)


def run(rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Race all lengths; return cases, targets and the peers that are not installed."""
    absent = [p for p in PEERS if not _installed(p)]
    cases = [_length(n, b, rounds) for n in LENGTHS for b in (1, BATCH)]
    ratios = [c["peers"]["pyfftw"]["ratio"] for c in cases if "pyfftw" in c["peers"]]
    targets = [target("fft_vs_pyfftw", max(ratios), "<=", 1.1)] if ratios else []
    return cases, targets, absent


def _length(n: int, batch: int, rounds: int) -> dict[str, Any]:
    x = np.random.default_rng(n).normal(size=(batch, n)).astype(np.float32)
    truth = np.fft.rfft(x.astype(np.float64))
    contenders = [Contender("vibro", _ours(x, truth), batch)]
    for name, make in PEERS.items():
        if _installed(name):
            call, result = make(x)
            agree(f"{name}, {n} points", result(), truth, 2e-6)
            contenders.append(Contender(name, repeated(call), batch))
    words = f"{n}" if batch == 1 else f"{n}, {batch} at once"
    return case(words, race(contenders, rounds))


def _ours(x: F32, truth: NDArray[Any]) -> Callable[[int], Any]:
    batch, n = x.shape
    # On cache lines, as the kits of the features have it and as pyFFTW is given it.
    x, plan, out = aligned_copy(x), real_plan(n), aligned(batch, *spectrum_memory(n).shape)
    rfft_rows(x, plan, out)
    bins = out[:, :, : n // 2 + 1]
    agree(f"vibro, {n} points", bins[:, 0] + 1j * bins[:, 1], truth, 1e-6)
    if batch == 1:
        return lambda times: _again(x[0], plan, out[0], times)
    return repeated(lambda: rfft_rows(x, plan, out))


def _pyfftw(x: F32) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import pyfftw  # noqa: PLC0415

    source = pyfftw.empty_aligned(x.shape, np.float32)
    out = pyfftw.empty_aligned((x.shape[0], x.shape[1] // 2 + 1), np.complex64)
    plan = pyfftw.FFTW(
        source, out, axes=(1,), flags=("FFTW_MEASURE",), threads=1
    )  # planning overwrites the input
    source[:] = x
    plan.execute()
    return plan.execute, lambda: out


def _scipy(x: F32) -> tuple[Callable[[], Any], Callable[[], Any]]:
    from scipy.fft import rfft  # noqa: PLC0415

    rows = x[0] if len(x) == 1 else x
    return lambda: rfft(rows), lambda: rfft(x)


def _mkl(x: F32) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import mkl_fft  # noqa: PLC0415

    out = np.empty((x.shape[0], x.shape[1] // 2 + 1), np.complex64)
    rows, into = (x[0], out[0]) if len(x) == 1 else (x, out)
    return lambda: mkl_fft.rfft(rows, out=into), lambda: mkl_fft.rfft(x)


def _rocket(x: F32) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import numba  # noqa: PLC0415
    from scipy import fft  # noqa: PLC0415

    @numba.njit
    def transform(rows: Any) -> Any:
        return fft.rfft(rows)

    rows = x[0] if len(x) == 1 else x
    return lambda: transform(rows), lambda: transform(x)


PEERS = {"pyfftw": _pyfftw, "scipy": _scipy, "mkl_fft": _mkl, "rocket_fft": _rocket}


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
