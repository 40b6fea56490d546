"""The healthy plant that is simulated: machines at feature level, their lives, their sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vibro.assets import Machine
from vibro.records import StreamInfo
from vibro.simulate import Scenario, plant
from vibro.simulate.feature_level import RUN_S, RUNS, FeatureLevelMachine, fit
from vibro.simulate.plant_life import DAY_S, STOPPED, Life, LifeRules, live

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

SPEEDS = (0.87, 1.0)
"""Speeds of pumps and fans, relative to the nominal one; other machines have one."""
VARIABLE = frozenset({"pump", "fan"})
MACHINES = ("hamburg/motor-1", "porto/pump-1", "austin/fan-1", "hamburg/gearbox-1")
"""One of every class."""
FOREVER = Scenario(1e9, 1e9, 0)
T0_NS = 1_767_571_200_000_000_000
"""A Monday's midnight, UTC."""


@dataclass(frozen=True, slots=True)
class Model:
    """A machine of the demo's plant at feature level, at each of its speeds."""

    machine: Machine
    at: tuple[FeatureLevelMachine, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One machine with a life of its own."""

    machine: Machine
    model: Model
    life: Life

    @property
    def info(self) -> StreamInfo:
        """What its stream would be."""
        points = self.machine.points
        scale = np.array([p.range_m_s2 / 32768.0 for p in points], np.float32)
        return StreamInfo(self.machine.channels, points[0].rate_hz, scale, 0, 2)

    def speed_at(self, seconds: Floats) -> NDArray[np.int64]:
        """Which speed it runs at, `STOPPED` when it stands."""
        step = np.minimum(np.asarray(seconds) // self.life.step_s, len(self.life.speed) - 1)
        return self.life.speed[step.astype(np.int64)]

    def rpm(self, speed: int) -> float:
        """Speed of the reference shaft."""
        return 0.0 if speed == STOPPED else self.model.at[speed].rpm

    def windows(
        self, path: str, seconds: Floats, rng: np.random.Generator, *, successive: bool = False
    ) -> Singles:
        """Features at times at which the machine runs, shape (n, channels, features)."""
        logs, speed = self.life.at(seconds), self.speed_at(seconds)
        found: Singles | None = None
        for k, model in enumerate(self.model.at):
            mine = speed == k
            if mine.any():
                draw = model.stretch if successive else model.draw
                part = draw(path, logs[mine], rng)
                found = (
                    np.empty((len(logs), *part.shape[1:]), np.float32) if found is None else found
                )
                found[mine] = part
        if found is None:
            raise ValueError("the machine stands still at all of these times")
        return found


def models(
    rng: np.random.Generator,
    tell: Callable[[str], None],
    machines: Sequence[Machine] | None = None,
    *,
    runs: int = RUNS,
    run_s: float = RUN_S,
) -> list[Model]:
    """Fit machines to their waveforms; by default `MACHINES` of the demo's plant."""
    found = []
    for machine in [plant().machine(m) for m in MACHINES] if machines is None else machines:
        tell(f"fitting {machine.path} to its waveforms")
        rated = machine.rpm_nominal or 1500.0
        shares = SPEEDS if machine.machine_class in VARIABLE else (1.0,)
        # The register of a machine with several speeds says so.
        own = replace(machine, rpm_min=round(shares[0] * rated * 0.98))
        at = [fit(replace(own, rpm_nominal=rated * s), FOREVER, rng, runs, run_s) for s in shares]
        found.append(Model(own, tuple(at)))
    return found


def sites(
    fitted: Sequence[Model],
    months: int,
    days: float,
    rng: np.random.Generator,
    rules: LifeRules,
    units_a_site: int,
) -> list[list[Unit]]:
    """Draw ``months`` machines of ``days`` each; a site has machines of one class."""
    by_class: dict[str, list[Model]] = {}
    for model in fitted:
        by_class.setdefault(model.machine.machine_class, []).append(model)
    found: list[list[Unit]] = []
    left = months
    for k, group in enumerate(by_class.values()):
        mine = left // (len(by_class) - k)
        left -= mine
        for first in range(0, mine, units_a_site):
            count = min(units_a_site, mine - first)
            site = f"site-{len(found) + 1}"
            found.append([_unit(group, site, i, days, rng, rules) for i in range(count)])
    return found


def _unit(
    group: Sequence[Model],
    site: str,
    i: int,
    days: float,
    rng: np.random.Generator,
    rules: LifeRules,
) -> Unit:
    model = group[i % len(group)]
    machine = replace(model.machine, site=site, machine=f"{model.machine.machine_class}-{i + 1}")
    return Unit(machine, model, live(days, len(model.at), rng, rules))


def running_steps(unit: Unit, first_day: float, last_day: float) -> NDArray[np.int64]:
    """Steps of its life within some days in which the machine runs."""
    low, high = (round(d * DAY_S / unit.life.step_s) for d in (first_day, last_day))
    return low + np.flatnonzero(unit.life.speed[low:high] != STOPPED)
