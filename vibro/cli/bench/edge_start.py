"""`vibro edge run` as a user starts it: seconds until it is ready, and its memory.

Four nodes of eight channels listen to devices that stream int16 over TCP in real time, with a
bundle that they are told of. Ready is what the process tells systemd: every node is open and a
window has been scored. Memory is the peak of the resident set until the devices say goodbye: the
rings of acquisition, the memory for clips when it is full, long windows, the clip of commissioning
and a commit are in it.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from vibro.cli.bench.edge_devices import devices, free_ports
from vibro.cli.bench.edge_plant import Plant, forget
from vibro.cli.bench.measure import spread, target
from vibro.cli.bench.start import COMPILE, _environment, interpreter
from vibro.errors import VibroError

STREAMED_S = 24.0
"""The memory for clips is full after 12 s, and the clip of commissioning complete after 20."""
TIMEOUT_S = 300.0
LIMITS = {"ahead of time": (100.0, 1.0), "JIT, warm cache": (220.0, 3.0)}
NAMES = {
    "ahead of time": ("edge_rss_mb", "edge_ready_s"),
    "JIT, warm cache": ("edge_rss_jit_mb", "edge_ready_jit_s"),
}
RUN = "import sys; from vibro.cli.main import main; sys.argv[0] = 'vibro'; main()"


def compiled(home: Path) -> Path:
    """Compile a library of kernels into a home; return its folder."""
    library = home / "library"
    subprocess.run(  # noqa: S603
        [interpreter(), "-c", COMPILE, str(library)],
        env=_environment("jit", home / "warm"), check=True,
    )  # fmt: skip
    return library


def run(plant: Plant, home: Path, rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Start the process a few times with either kind of kernels; return cases and targets.

    The home holds a library, see `compiled`.
    """
    library, warm = home / "library", home / "warm"
    kernels = {"ahead of time": str(library), "JIT, warm cache": "jit"}
    found: dict[str, list[tuple[float, float]]] = {mode: [] for mode in kernels}
    for mode, word in kernels.items():
        # The first fills the caches of machine code and of byte code.
        _started(plant, home, _environment(word, warm))
        for _ in range(max(3, rounds // 20)):
            found[mode].append(_started(plant, home, _environment(word, warm)))
    cases, targets = [], []
    for mode, pairs in found.items():
        values = np.array(pairs)
        for column, (unit, what) in enumerate((("MB", "memory"), ("s", "start to ready"))):
            limit, name = LIMITS[mode][column], NAMES[mode][column]
            cases.append({
                "case": f"edge run, {mode}: {what}", "unit": unit,
                "vibro": spread(values[:, column]), "peers": {},
            })  # fmt: skip
            targets.append(target(name, float(np.median(values[:, column])), "<=", limit))
    return cases, targets


def _listening(plant: Plant, ports: list[int]) -> list[Path]:
    """Configurations, beside those of the plant, of nodes that listen on ports."""
    made = []
    for config, port in zip(plant.configs, ports, strict=True):
        head, rest = config.read_text(encoding="utf-8").split("[source]\n")
        tcp = f'kind = "tcp"\nport = {port}\ngoodbye = "end"\n'
        path = config.parent / "live.toml"
        path.write_text(f"{head}[source]\n{tcp}{rest[rest.index('[reflex]') :]}", encoding="utf-8")
        made.append(path)
    return made


def _started(plant: Plant, home: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Peak of the resident set in MB and seconds from the start to ready, of one process."""
    forget(plant)
    ports = free_ports(len(plant.configs))
    configs = _listening(plant, ports)
    with (
        devices(plant, home / "stretch.npz", STREAMED_S, ports, environment),
        tempfile.TemporaryDirectory(prefix="vibro-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        address = str(Path(folder) / "notify")
        manager.bind(address)
        manager.settimeout(TIMEOUT_S)
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            [interpreter(), "-c", RUN, "edge", "run", *map(str, configs)],
            env=environment | {"NOTIFY_SOCKET": address}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            manager.recv(100)
            ready = time.perf_counter() - began
            peak = _peak_mb(process)
        finally:
            process.kill()
            _, said = process.communicate()
    if process.returncode not in {0, -9}:
        raise VibroError(f"bench: vibro edge run ended with {process.returncode}: {said.strip()}")
    return peak, ready


def _peak_mb(process: subprocess.Popen[str]) -> float:
    """Peak of a process's resident set until it ends, MB of 10^6 bytes."""
    peak = 0.0
    while process.poll() is None:
        try:
            lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
        except OSError:
            break
        told = [line for line in lines if line.startswith("VmHWM")]
        peak = int(told[0].split()[1]) * 1024e-6 if told else peak
        time.sleep(0.05)
    return peak
