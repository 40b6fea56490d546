"""A home with one simulated node, and handlers of signals put back after a verb that sets them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

T0 = 1_700_000_000 * 10**9
NODE = """\
register = "../../assets.csv"
[node]
id = "austin-fan-1"
site = "austin"
machine = "fan-1"
[source]
kind = "simulator"
pace = "fast"
t0_ns = {t0}
duration_s = {seconds}
commissioning_s = {half}
[reporting]
sample_s = 1
status_s = 10
heartbeat_s = 10
commissioning_clip_s = 5
clip_s = 2
"""


def laid_out(home: Path, seconds: float = 6.0) -> Path:
    """Write the demo plant's register and a node that simulates a fan in good order."""
    node = home / "nodes" / "austin-fan-1" / "node.toml"
    node.parent.mkdir(parents=True)
    (home / "assets.csv").write_text(files("vibro.simulate").joinpath("plant.csv").read_text())
    node.write_text(NODE.format(t0=T0, seconds=seconds, half=seconds / 2))
    return node


@contextlib.contextmanager
def signals_put_back() -> Iterator[None]:
    """Verbs that run until they are told to stop take SIGINT and SIGTERM for good."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
