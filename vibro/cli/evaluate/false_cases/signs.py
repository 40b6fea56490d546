"""Whether anything can come of windows: what lets the judge be spared a healthy month.

A decider without a sign changes nothing, and a few signs apart from each other change nothing
either (`vibro.decide`). Signs are computed here for many windows at once and never missed: where
this says that nothing can come of them, the judge says so too (a test holds both together).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vibro.bundle import Bundle, Scorer
from vibro.decide import DecisionRules
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.forest import BLOCK
from vibro.iso10816 import IsoLimits

if TYPE_CHECKING:
    from vibro.cli.evaluate.false_cases.fleet import Unit

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]
Bools = NDArray[np.bool_]
Judgement = tuple[Floats, Floats]
"""P-values and levels of windows, shape (n, channels) each."""
RUNNING = "running"
_AT_ONCE = 256
"""Windows of a channel that the scorer is shown as if they were channels of one machine."""
_F = {name: i for i, name in enumerate(FAST_NAMES)}
_L = {name: i for i, name in enumerate(LONG_NAMES)}
_LEAST_DEVIATION = 2.5
"""A block that lies less far out than this never has a p-value of a sign."""


class Signs:
    """Signs of a machine's windows under a bundle.

    Parameters
    ----------
    unit : Unit
    bundle : Bundle
    """

    def __init__(self, unit: Unit, bundle: Bundle) -> None:
        self._machine, self._bundle = unit.machine, bundle
        self._names = [str(c) for c in unit.machine.channels]
        self._scorers = [Scorer(bundle, [name] * _AT_ONCE) for name in self._names]
        self._rules = DecisionRules()

    def judged(self, path: str, rows: Rows) -> Judgement:
        """P-values and levels of windows, shape (n, channels, features) -> (n, channels) each."""
        p, levels = np.empty(rows.shape[:2]), np.empty(rows.shape[:2])
        for c, scorer in enumerate(self._scorers):
            for at in range(0, len(rows), _AT_ONCE):
                part = rows[at : at + _AT_ONCE, c]
                padded = np.concatenate([part, np.repeat(part[:1], _AT_ONCE - len(part), axis=0)])
                found = scorer.judge(path, padded, RUNNING)
                p[at : at + _AT_ONCE, c] = found.p_value[: len(part)]
                levels[at : at + _AT_ONCE, c] = found.level[: len(part)]
        return p, levels

    def of(self, path: str, rows: Rows, p: Floats, below: float | None = None) -> Bools:
        """Windows with any sign, shape (n, channels).

        Parameters
        ----------
        p : ndarray
            Their p-values.
        below : float, optional
            P-value that is a sign; default that of watch.
        """
        facts = self._sensor(rows) if path == "fast" else self._zones(rows)
        return (p < (self._rules.p_watch if below is None else below)) | facts

    def runs(self, path: str, rows: Rows, p: Floats) -> Bools:
        """Windows at which so many of the last ones have a sign that a trigger may hold."""
        needed, among = {
            "fast": (self._rules.fast_n, self._rules.fast_m),
            "long": (self._rules.long_n, self._rules.long_m),
        }[path]
        return within(self.of(path, rows, p), among) >= needed

    def possible(
        self, seconds: Floats, rows: dict[str, Rows], judged: dict[str, Judgement]
    ) -> bool:
        """Whether thinned windows of a month can lead to any event."""
        if any(self.runs(path, values, judged[path][0]).any() for path, values in rows.items()):
            return True
        # Blocks of both paths in the order of time; which of two that end together is told first
        # is left open by looking at one more.
        parts = [self._blocks(path, seconds, judged[path][1]) for path in rows]
        blocks = np.stack(parts, axis=1).reshape(-1, len(self._names))
        return bool((within(blocks, self._rules.block_m + 1) >= self._rules.block_n).any())

    def _blocks(self, path: str, seconds: Floats, levels: Floats) -> Bools:
        """Blocks with a sign, shape (blocks, channels); one of less than four windows has none."""
        _, number = np.unique(seconds // (BLOCK * 300.0), return_inverse=True)
        full = np.bincount(number) >= BLOCK
        # One that is not full is none: those beside it are neighbours.
        number = np.where(full[number], np.cumsum(full)[number] - 1, full.sum())
        count = np.bincount(number, minlength=full.sum() + 1)[: full.sum()]
        found = np.zeros((len(count), len(self._names)), bool)
        for c, name in enumerate(self._names):
            lasting = self._bundle.path(path).lasting.get(f"{name}|{RUNNING}")
            if lasting is None:
                continue
            level = np.bincount(number, levels[:, c], full.sum() + 1)[: full.sum()] / count
            far = (level - lasting.center) / lasting.scale > _LEAST_DEVIATION
            for b in np.flatnonzero(far):
                found[b, c] = 2.0 * lasting.p_value(float(level[b])) < self._rules.p_watch
        return found

    def _sensor(self, rows: Rows) -> Bools:
        r = self._rules
        full = np.array([p.range_m_s2 for p in self._machine.points])
        mean = np.abs(rows[..., _F["mean"]])
        repeat = rows[..., _F["repeat_share"]]
        return (
            (rows[..., _F["rms"]] < r.flat_rms_m_s2)
            | (repeat >= min(r.stuck_share, r.dropout_share))
            | (rows[..., _F["peak"]] + mean >= r.clip_share * full)
            | (mean >= r.bias_share * full)
        )

    def _zones(self, rows: Rows) -> Bools:
        """Velocity or displacement outside zones A and B, or far from the reference's velocity."""
        iso = self._machine.iso_limits
        if not isinstance(iso, IsoLimits):
            return np.zeros(rows.shape[:2], bool)
        velocity = rows[..., _L["velocity_rms_mm_s"]]
        um = rows[..., _L["displacement_rms_um"]]
        model = self._bundle.long
        usual = np.array(
            [
                model.scaling[f"{n}|{RUNNING}"].usual(model.logs)[_L["velocity_rms_mm_s"]]
                for n in self._names
            ]
        )
        change = np.abs(velocity - usual) > self._rules.change_share * iso.velocity_mm_s[1]
        beyond = (velocity >= iso.velocity_mm_s[1]) | (um >= iso.displacement_um[1])
        return np.asarray(change | beyond)


def within(signs: Bools, among: int) -> NDArray[np.int64]:
    """Signs among the last windows, each counted with those before it."""
    total = np.cumsum(np.pad(signs.astype(np.int64), ((among, 0), (0, 0))), axis=0)
    return np.asarray(total[among:] - total[:-among])
