"""Scenarios: which machine gets which fault when, and what shakes a whole site.

The truth of a scenario is data of its own; nothing downstream of the simulator reads it except a
report that compares.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from vibro.assets import Machine, Register, parse_register
from vibro.faults import Fault


@dataclass(frozen=True, slots=True)
class Truth:
    """One fault: where, what, and how it grows.

    Attributes
    ----------
    machine : str
        ``site/machine``.
    onset_s : float
        Scenario time at which it begins, from nothing.
    grow_s : float
        Time from onset to full size.
    size : float
        Full size relative to the usual one.
    """

    machine: str
    fault: Fault
    onset_s: float
    grow_s: float = 90.0
    size: float = 1.0


@dataclass(frozen=True, slots=True)
class CommonCause:
    """Something outside the machines that shakes all of a site at once."""

    site: str
    at_s: float
    duration_s: float = 4.0
    size: float = 1.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A stretch of plant life with its truth."""

    duration_s: float
    commissioning_s: float
    seed: int = 0
    truths: tuple[Truth, ...] = ()
    shocks: tuple[CommonCause, ...] = ()

    def of(self, machine: str) -> tuple[Truth, ...]:
        """Faults of one machine."""
        return tuple(t for t in self.truths if t.machine == machine)

    def shocks_of(self, site: str) -> tuple[CommonCause, ...]:
        """Shocks of one site."""
        return tuple(s for s in self.shocks if s.site == site)


def seed_of(seed: int, *names: str) -> int:
    """32-bit seed of a thing in a scenario: the same on every machine and in every process."""
    return zlib.crc32("\x1f".join((str(seed), *names)).encode())


def plant() -> Register:
    """Return the demo's plant: 3 sites with a motor, a pump, a fan and a gearbox each."""
    text = files("vibro.simulate").joinpath("plant.csv").read_text(encoding="utf-8")
    return parse_register(text, "the demo's plant.csv")


def demo_scenario(seed: int, duration_s: float = 600.0, commissioning_s: float = 240.0) -> Scenario:
    """Build the demo's scenario over `plant`.

    After a healthy start: an outer-race fault of the same bearing at two sites, an inner-race
    fault, imbalance, misalignment, a damaged tooth, a sensor that goes flat, and a shock that one
    whole site feels. The seed moves faults among the machines they suit and varies onset, growth
    and size. A shorter scenario has its onsets squeezed into what is left of it.
    """
    rng = np.random.default_rng(seed_of(seed, "demo"))
    machines = list(plant())
    left = duration_s - commissioning_s
    order = iter(np.linspace(0.04, 0.46, 7) * left + commissioning_s)
    used: set[str] = set()

    def place(fault: Fault, machine: Machine, size: float = 1.0) -> Truth:
        used.add(machine.path)
        onset = next(order) + float(rng.uniform(0.0, 0.03)) * left
        grow = float(rng.uniform(0.18, 0.26)) * left
        return Truth(
            machine.path, fault, round(onset, 1), round(grow, 1), size * rng.uniform(0.9, 1.25)
        )

    def pick(kind: str) -> Machine:
        free = [m for m in machines if m.machine_class == kind and m.path not in used]
        return free[int(rng.integers(len(free)))]

    truths = [place(Fault.BEARING_OUTER, m) for m in _pair(machines, rng)]
    truths.append(place(Fault.IMBALANCE, pick("fan")))
    truths.append(place(Fault.GEAR_TOOTH, pick("gearbox")))
    truths.append(place(Fault.BEARING_INNER, pick("pump")))
    truths.append(place(Fault.MISALIGNMENT, pick("pump")))
    truths.append(place(Fault.FLATLINE, pick("gearbox")))
    # Where most machines are in good health: the others are busy with troubles of their own.
    healthy = Counter(m.site for m in machines if m.path not in used)
    sites = sorted(s for s, n in healthy.items() if n == max(healthy.values()))
    shock = CommonCause(
        sites[int(rng.integers(len(sites)))],
        round(commissioning_s + float(rng.uniform(0.62, 0.8)) * left, 1),
        size=float(rng.uniform(0.9, 1.3)),
    )
    return Scenario(duration_s, commissioning_s, seed, tuple(truths), (shock,))


def _pair(machines: Iterable[Machine], rng: np.random.Generator) -> list[Machine]:
    """Pick two motors with the same bearing at two different sites."""
    motors = [m for m in machines if m.machine_class == "motor"]
    pairs = [
        (a, b)
        for i, a in enumerate(motors)
        for b in motors[i + 1 :]
        if a.site != b.site and a.points[0].bearing == b.points[0].bearing
    ]
    return list(pairs[int(rng.integers(len(pairs)))])
