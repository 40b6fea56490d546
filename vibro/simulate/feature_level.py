"""A healthy machine at the level of its features: months of windows that no waveform is made for.

Levels of features (logarithms where the feature table says so) are taken as

    level(t) = response(condition(t)) + residual(t).

The response is quadratic in the logarithms of the condition's factors and fitted to waveforms in
many conditions. The residuals are what is left in these waveforms, kept as runs of more than a
minute of all channels and both paths, and drawn with replacement: within a run the distribution of
every feature, the correlation between features and channels and from window to window are those of
the waveforms (a block bootstrap; H. R. Kuensch, Ann. Statist. 17, 1989). What changes more slowly
than a run comes with the condition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibro.assets import Machine
from vibro.features.setup import ChannelSetup
from vibro.features.stream import FeatureBatch, MachineFeatures
from vibro.features.table import FAST_NAMES, LOG_NAMES, LONG_NAMES
from vibro.simulate.condition import FACTORS, Condition
from vibro.simulate.machine import SimulatedMachine
from vibro.simulate.scenario import Scenario

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

PATHS: tuple[str, ...] = ("fast", "long")
LOGS = {
    "fast": np.array([n in LOG_NAMES for n in FAST_NAMES]),
    "long": np.array([n in LOG_NAMES for n in LONG_NAMES]),
}
RUNS, RUN_S = 32, 80.0
"""Usual number and length of runs of residuals: the machine's own swings fit into one."""
REACH = np.array([0.35, 0.25, 0.15, 0.2, 0.03, 0.01])
"""Farthest logarithm of each factor that a response is fitted for."""


_TOGETHER = (("load", "friction"), ("load", "floor"), ("friction", "floor"))
TERMS = 1 + 2 * len(FACTORS) + len(_TOGETHER)
DESIGNS, DESIGN_S = 28, 16.0
"""Conditions, more than `TERMS`, that are heard at the same moment, and for how long."""


def heard(
    machine: Machine,
    scenario: Scenario,
    condition: Condition,
    first_sample: int,
    seconds: float,
) -> FeatureBatch:
    """Features of a stretch of a simulated machine's waveform."""
    simulated = SimulatedMachine(machine, scenario, condition)
    info = simulated.info
    counts, rpm = simulated.render(first_sample, round(seconds * info.rate_hz))
    setups = [ChannelSetup(lines=p.lines) for p in machine.points]
    features = MachineFeatures(info.rate_hz, setups, first_sample)
    return features.push(counts.astype(np.float32) * info.scale[:, None], rpm)


def levels_of(path: str, values: Singles) -> Singles:
    """Levels of features: logarithms where features span decades, NaN where one is not defined."""
    logs = LOGS[path]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(logs, np.log(np.where(values > 0.0, values, np.nan)), values)


def values_of(path: str, levels: Singles) -> Singles:
    """Return the features of levels, the inverse of `levels_of`."""
    logs = LOGS[path]
    return np.nan_to_num(np.where(logs, np.exp(np.where(logs, levels, 0.0)), levels), nan=0.0)


def terms(logs: Floats) -> Floats:
    """Regressors of conditions, shape (n, factors) -> (n, terms).

    1, each factor, its square, and products of those whose powers add up to a level.
    """
    u = np.atleast_2d(logs)
    pairs = [u[:, FACTORS.index(a)] * u[:, FACTORS.index(b)] for a, b in _TOGETHER]
    return np.concatenate([np.ones((len(u), 1)), u, u * u, np.stack(pairs, axis=1)], axis=1)


