"""One protocol for every method: fit, calibrate the limit on other recordings, test on the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vibro.evaluation.metrics import area_under_curve, prediction_limit, upper_bound
from vibro.evaluation.runs import run_figures
from vibro.features.table import FAST_NAMES, LONG_NAMES

Floats = NDArray[np.float32]

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


@dataclass(frozen=True, slots=True)
class Round:
    """Healthy units by role."""

    fit: Sequence[Unit]
    calibrate: Sequence[Unit]
    test: Sequence[Unit]


def judge(method: Method, rounds: Sequence[Round], fault: Sequence[Unit]) -> dict[str, Any]:
    """Figures of one method on one group.

    Every round fits anew and has its own limit. False alarms are counted over the tests of all
    rounds; area and recall are means over the rounds, whose scales differ.
    """
    areas, recalls, false, tested = [], [], 0, 0
    for r in rounds:
        method.fit(r.fit)
        limit = prediction_limit([method.statistic(u) for u in r.calibrate])
        healthy = np.array([method.statistic(u) for u in r.test])
        faulty = np.array([method.statistic(u) for u in fault])
        false, tested = false + int((healthy > limit).sum()), tested + healthy.size
        areas.append(area_under_curve(healthy, faulty))
        recalls.append(float((faulty > limit).mean()) if faulty.size else math.nan)
    return _figures(
        auc=float(np.mean(areas)),
        recall=float(np.mean(recalls)),
        far=false / tested if tested else math.nan,
        far_upper95=upper_bound(false, tested),
    )


def judge_run(
    method: Method,
    units: Sequence[Unit],
    times_s: Sequence[float],
    numbers: Sequence[int],
    roles: tuple[int, int],
) -> dict[str, Any]:
    """Figures of one method on one run to failure.

    Parameters
    ----------
    units, times_s, numbers : sequences of one length
        Snapshots, their times and the publisher's numbers of them.
    roles : (int, int)
        First snapshot that calibrates, first that tests.
    """
    a, b = roles
    method.fit(units[:a])
    limit = prediction_limit([method.statistic(u) for u in units[a:b]])
    alarmed = [method.statistic(u) > limit for u in units[b:]]
    said = run_figures(alarmed, times_s[b:])
    return _figures(
        far=said.false_early / said.quiet if said.quiet else math.nan,
        far_upper95=upper_bound(said.false_early, said.quiet),
        lead_s=said.lead_s,
        first_alarm=None if said.first_alarm is None else numbers[b + said.first_alarm],
        false_early=said.false_early,
    )


def _figures(**known: Any) -> dict[str, Any]:
    """Every figure, null where it does not apply."""
    names = ("auc", "recall", "far", "far_upper95", "lead_s", "first_alarm", "false_early")
    return {name: known.get(name) for name in names}
