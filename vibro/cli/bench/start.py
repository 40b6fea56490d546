"""A process from nothing to its first score: seconds and memory, by how its kernels come about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from vibro.cli.bench.measure import spread, target

PROBE = """
import time
started = time.perf_counter()
from edge_node.kernels import first_score
first_score()
seconds = time.perf_counter() - started
import json
# Not getrusage: its peak is that of the process that started this one, where that was larger.
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([seconds, int(peak.split()[1]) / 1024]))
"""
MODES = ("JIT uncached", "JIT, warm cache", "ahead of time")


def run(rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Start processes of each kind; return cases and targets."""
    from edge_node.kernels import USUAL_RATE_HZ, compile_library  # noqa: PLC0415

    found: dict[str, list[tuple[float, float]]] = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory(prefix="vibro-bench-") as folder:
        library, warm = Path(folder) / "library", Path(folder) / "warm"
        compile_library([USUAL_RATE_HZ], library)
        _started("jit", warm)
        for i in range(max(3, rounds // 10)):
            if i < 2:
                found[MODES[0]].append(_started("jit", Path(folder) / f"cold-{i}"))
            found[MODES[1]].append(_started("jit", warm))
            found[MODES[2]].append(_started(str(library), warm))
    cases = [
        {"case": f"process to its first score, {mode}", "unit": unit, "peers": {},
         "vibro": spread(np.array(pairs)[:, column])}
        for mode, pairs in found.items()
        for column, unit in enumerate(("s", "MiB"))
    ]  # fmt: skip
    medians = {mode: np.median(np.array(pairs), axis=0) for mode, pairs in found.items()}
    return cases, [
        target("start_warm_s", float(medians[MODES[1]][0]), "<=", 0.6),
        target("start_ahead_s", float(medians[MODES[2]][0]), "<=", 0.15),
        target("start_ahead_mib", float(medians[MODES[2]][1]), "<=", 40.0),
    ]


def _started(kernels: str, cache: Path) -> tuple[float, float]:
    """Seconds and MiB of one process."""
    environment = {**os.environ, "VIBRO_KERNELS": kernels, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True
    )
    seconds, mib = json.loads(done.stdout)
    return float(seconds), float(mib)
