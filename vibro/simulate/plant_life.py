"""What a healthy machine goes through: shifts, load, speed, weather, warming up, running in.

The conditions of `vibro.simulate.condition` over time. Every number that is assumed rather than
measured stands in `LifeRules`, with its unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vibro.simulate.condition import FACTORS
from vibro.simulate.feature_level import REACH

Floats = NDArray[np.float64]
DAY_S = 86_400.0
STOPPED = -1


@dataclass(frozen=True, slots=True)
class LifeRules:
    """How much and how fast healthy machines change. Pairs are the range a machine draws from.

    Attributes
    ----------
    step_s : float
        Spacing of conditions, s.
    shift_share : float
        Share of machines that stand still at night and at weekends.
    stops_a_week : float
        Other stops, each of half an hour to eight hours.
    variable_share : float
        Share of those that have several speeds that use them; a speed is kept for about
        `speed_hours`.
    night_load : (float, float)
        Load at night and at weekends relative to the day's.
    load_sd, load_hours : float
        Wander of the load about its schedule: relative, and its time constant, h.
    diurnal_k, weather_k, weather_days : (float, float), float, float
        Half the swing of a day, K; deviation (K) and time constant (days) of the weather.
    heating_k, heating_minutes : float
        What running at full load warms the machine, K, and its time constant.
    friction_per_k, one_x_per_k, gain_per_k, stiffness_per_k : (float, float)
        Relative change per K: broad-band force by viscosity, line at shaft speed by thermal bow,
        sensitivity of the sensor, frequency of resonances.
    one_x_sd, one_x_hours, friction_sd, friction_hours : float
        Wander of the line at shaft speed and of the broad-band force that nothing explains.
    running_in, running_in_days : (float, float), float
        Friction at first over that later, relative; time constant, days.
    wear_a_month : (float, float)
        Slow change of friction, relative, in 30 days.
    neighbour, neighbour_hours : (float, float), float
        Relative rise of the noise from outside while a neighbour runs; it runs and rests for about
        so many hours each.
    """

    step_s: float = 150.0
    shift_share: float = 0.3
    stops_a_week: float = 0.7
    variable_share: float = 0.5
    speed_hours: float = 3.0
    night_load: tuple[float, float] = (0.8, 1.0)
    load_sd: float = 0.04
    load_hours: float = 0.4
    diurnal_k: tuple[float, float] = (2.0, 6.0)
    weather_k: float = 3.0
    weather_days: float = 3.0
    heating_k: float = 20.0
    heating_minutes: float = 40.0
    friction_per_k: tuple[float, float] = (-0.006, 0.002)
    one_x_per_k: tuple[float, float] = (-0.003, 0.003)
    gain_per_k: tuple[float, float] = (0.0002, 0.0008)
    stiffness_per_k: tuple[float, float] = (-0.0003, 0.0)
    one_x_sd: float = 0.02
    one_x_hours: float = 8.0
    friction_sd: float = 0.015
    friction_hours: float = 2.0
    running_in: tuple[float, float] = (0.0, 0.05)
    running_in_days: float = 10.0
    wear_a_month: tuple[float, float] = (-0.02, 0.02)
    neighbour: tuple[float, float] = (0.0, 0.15)
    neighbour_hours: float = 4.0


@dataclass(frozen=True, slots=True)
class Life:
    """Conditions of one machine.

    Attributes
    ----------
    step_s : float
    logs : ndarray, shape (n, factors)
        Logarithms of the condition's factors at the beginning of every step.
    speed : ndarray of int64, shape (n,)
        Which of its speeds the machine runs at, `STOPPED` when it stands.
    """

    step_s: float
    logs: Floats
    speed: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """Steps at whose beginning the machine starts."""
        running = self.speed != STOPPED
        return np.flatnonzero(running[1:] & ~running[:-1]) + 1

    def at(self, seconds: Floats) -> Floats:
        """Conditions at times in between, by straight lines, shape (n, factors)."""
        at = np.asarray(seconds) / self.step_s
        grid = np.arange(len(self.logs))
        return np.stack([np.interp(at, grid, column) for column in self.logs.T], axis=1)


def live(days: float, speeds: int, rng: np.random.Generator, rules: LifeRules) -> Life:
    """Draw one machine's life of ``days`` from midnight of a Monday on.

    Parameters
    ----------
    speeds : int
        How many speeds it has.
    """
    n = round(days * DAY_S / rules.step_s)
    t = np.asarray(np.arange(n) * rules.step_s, np.float64)
    hour = t % DAY_S / 3600.0
    rest = (hour < 6.0) | (hour >= 22.0) | (t // DAY_S % 7 >= 5)
    running = _running(rest, rng, rules)
    load = np.where(rest, _log(rules.night_load, rng), 0.0)
    load += rules.load_sd * _wander(n, rules.load_hours, rng, rules)
    power = np.asarray(running * np.exp(load), np.float64)
    kelvin = _temperature(t, power, rng, rules)
    days_on = t / DAY_S
    friction = kelvin * rng.uniform(*rules.friction_per_k)
    friction += rules.friction_sd * _wander(n, rules.friction_hours, rng, rules)
    friction += rng.uniform(*rules.running_in) * np.exp(-days_on / rules.running_in_days)
    friction += rng.uniform(*rules.wear_a_month) * days_on / 30.0
    one_x = kelvin * rng.uniform(*rules.one_x_per_k)
    one_x += rules.one_x_sd * _wander(n, rules.one_x_hours, rng, rules)
    kept = np.exp(-rules.step_s / (3600.0 * rules.neighbour_hours))
    floor = _telegraph(n, kept, rng) * np.log1p(rng.uniform(*rules.neighbour))
    factors = {
        "load": load,
        "friction": friction,
        "one_x": one_x,
        "floor": floor,
        "gain": kelvin * rng.uniform(*rules.gain_per_k),
        "stiffness": kelvin * rng.uniform(*rules.stiffness_per_k),
    }
    logs = np.stack([factors[name] for name in FACTORS], axis=1)
    speed = np.where(running, _speeds(n, speeds, rng, rules), STOPPED)
    return Life(rules.step_s, np.clip(logs, -REACH, REACH), speed)


def _log(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.log(rng.uniform(*bounds)))


def _running(
    rest: NDArray[np.bool_], rng: np.random.Generator, rules: LifeRules
) -> NDArray[np.bool_]:
    running = ~rest if rng.uniform() < rules.shift_share else np.ones(len(rest), bool)
    weeks = len(rest) * rules.step_s / (7.0 * DAY_S)
    for _ in range(rng.poisson(rules.stops_a_week * weeks)):
        begin = int(rng.integers(len(rest)))
        running[begin : begin + round(rng.uniform(0.5, 8.0) * 3600.0 / rules.step_s)] = False
    return running


def _speeds(n: int, speeds: int, rng: np.random.Generator, rules: LifeRules) -> NDArray[np.int64]:
    """Numbers of the speed in use, the last being the rated one."""
    if speeds == 1 or rng.uniform() >= rules.variable_share:
        return np.full(n, speeds - 1)
    changes = rng.uniform(size=n) < rules.step_s / (3600.0 * rules.speed_hours)
    return rng.integers(speeds, size=n)[np.maximum.accumulate(np.where(changes, np.arange(n), 0))]


def _temperature(t: Floats, power: Floats, rng: np.random.Generator, rules: LifeRules) -> Floats:
    """Temperature against that of a warm machine on a mean day, K."""
    day = rng.uniform(*rules.diurnal_k) * np.sin(2.0 * np.pi * (t / DAY_S - 0.4))
    weather = rules.weather_k * _wander(len(t), 24.0 * rules.weather_days, rng, rules)
    kept = float(np.exp(-rules.step_s / (60.0 * rules.heating_minutes)))
    heat = _first_order((1.0 - kept) * power, kept, float(power[0]))
    return np.asarray(day + weather + rules.heating_k * (heat - 1.0))


def _wander(n: int, hours: float, rng: np.random.Generator, rules: LifeRules) -> Floats:
    """Ornstein-Uhlenbeck process of unit deviation."""
    kept = float(np.exp(-rules.step_s / (3600.0 * hours)))
    noise = rng.normal(size=n) * np.sqrt(1.0 - kept * kept)
    return np.asarray(_first_order(noise, kept, float(rng.normal())))


def _telegraph(n: int, kept: float, rng: np.random.Generator) -> Floats:
    """0 or 1, changing at random."""
    changes = rng.uniform(size=n) > kept
    return np.asarray((np.cumsum(changes) + int(rng.integers(2))) % 2, np.float64)


@njit(cache=True)
def _first_order(x: Any, kept: float, start: float) -> Any:
    y = np.empty_like(x)
    last = start
    for i in range(x.shape[0]):
        last = kept * last + x[i]
        y[i] = last
    return y
