"""One protocol for every method: fit, calibrate the limit on other recordings, test on the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vibro.evaluation.intervals import (
    UNKNOWN,
    Interval,
    area_interval,
    share_interval,
    upper_share,
)
from vibro.evaluation.metrics import area_under_curve, prediction_limit
from vibro.evaluation.runs import run_figures
from vibro.features.table import FAST_NAMES, LONG_NAMES

Floats = NDArray[np.float32]

OTHER_SHARES = (0.003, 0.01, 0.03)
OTHER_LASTING = (2, 3, 5)
"""Limits, by their share of false alarms, and snapshots in a row, whose leads make a range."""
UNDEFINED = np.float32(0.0)
"""What the feature table gives a feature that is not defined."""
# 0 exactly where a window is constant, by the feature table.
_MOVES = {"fast": FAST_NAMES.index("kurtosis"), "long": LONG_NAMES.index("low_kurtosis")}


@dataclass(frozen=True, slots=True)
class Unit:
    """Windows of one recording, block or snapshot: what gets one verdict.

    Attributes
    ----------
    fast, long : ndarray of float32, shape (w, channels, n_fast), (v, channels, n_long)
    still : int
        Fast windows that were left out because a channel does not move in them.
    undefined : tuple of str
        Features that were not finite somewhere and count as undefined there.
    """

    fast: Floats
    long: Floats
    still: int = 0
    undefined: tuple[str, ...] = ()

    @property
    def is_judgeable(self) -> bool:
        """Whether most of its windows are there: methods judge the median window."""
        return len(self.fast) > self.still


def unit(fast: Floats, long: Floats) -> Unit:
    """Unit that gives every method the same rows, by the same two rules.

    A window in which a channel is constant is left out: most of its features are not defined, and
    it tells of the sensor, not of the machine. What is not finite in the others counts as the
    feature table's value of an undefined feature, 0.

    Parameters
    ----------
    fast, long : ndarray of float32, shape (w, channels, n_fast), (v, channels, n_long)
        As they come from the feature extractor.
    """
    moving, shorter = _moving(fast, "fast"), _moving(long, "long")
    odd = [
        name
        for rows, names in ((moving, FAST_NAMES), (shorter, LONG_NAMES))
        for i, name in enumerate(names)
        if not np.isfinite(rows[:, :, i]).all()
    ]
    return Unit(_defined(moving), _defined(shorter), len(fast) - len(moving), tuple(odd))


def _moving(rows: Floats, path: str) -> Floats:
    # Written so that a window whose kurtosis is NaN stays.
    return np.asarray(rows[~(rows[:, :, _MOVES[path]] == 0.0).any(axis=1)])


def _defined(rows: Floats) -> Floats:
    return np.where(np.isfinite(rows), rows, UNDEFINED)


class Method(Protocol):
    """A detector."""

    def fit(self, units: Sequence[Unit]) -> None:
        """Learn what healthy looks like."""

    def statistic(self, unit: Unit) -> float:
        """Tell how unlike that a unit is: larger is worse, roughly normal when healthy."""


@runtime_checkable
class BatchMethod(Method, Protocol):
    """A detector that judges many units faster at once."""

    def statistics(self, units: Sequence[Unit]) -> list[float]:
        """Statistic of each unit."""


@dataclass(frozen=True, slots=True)
class Round:
    """Healthy units by role."""

    fit: Sequence[Unit]
    calibrate: Sequence[Unit]
    test: Sequence[Unit]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a method said of a group.

    Attributes
    ----------
    figures : dict
        Every figure, None where it does not apply.
    calibrate, test, fault : ndarray, shape (n,), (m,), (k,)
        Reaches, in the order of time: 0 is the mean of the healthy units that the limit comes
        from, 1 the limit. Units of all rounds; a run's later snapshots are its tests.
    began : int or None
        First of a run's tested snapshots in its lasting alarm.
    """

    figures: dict[str, Any]
    calibrate: NDArray[np.float64]
    test: NDArray[np.float64]
    fault: NDArray[np.float64]
    began: int | None = None


