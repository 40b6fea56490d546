"""Four machines of eight channels for the edge's bench, on a node's whole pipeline.

What is not the node is left out of what is measured: one healthy stretch is simulated beforehand
and handed on from memory, again and again, as int16 blocks. Everything else is as in the plant:
register, configuration, a bundle trained as every night, a spool that syncs, a log to ship to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.retrain.train import train
from edge_node.config import NodeConfig
from edge_node.host import Host
from edge_node.reflex import Action
from edge_node.sources.port import AsFastAsPossible, Pace, Seekable, WallClock
from vibro.assets import Machine, Point, Register, export
from vibro.bundle import Bundle, encode
from vibro.features.setup import ChannelSetup
from vibro.features.stream import MachineFeatures
from vibro.kinematics import find_bearing
from vibro.log import EmbeddedLog, Message
from vibro.records import ChannelPath, SampleBlock, StreamInfo, topic
from vibro.simulate import Scenario, SimulatedMachine

RATE_HZ = 25600.0
MACHINES, CHANNELS = 4, 8
STRETCH_S = 64.0
"""Length of the simulated stretch: 20 long windows without overlap, 40 with."""
SITE, CLASS = "bench", "motor"


@dataclass(frozen=True, slots=True)
class Plant:
    """A home with the configurations of its nodes, and what their sensors say."""

    configs: tuple[Path, ...]
    counts: NDArray[np.int16]
    scale: NDArray[np.float32]
    rpm: float


class Again(Seekable):
    """A stretch of samples from memory, from the start again whenever it ends."""

    def __init__(
        self, plant: Plant, machine: Machine, t0_ns: int, seconds: float, block_s: float, pace: Pace
    ) -> None:
        rate_hz = machine.points[0].rate_hz
        info = StreamInfo(machine.channels, rate_hz, plant.scale, t0_ns, 2)
        super().__init__(info, t0_ns, round(seconds * rate_hz), round(block_s * rate_hz), pace)
        self._plant = plant

    def _render(self, first: int, n: int) -> SampleBlock:
        counts = self._plant.counts
        at = first % counts.shape[1]
        part = counts[:, at : at + n]
        if part.shape[1] < n:
            part = np.concatenate([part, counts[:, : n - part.shape[1]]], axis=1)
        return SampleBlock(first, self.time_of(first), part, self._plant.rpm)


class Knocked(Again):
    """The same with one bad sample of one channel every so often, anywhere within a block."""

    KNOCK_S = 0.25
    COUNTS = 31_000
    """464 m/s2, above the limit of the configuration; not clipped."""

    @property
    def every(self) -> int:
        """Samples in which one is bad."""
        return round(self.KNOCK_S * self._info.rate_hz)

    def knock(self, number: int) -> int:
        """Sample that is bad for the ``number``-th time."""
        return number * self.every + number * 7919 % self.every

    def _render(self, first: int, n: int) -> SampleBlock:
        block = super()._render(first, n)
        for number in range(first // self.every, (first + n - 1) // self.every + 1):
            at = self.knock(number) - first
            if 0 <= at < n:
                counts = block.counts.copy()
                counts[number % len(counts), at] = self.COUNTS
                return replace(block, counts=counts)
        return block


def lay_out(home: Path) -> Plant:
    """Simulate, train, announce the bundle and write register and configurations."""
    machines = [_machine(i) for i in range(MACHINES)]
    simulated = SimulatedMachine(machines[0], Scenario(STRETCH_S, STRETCH_S))
    counts, rpm = simulated.render(0, round(STRETCH_S * RATE_HZ))
    scale = simulated.info.scale
    _announce(home, _trained(machines, counts * scale[:, None], rpm))
    register = Register({m.path: m for m in machines})
    (home / "assets.csv").write_text(export(register), encoding="utf-8")
    return Plant(tuple(_config(home, m) for m in machines), counts, scale, rpm)


def forget(plant: Plant) -> None:
    """Let the nodes be as if they had never run."""
    for config in plant.configs:
        for file in [*config.parent.glob("spool.db*"), *config.parent.glob("bundle.*")]:
            file.unlink()


def host_of(
    plant: Plant,
    seconds: float,
    block_s: float,
    t0_ns: int,
    *,
    real: bool,
    stream: type[Again] = Again,
    action: Action | None = None,
    apart_s: float = 0.0,
) -> Host:
    """Host of all machines on streams of ``seconds``, in real time or as fast as they can.

    Each stream begins ``apart_s`` after the one before: devices that share no clock do not end
    their windows together.
    """
    pace: Pace = WallClock() if real else AsFastAsPossible()
    begun = count()

    def opened(config: NodeConfig, machine: Machine, now_ns: int) -> Again:
        del config
        begins_ns = now_ns + round(next(begun) * apart_s * 1e9)
        return stream(plant, machine, begins_ns, seconds, block_s, pace)

    return Host(plant.configs, t0_ns, opened, action)


def _machine(number: int) -> Machine:
    bearing = find_bearing("6205")
    points = tuple(
        Point(f"p{i}", "DE" if i < 4 else "NDE", "HVA"[i % 3], bearing=bearing, rate_hz=RATE_HZ)
        for i in range(CHANNELS)
    )
    return Machine(
        SITE, f"motor-{number}", CLASS, power_kw=45.0, rpm_nominal=1480.0, mounting="rigid",
        iso_part="10816-3", iso_group=2, points=points,
    )  # fmt: skip


def _config(home: Path, machine: Machine) -> Path:
    path = home / "nodes" / machine.node_id / "node.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f'register = "../../assets.csv"\n[node]\nid = "{machine.node_id}"\nsite = "{SITE}"\n'
        f'machine = "{machine.machine}"\n[source]\nkind = "simulator"\npace = "real"\n'
        "block_s = 0.02\nduration_s = 600.0\ncommissioning_s = 600.0\n[reflex]\n"
        "peak_m_s2 = [400.0]\nrms_m_s2 = [200.0]\nslope_m_s2_s = [1e5]\nhold_s = 0.0\n",
        encoding="utf-8",
    )
    return path


def _trained(machines: Sequence[Machine], x: NDArray[np.float32], rpm: float) -> Bundle:
    setups = [ChannelSetup(lines=p.lines) for p in machines[0].points]
    found = MachineFeatures(RATE_HZ, setups).push(x.astype(np.float32), rpm)
    vectors = {
        (ChannelPath(SITE, m.machine, p.channel), "running"): (found.fast[:, c], found.long[:, c])
        for m in machines
        for c, p in enumerate(m.points)
    }
    return train(SITE, CLASS, vectors, seed=0, version="bench", created_ns=0)


def _announce(home: Path, bundle: Bundle) -> None:
    content = encode(bundle)
    (home / "bundles").mkdir()
    (home / "bundles" / "bench.vbundle").write_bytes(content)
    notice = {
        "version": "bench",
        "file": "bench.vbundle",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    log = EmbeddedLog(home / "log")
    log.send(topic(SITE, "models"), [Message(CLASS, json.dumps(notice).encode(), "bench", 0)])
