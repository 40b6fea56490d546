"""Laying out a demo's home: the asset register, and a configuration a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vibro.assets import Machine, Register, export
from vibro.cli.demo.intervals import SHORTENED, shortened


@dataclass(frozen=True, slots=True)
class NodePlan:
    """A node to write: its machine, source, the time of its first sample, own intervals."""

    machine: Machine
    source: tuple[str, ...]
    t0_ns: int
    reporting: Mapping[str, Any] = field(default_factory=dict)


def simulated(
    machines: Sequence[Machine], *, seed: int, duration_s: float, commissioning_s: float, t0_ns: int
) -> list[NodePlan]:
    """Plan one node a simulated machine."""
    source = (
        'kind = "simulator"',
        'pace = "clock"',
        'clock = "../../clock"',
        f"seed = {seed}",
        f"duration_s = {float(duration_s)}",
        f"commissioning_s = {float(commissioning_s)}",
    )
    intervals = shortened(duration_s)
    return [NodePlan(machine, source, t0_ns, intervals) for machine in machines]


def write(home: Path, plans: Sequence[NodePlan]) -> list[Path]:
    """Write register and nodes; return the configurations."""
    register = Register({p.machine.path: p.machine for p in plans})
    (home / "assets.csv").write_text(export(register), encoding="utf-8")
    return [_node(home, plan) for plan in plans]


def _node(home: Path, plan: NodePlan) -> Path:
    machine = plan.machine
    folder = home / "nodes" / machine.node_id
    folder.mkdir(parents=True, exist_ok=True)
    own = Register({machine.path: machine})
    (folder / "assets.csv").write_text(export(own), encoding="utf-8")
    lines = [
        'register = "assets.csv"',
        "[node]",
        f'id = "{machine.node_id}"',
        f'site = "{machine.site}"',
        f'machine = "{machine.machine}"',
        "[source]",
        f"t0_ns = {plan.t0_ns}",
        *plan.source,
        "[reporting]",
        *(f"{key} = {value}" for key, value in {**SHORTENED, **plan.reporting}.items()),
    ]
    path = folder / "node.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