def judge(
    method: Method,
    rounds: Sequence[Round],
    fault: Sequence[Unit],
    recordings: int | None = None,
) -> Judgement:
    """Judge one group by one method.

    Every round fits anew and has its own limit. False alarms are counted over the tests of all
    rounds; area and recall are means over the rounds, whose scales differ.

    Parameters
    ----------
    recordings : int, optional
        Normal recordings that test: what the bounds count; default every test unit is one.

    Notes
    -----
    The interval of the recall reaches from the lowest round's lower bound to the highest round's
    upper one: besides the faulty recordings the limits are drawn by lot too. Counting the faulty
    recordings alone covered 72 to 87 % instead of 95 % in simulation.
    """
    reaches = []
    for r in rounds:
        method.fit(r.fit)
        calibrate = _statistics(method, r.calibrate)
        scale = _Scale.of(calibrate)
        test, faulty = _statistics(method, r.test), _statistics(method, fault)
        reaches.append(tuple(scale.reach(v) for v in (calibrate, test, faulty)))
    calibrate, test, faulty = (np.concatenate(v) for v in zip(*reaches, strict=True))
    known = test.size if recordings is None else min(recordings, test.size)
    area = float(np.mean([area_under_curve(t, f) for _, t, f in reaches]))
    recalls = [float((f > 1.0).mean()) if f.size else math.nan for _, _, f in reaches]
    far = float((test > 1.0).mean()) if test.size else math.nan
    return Judgement(
        _figures(
            auc=area,
            auc_interval=area_interval(area, known, len(fault)),
            recall=float(np.mean(recalls)),
            recall_interval=_recall_interval(recalls, len(fault)),
            **_false_alarms(far, known),
        ),
        calibrate,
        test,
        faulty,
    )


def _false_alarms(far: float, trials: int) -> dict[str, Any]:
    if not trials:
        return {"far": math.nan, "far_upper95": math.nan, "far_interval": UNKNOWN}
    return {
        "far": far,
        "far_upper95": upper_share(far, trials),
        "far_interval": share_interval(far, trials),
    }


def _recall_interval(recalls: Sequence[float], faults: int) -> Interval:
    if not faults:
        return UNKNOWN
    return share_interval(min(recalls), faults)[0], share_interval(max(recalls), faults)[1]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a method's limit lies."""

    center: float
    limit: float

    @classmethod
    def of(cls, calibrate: NDArray[np.float64]) -> _Scale:
        return cls(float(calibrate.mean()), prediction_limit(calibrate))

    def reach(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """0 at the center, 1 at the limit, above 1 exactly where a value exceeds it."""
        found = (values - self.center) / max(self.limit - self.center, 1e-12)
        return np.where(values > self.limit, np.maximum(found, 1.0 + 1e-9), np.minimum(found, 1.0))


def _statistics(method: Method, units: Sequence[Unit]) -> NDArray[np.float64]:
    if isinstance(method, BatchMethod):
        return np.array(method.statistics(units), float)
    return np.array([method.statistic(u) for u in units], float)


def judge_run(
    method: Method,
    units: Sequence[Unit],
    times_s: Sequence[float],
    numbers: Sequence[int],
    roles: tuple[int, int],
) -> Judgement:
    """Judge one run to failure by one method.

    Parameters
    ----------
    units, times_s, numbers : sequences of one length
        Snapshots, their times and the publisher's numbers of them.
    roles : (int, int)
        First snapshot that calibrates, first that tests.
    """
    a, b = roles
    method.fit(units[:a])
    values = _statistics(method, units[a:])
    scale = _Scale.of(values[: b - a])
    reach = scale.reach(values)
    said = run_figures(list(reach[b - a :] > 1.0), times_s[b:])
    far = said.false_early / said.quiet if said.quiet else math.nan
    return Judgement(
        _figures(
            **_false_alarms(far, said.quiet),
            lead_s=said.lead_s,
            lead_range_s=_lead_range(values, b - a, times_s[b:]),
            first_alarm=None if said.first_alarm is None else numbers[b + said.first_alarm],
            false_early=said.false_early,
        ),
        reach[: b - a],
        reach[b - a :],
        np.empty(0),
        None if said.first_alarm is None else said.quiet,
    )


def _lead_range(
    values: NDArray[np.float64], calibrated: int, times_s: Sequence[float]
) -> tuple[float, float]:
    """Shortest and longest lead under other limits and other words of "lasting"; 0 is none."""
    leads = []
    for share in OTHER_SHARES:
        limit = prediction_limit(values[:calibrated], share)
        alarmed = list(values[calibrated:] > limit)
        leads += [run_figures(alarmed, times_s, n).lead_s for n in OTHER_LASTING]
    known = [0.0 if math.isnan(x) else x for x in leads]
    return min(known), max(known)


FIGURES = (
    "auc",
    "auc_interval",
    "recall",
    "recall_interval",
    "far",
    "far_interval",
    "far_upper95",
    "lead_s",
    "lead_range_s",
    "first_alarm",
    "false_early",
)


def _figures(**known: Any) -> dict[str, Any]:
    """Every figure, None where it does not apply."""
    return {name: known.get(name) for name in FIGURES}
