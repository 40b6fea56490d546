"""What a group can tell at all, and which methods it does not tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from vibro.evaluation.intervals import share_interval, upper_share
from vibro.evaluation.metrics import FALSE_ALARM_SHARE

Methods = Mapping[str, Mapping[str, Any]]
"""Figures by the name of the method."""

BOUND = 0.10
"""A group is too small when even no false alarm bounds their rate no lower than this."""
RECALL = 0.80
"""... or when every fault found would leave a recall below this possible."""

_RANGES = {"auc": "auc_interval", "recall": "recall_interval", "lead_s": "lead_range_s"}
# False alarms have no best: who never alarms has none.


def best(methods: Methods) -> dict[str, list[str]]:
    """Methods that hold the best value of a figure or that its interval does not tell from it.

    The one or ones that hold the best value come first, then those in whose interval it lies. A
    figure that no method has is left out. A lead that is bought with more false alarms than chance
    explains counts for nothing.
    """
    found = {}
    for key, interval in _RANGES.items():
        known = {n: m[key] for n, m in methods.items() if _counts(m, key)}
        if not known:
            continue
        top = max(known.values())
        first = [n for n, v in known.items() if v == top]
        ties = [n for n in known if n not in first and _within(top, methods[n][interval])]
        found[key] = first + ties
    return found


def _counts(figures: Mapping[str, Any], key: str) -> bool:
    return _is_number(figures[key]) and not (key == "lead_s" and is_loud(figures))


def is_loud(figures: Mapping[str, Any]) -> bool:
    """Whether a method has more false alarms than chance explains, by their interval."""
    interval = figures["far_interval"]
    return interval is not None and interval[0] > FALSE_ALARM_SHARE


def _is_number(value: Any) -> bool:
    return value is not None and not math.isnan(value)


def _within(value: float, interval: tuple[float, float]) -> bool:
    return interval[0] <= value <= interval[1]


def labelled_limits(normal: int, fault: int) -> list[str]:
    """Tell in plain sentences what recordings with labels are too few for.

    Parameters
    ----------
    normal, fault : int
        Normal recordings that test, and faulty ones.

    Returns
    -------
    list of str
        Empty where they are enough.
    """
    told = _false_alarms(normal, "healthy test recording")
    if fault and share_interval(1.0, fault)[0] < RECALL:
        told.append(
            f"{_count(fault, 'faulty recording')} would not prove a recall above "
            f"{share_interval(1.0, fault)[0]:.0%} even if all were found"
        )
    return told


def run_limits(quiet: int) -> list[str]:
    """Tell what one run to failure is too little for; ``quiet`` snapshots before its alarm."""
    return [
        *_false_alarms(quiet, "snapshot before the alarm"),
        "one run has one lead time: its range only tells how far it hangs on the alarm rule, and "
        "of the next run nothing",
    ]


def _false_alarms(trials: int, word: str) -> list[str]:
    bound = upper_share(0.0, trials) if trials else 1.0
    if bound <= BOUND:
        return []
    return [
        f"{_count(trials, word)} cannot bound the false-alarm rate below {bound:.0%}, even "
        "without any alarm"
    ]


def _count(n: int, word: str) -> str:
    head, *rest = word.split(" before ")
    plural = head if n == 1 else f"{head}s"
    return " before ".join([f"{n} {plural}", *rest])


def ties(methods: Methods, key: str = "auc", word: str = "area under the curve") -> str:
    """Sentence on the methods that a figure does not tell apart; empty when it does."""
    alike = best(methods).get(key, [])
    if len(alike) < 2:
        return ""
    if len(alike) == sum(_is_number(m[key]) for m in methods.values()):
        return f"no method is told from another by its {word}"
    return f"not told apart by their {word}: {_listed(alike)}"


def _listed(names: Iterable[str]) -> str:
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last


def broken_limits(methods: Methods) -> str:
    """Sentence on methods whose false alarms chance does not explain; empty without one."""
    loud = [n for n, m in methods.items() if is_loud(m)]
    if not loud:
        return ""
    who = "every method" if len(loud) == len(methods) else _listed(loud)
    return (
        f"{who} alarms on more healthy recordings than the {FALSE_ALARM_SHARE:.0%} that limits aim "
        "at: those that test differ from those that set the limit, or the statistic is not normal"
    )
