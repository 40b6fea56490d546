"""A process from nothing to its first score: seconds and memory, by how its kernels come about.

The processes run as an installed Vibro does: their modules' byte code is cached, and their
environment is the plain one beside that of the peers, where there is one (a peer there hooks into
every start of numba, for more than a second).
"""

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
_BEGIN, _, _END = PROBE.partition("from edge_node.kernels import first_score\nfirst_score()\n")
NUMPY = f"{_BEGIN}import numpy\n{_END}"
COMPILE = "import sys; from edge_node.kernels import compile_library; from pathlib import Path; "
COMPILE += "compile_library([25600.0], Path(sys.argv[1]))"
MODES = ("JIT uncached", "JIT, warm cache", "ahead of time")


def run(rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Start processes of each kind; return cases and targets."""
    found: dict[str, list[tuple[float, float]]] = {mode: [] for mode in (*MODES, "numpy")}
    with tempfile.TemporaryDirectory(prefix="vibro-bench-") as folder:
        library, warm = Path(folder) / "library", Path(folder) / "warm"
        subprocess.run(  # noqa: S603
            [interpreter(), "-c", COMPILE, str(library)], env=_environment("jit", warm), check=True
        )
        _started("jit", warm)
        for i in range(max(3, rounds // 10)):
            if i < 2:
                found[MODES[0]].append(_started("jit", Path(folder) / f"cold-{i}", warm))
            found[MODES[1]].append(_started("jit", warm))
            found[MODES[2]].append(_started(str(library), warm))
            found["numpy"].append(_started("jit", warm, code=NUMPY))
    cases = [
        {"case": f"process to its first score, {mode}", "unit": unit,
         "vibro": spread(np.array(found[mode])[:, column]),
         "peers": {"import of numpy alone": _beside(found, mode, column)}}
        for mode in MODES
        for column, unit in enumerate(("s", "MiB"))
    ]  # fmt: skip
    medians = {mode: np.median(np.array(pairs), axis=0) for mode, pairs in found.items()}
    return cases, [
        target("start_warm_s", float(medians[MODES[1]][0]), "<=", 0.6),
        target("start_ahead_s", float(medians[MODES[2]][0]), "<=", 0.15),
        target("start_ahead_mib", float(medians[MODES[2]][1]), "<=", 40.0),
    ]


def interpreter() -> str:
    """Python of the plain environment beside this one, else this one's."""
    plain = Path(sys.prefix).parent / ".venv" / "bin" / "python"
    return str(plain) if plain.exists() else sys.executable


def _beside(
    found: dict[str, list[tuple[float, float]]], mode: str, column: int
) -> dict[str, float]:
    """Figures of the process that only imports numpy, and the ratio within the rounds."""
    ours, theirs = np.array(found[mode])[:, column], np.array(found["numpy"])[:, column]
    paired = ours / theirs[: len(ours)]
    ratio = spread(paired)
    return {
        **spread(theirs),
        "ratio": ratio["median"], "ratio_p10": ratio["p10"], "ratio_p90": ratio["p90"],
    }  # fmt: skip


def _environment(kernels: str, cache: Path, code: Path | None = None) -> dict[str, str]:
    """Environment of a process: ``cache`` keeps machine code, ``code`` (else it) byte code."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    places = {"NUMBA_CACHE_DIR": str(cache), "PYTHONPYCACHEPREFIX": str((code or cache) / "code")}
    return kept | places | {"VIBRO_KERNELS": kernels}


def _started(
    kernels: str, cache: Path, byte_code: Path | None = None, *, code: str = PROBE
) -> tuple[float, float]:
    """Seconds and MiB of one process."""
    done = subprocess.run(  # noqa: S603
        [interpreter(), "-c", code],
        env=_environment(kernels, cache, byte_code), capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, mib = json.loads(done.stdout)
    return float(seconds), float(mib)