@dataclass(frozen=True, slots=True)
class FeatureLevelMachine:
    """One machine at one speed.

    Attributes
    ----------
    machine : Machine
    rpm : float
        Speed of the reference shaft.
    response : dict of path to ndarray, float32, shape (terms, channels, features)
    residuals : dict of path to ndarray, float32, shape (runs, windows, channels, features)
    """

    machine: Machine
    rpm: float
    response: dict[str, Singles]
    residuals: dict[str, Singles]

    @property
    def runs(self) -> int:
        """Number of runs of residuals."""
        return len(self.residuals["fast"])

    def draw(self, path: str, logs: Floats, rng: np.random.Generator) -> Singles:
        """Draw single windows, far apart in time, one a condition.

        Parameters
        ----------
        logs : ndarray, shape (n, factors)
            Logarithms of the conditions' factors.

        Returns
        -------
        ndarray, float32, shape (n, channels, features)
            Features as the edge computes them.
        """
        held = self.residuals[path]
        n = len(logs)
        pick = held[rng.integers(len(held), size=n), rng.integers(held.shape[1], size=n)]
        return self._values(path, logs, pick)

    def stretch(self, path: str, logs: Floats, rng: np.random.Generator) -> Singles:
        """Draw successive windows, one a condition: run after run, the first from a random place.

        Arguments and result are as those of `draw`.
        """
        held = self.residuals[path]
        windows = held.shape[1]
        begin = int(rng.integers(windows))
        count = -(-(begin + len(logs)) // windows)
        runs = held[rng.integers(len(held), size=count)].reshape(-1, *held.shape[2:])
        return self._values(path, logs, runs[begin : begin + len(logs)])

    def _values(self, path: str, logs: Floats, residuals: Singles) -> Singles:
        x = terms(logs).astype(np.float32)
        response = self.response[path]
        level = (x @ response.reshape(len(response), -1)).reshape(-1, *response.shape[1:])
        return values_of(path, level + residuals)


def fit(
    machine: Machine,
    scenario: Scenario,
    rng: np.random.Generator,
    runs: int = RUNS,
    run_s: float = RUN_S,
) -> FeatureLevelMachine:
    """Fit a machine to waveforms of its simulator in random conditions.

    What conditions do is told by `DESIGNS` waveforms of the same moment: their noise is the same,
    so that they differ by the condition alone. The rest comes from runs at moments and in
    conditions of their own.

    Parameters
    ----------
    runs : int
        Runs of residuals.
    run_s : float
        Length of a run, at least 5 s, so that there are long windows.
    """
    found = _somewhere(machine, scenario, rng, runs, run_s)
    same = _same_moment(machine, scenario, rng)
    fitted = {p: _regress(same[0], same[1][p], found[0], found[1][p]) for p in PATHS}
    return FeatureLevelMachine(
        machine,
        float(machine.rpm_nominal or np.nan),
        {p: response for p, (response, _) in fitted.items()},
        {p: residuals for p, (_, residuals) in fitted.items()},
    )


Levels = tuple[Floats, dict[str, Singles]]
"""Conditions, shape (n, factors), and levels in each, shape (n, windows, channels, features)."""


def _somewhere(
    machine: Machine, scenario: Scenario, rng: np.random.Generator, runs: int, run_s: float
) -> Levels:
    logs = _designs(rng, runs)
    return logs, _levels(machine, scenario, logs, rng.integers(100_000, size=runs), run_s)


def _same_moment(machine: Machine, scenario: Scenario, rng: np.random.Generator) -> Levels:
    logs = _designs(rng, DESIGNS)
    return logs, _levels(machine, scenario, logs, np.full(DESIGNS, rng.integers(100_000)), DESIGN_S)


def _designs(rng: np.random.Generator, count: int) -> Floats:
    return np.asarray(rng.uniform(-1.0, 1.0, (count, len(FACTORS))) * REACH)


def _levels(
    machine: Machine, scenario: Scenario, logs: Floats, at_s: NDArray[np.int64], seconds: float
) -> dict[str, Singles]:
    rate_hz = machine.points[0].rate_hz
    found = [
        heard(machine, scenario, Condition.of(u), round(int(t) * rate_hz), seconds)
        for u, t in zip(logs, at_s, strict=True)
    ]
    least = {p: min(len(getattr(b, p)) for b in found) for p in PATHS}
    return {p: np.stack([levels_of(p, getattr(b, p)[: least[p]]) for b in found]) for p in PATHS}


def _regress(
    same_logs: Floats, same: Singles, logs: Floats, levels: Singles
) -> tuple[Singles, Singles]:
    """Least squares for what conditions do; the mean of what is left over all runs is the base.

    Residuals keep what is not defined as NaN. The mean of a run is a little off by the machine's
    own swings: that is part of the residuals, as the spread of the windows is.
    """
    means = np.nan_to_num(same).mean(axis=1)
    response, *_ = np.linalg.lstsq(terms(same_logs), means.reshape(len(means), -1), rcond=None)
    response = response.reshape(-1, *means.shape[1:])
    left = levels - np.einsum("rt,tcf->rcf", terms(logs), response)[:, None]
    known = ~np.isnan(left)
    base = np.where(known, left, 0.0).sum(axis=(0, 1)) / np.maximum(known.sum(axis=(0, 1)), 1)
    response[0] += base
    return response.astype(np.float32), (left - base).astype(np.float32)
