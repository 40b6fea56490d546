"""The edge node: channels a core sustains, delay of decisions, share of a core, memory and start.

Throughput and share are processor time of the whole process, so that what else the machine does
counts for nothing; delays are of the wall clock, several runs, and the quietest one is the node's.
Kernels are compiled ahead of time, as `vibro edge compile` does and the manual advises.
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.host import Host
from edge_node.hosted import HostedNode
from edge_node.reflex import Trip
from vibro.cli.bench import edge_day, edge_start
from vibro.cli.bench.edge_plant import CHANNELS, MACHINES, Knocked, Plant, forget, host_of, lay_out
from vibro.cli.bench.measure import spread, target
from vibro.errors import VibroError
from vibro.jit.ahead import load

Floats = NDArray[np.float64]
ALL = MACHINES * CHANNELS
BLOCK_S, LONG_BLOCK_S = 0.02, 1.0
ROUND_S, WARM_S = 10.0, 20.0
"""A round holds a commit. The clip of commissioning is cut while warming up: once in a life."""
LIVE_S, LIVE_WARM_S, LIVE_RUNS = 20.0, 22.0, 3
APART_S = 0.0253
"""Between the begins of streams of devices that share no clock: no part of a hop."""
QUANTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99, "longest": 1.0}


def run(rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Measure a node of four machines; return cases, targets and absent peers (none)."""
    with tempfile.TemporaryDirectory(prefix="vibro-bench-") as folder:
        plant = lay_out(Path(folder))
        if refused := load(edge_start.compiled(Path(folder))):
            raise VibroError(f"bench: {refused}")
        short = _throughput(plant, BLOCK_S, rounds)
        long = _throughput(plant, LONG_BLOCK_S, max(3, rounds // 4))
        live = [_live(plant) for _ in range(LIVE_RUNS)]
        apart = [_live(plant, APART_S)[0] for _ in range(LIVE_RUNS)]
        reflex = [_reflex(plant) for _ in range(LIVE_RUNS)]
        started = edge_start.run(plant, Path(folder), rounds)
    day = edge_day.run()
    cases = [
        _alone(f"a channel second, {ALL} channels in blocks of 20 ms", "us", short * 1e6),
        _alone(f"a channel second, {ALL} channels in blocks of 1 s", "us", long * 1e6),
        *_delays("window's last sample to decision", [q for q, _ in live]),
        *_delays("the same, machines whose devices share no clock", apart),
        *_delays("first bad sample to the reflex's action", reflex),
        _alone(f"share of a core, {ALL} channels in real time", "", np.array([s for _, s in live])),
    ]
    targets = [
        target("edge_channels_per_core", 1.0 / float(np.median(short)), ">=", 1000.0),
        target("edge_p99_ms", min(float(q[2]) for q, _ in live), "<=", 3.0),
        target("edge_reflex_p99_ms", min(float(q[2]) for q in reflex), "<=", 30.0),
        target("edge_cpu_share_32ch", float(np.median([s for _, s in live])), "<=", 0.05),
    ]
    return [*cases, *started[0], *day[0]], [*targets, *started[1], *day[1]], []


def _alone(name: str, unit: str, values: Floats) -> dict[str, Any]:
    return {"case": name, "unit": unit, "vibro": spread(values), "peers": {}}


def _delays(name: str, runs: list[Floats]) -> list[dict[str, Any]]:
    """One case a quantile; the spread is that over the runs."""
    return [
        _alone(f"{name}, {what}", "ms", np.array([run[i] for run in runs]))
        for i, what in enumerate(QUANTILES)
    ]


def _throughput(plant: Plant, block_s: float, rounds: int) -> Floats:
    """Processor seconds a channel second of every round, everything on, as fast as it goes."""
    host = _fresh(plant, WARM_S + (rounds + 1) * ROUND_S, block_s, time.time_ns(), real=False)
    turns = round(ROUND_S / block_s)
    for _ in range(round(WARM_S / block_s)):
        host.turn()
    gc.freeze()
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(turns):
            host.turn()
        seconds.append((time.process_time() - started) / (ALL * ROUND_S))
    _close(host)
    return np.array(seconds)


def _live(plant: Plant, apart_s: float = 0.0) -> tuple[Floats, float]:
    """Quantiles of the delays of decisions in ms, and the share of a core, in real time.

    The windows of all machines end at the same instant, unless the streams begin apart: the last
    machine's decisions wait for those of all others.
    """
    host = _fresh(plant, LIVE_WARM_S + LIVE_S, BLOCK_S, time.time_ns(), real=True, apart_s=apart_s)
    delays: list[int] = []
    for hosted in host.nodes:
        _watch(hosted, delays)
    gc.freeze()
    _turn_for(host, LIVE_WARM_S)
    delays.clear()
    used, began = time.process_time(), time.perf_counter()
    _turn_for(host, LIVE_S)
    share = (time.process_time() - used) / (time.perf_counter() - began)
    _close(host)
    return _quantiles(delays), share


def _reflex(plant: Plant) -> Floats:
    """Quantiles of the delays, in ms, from a bad sample to the call of the action."""
    delays: list[int] = []

    def act(trip: Trip) -> None:
        now_ns, source = time.time_ns(), sources[trip.channel.rpartition("/")[0]]
        number = round(trip.first_sample / source.every)
        bad = min(
            (source.knock(k) for k in range(max(0, number - 1), number + 2)),
            key=lambda at: (at < trip.first_sample, at),
        )
        delays.append(now_ns - source.time_of(bad))

    host = _fresh(
        plant, LIVE_WARM_S + LIVE_S, BLOCK_S, time.time_ns(), real=True, stream=Knocked, action=act
    )
    sources: dict[str, Any] = {h.machine.path: h.node.source for h in host.nodes}
    _turn_for(host, LIVE_WARM_S)
    delays.clear()
    _turn_for(host, LIVE_S)
    _close(host)
    return _quantiles(delays)


def _quantiles(delays_ns: list[int]) -> Floats:
    return np.quantile(np.array(delays_ns) * 1e-6, list(QUANTILES.values()))


def _turn_for(host: Host, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not all(h.done for h in host.nodes):
        host.turn_or_wait()


def _watch(hosted: HostedNode, delays: list[int]) -> None:
    """Note at every fast decision how long ago, by the wall clock, its last sample happened."""
    judge = hosted.node._pipeline.judge  # noqa: SLF001
    inner = judge.window

    def window(path: str, first: int, t0_ns: int, end_ns: int, values: Any, rpm: float) -> Any:
        verdict = inner(path, first, t0_ns, end_ns, values, rpm)
        if path == "fast":
            delays.append(time.time_ns() - end_ns)
        return verdict

    judge.window = window  # type: ignore[method-assign]


def _fresh(plant: Plant, seconds: float, block_s: float, t0_ns: int, **how: Any) -> Host:
    """Host of nodes that have never run."""
    forget(plant)
    return host_of(plant, seconds, block_s, t0_ns, **how)


def _close(host: Host) -> None:
    host.release()
    gc.unfreeze()
