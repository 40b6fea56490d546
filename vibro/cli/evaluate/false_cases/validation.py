"""Whether windows at feature level are what waveforms give, by every measure the judge depends on.

Machines, conditions and times are drawn anew; for each, the waveform is rendered and the same
number of windows is drawn at feature level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.bundle import Bundle
from vibro.cli.evaluate.false_cases.fleet import FOREVER, Unit, running_steps
from vibro.cli.evaluate.false_cases.history import BLOCK_S
from vibro.cli.evaluate.false_cases.signs import RUNNING, Signs
from vibro.simulate import Condition
from vibro.simulate.feature_level import PATHS, heard
from vibro.simulate.plant_life import DAY_S, STOPPED

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]
Pairs = list[tuple[Rows, Rows]]

STRETCH_S = 84.0
SNIPPETS, SNIPPET_S = 8, 4.8
QUANTILES = (1e-3, 1e-2, 0.5, 0.99, 0.999)
LAGS = (1, 2, 4)
SHARES = (0.1, 0.01, 1e-3, 1e-4)


def validate(
    units: Sequence[tuple[Unit, Bundle]],
    stretches: int,
    blocks: int,
    rng: np.random.Generator,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Compare feature level with waveforms; see `docs/false-cases.md` for what each figure is."""
    tell("validating windows against waveforms")
    found: dict[str, Any] = {"stretches": stretches, "blocks": blocks}
    drawn = [_pair(*units[int(rng.integers(len(units)))], rng) for _ in range(stretches)]
    for i, path in enumerate(PATHS):
        found[path] = _windows([d[i] for d in drawn])
    tell("validating blocks against waveforms")
    drawn_blocks = [_block(*units[int(rng.integers(len(units)))], rng) for _ in range(blocks)]
    for i, path in enumerate(PATHS):
        found[path] |= _blocks(np.array([d[i] for d in drawn_blocks]))
    return found


def _time(unit: Unit, rng: np.random.Generator) -> float:
    """Any time at which the machine runs on for a block."""
    days = len(unit.life.speed) * unit.life.step_s / DAY_S
    steps = running_steps(unit, 0.0, days)
    speed, ahead = unit.life.speed, round(BLOCK_S / unit.life.step_s) + 1
    steps = steps[steps + ahead < len(speed)]
    steps = steps[(speed[steps] == speed[steps + ahead]) & (speed[steps + ahead // 2] != STOPPED)]
    return float(steps[int(rng.integers(len(steps)))] * unit.life.step_s)


Stretch = tuple[Rows, Rows, Floats, Floats]
"""Standardised levels of all channels side by side and p-values, waveform and feature level."""


def _pair(unit: Unit, bundle: Bundle, rng: np.random.Generator) -> list[Stretch]:
    at_s = _time(unit, rng)
    real = _waveform(unit, at_s, STRETCH_S)
    found = []
    for path in PATHS:
        logs = np.repeat(unit.life.at(np.array([at_s])), len(real[path]), axis=0)
        speed = int(unit.speed_at(np.array([at_s]))[0])
        made = unit.model.at[speed].stretch(path, logs, rng)
        signs = Signs(unit, bundle)
        z = [_standardised(unit, bundle, path, rows) for rows in (real[path], made)]
        p = [signs.judged(path, rows)[0] for rows in (real[path], made)]
        found.append((z[0], z[1], p[0], p[1]))
    return found


def _waveform(unit: Unit, at_s: float, seconds: float) -> dict[str, Rows]:
    at = np.array([at_s])
    machine = unit.model.at[int(unit.speed_at(at)[0])].machine
    first = round(at_s * unit.info.rate_hz)
    condition = Condition.of(unit.life.at(at)[0])
    batch = heard(machine, FOREVER, condition, first, seconds)
    return {"fast": batch.fast, "long": batch.long}


def _standardised(unit: Unit, bundle: Bundle, path: str, rows: Rows) -> Rows:
    model = bundle.path(path)
    parts = [
        model.scaling[f"{c}|{RUNNING}"].deviations(rows[:, i], model.logs)
        for i, c in enumerate(unit.machine.channels)
    ]
    return np.concatenate(parts, axis=1)


def _windows(pairs: Sequence[Stretch]) -> dict[str, Any]:
    """Distances between the two sources: worst and typical over features."""
    half = pairs[0][0].shape[1] // 2
    real, made = (np.concatenate([p[k].reshape(-1, half) for p in pairs]) for k in (0, 1))
    moving = real.std(axis=0) > 1e-6
    gaps = np.abs(
        np.quantile(real[:, moving], QUANTILES, axis=0)
        - np.quantile(made[:, moving], QUANTILES, axis=0)
    )
    lags = np.abs(_lagged([p[0] for p in pairs]) - _lagged([p[1] for p in pairs]))
    cross = np.abs(_crossed([p[0] for p in pairs]) - _crossed([p[1] for p in pairs]))
    p_real, p_made = (np.concatenate([p[k].ravel() for p in pairs]) for k in (2, 3))
    return {
        "windows": len(real),
        "quantile_gap": {
            f"{q:g}": [float(np.median(g)), float(g.max())]
            for q, g in zip(QUANTILES, gaps, strict=True)
        },
        "autocorrelation_gap": [float(np.nanmedian(lags)), float(np.nanmax(lags))],
        "correlation_gap": [float(np.nanmedian(cross)), float(np.nanmax(cross))],
        "share_below": {
            f"{s:g}": [float((p_real < s).mean()), float((p_made < s).mean())] for s in SHARES
        },
    }


def _lagged(stretches: Sequence[Rows]) -> Floats:
    """Autocorrelation of every feature at some lags, over all stretches about their own means."""
    centred = [x - x.mean(axis=0) for x in stretches]
    power = sum((x * x).mean(axis=0) for x in centred)
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = [sum((x[k:] * x[:-k]).mean(axis=0) for x in centred) / power for k in LAGS]
    return np.asarray(rows)


def _crossed(stretches: Sequence[Rows]) -> Floats:
    """Correlation of all features of all channels, over all stretches about their own means."""
    x = np.concatenate([s - s.mean(axis=0) for s in stretches])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.corrcoef(x, rowvar=False))


def _block(unit: Unit, bundle: Bundle, rng: np.random.Generator) -> list[tuple[float, ...]]:
    """Deviation of one block by waveforms and at feature level, a channel drawn at random."""
    begin_s = _time(unit, rng)
    times = begin_s + (np.arange(SNIPPETS) + rng.uniform(size=SNIPPETS) * 0.9) * BLOCK_S / SNIPPETS
    speed = int(unit.speed_at(times[:1])[0])
    c = int(rng.integers(len(unit.machine.points)))
    signs = Signs(unit, bundle)
    real = [_waveform(unit, float(t), SNIPPET_S) for t in times]
    found = []
    for path in PATHS:
        lasting = bundle.path(path).lasting[f"{unit.machine.channels[c]}|{RUNNING}"]
        sources = (
            np.concatenate([r[path] for r in real]),
            np.concatenate(
                [
                    unit.model.at[speed].stretch(
                        path, np.repeat(unit.life.at(np.array([t])), len(r[path]), axis=0), rng
                    )
                    for t, r in zip(times, real, strict=True)
                ]
            ),
            unit.model.at[speed].draw(path, unit.life.at(times[::2]), rng),
        )
        levels = [float(signs.judged(path, rows)[1][:, c].mean()) for rows in sources]
        found.append(tuple(lasting.deviation(level) for level in levels))
    return found


def _blocks(deviations: Floats) -> dict[str, Any]:
    """Mean, deviation and 99 % quantile of blocks by waveforms, at feature level, and thinned."""
    names = ("waveform", "feature_level", "thinned")
    return {
        "blocks": {
            name: [float(d.mean()), float(d.std()), float(np.quantile(d, 0.99))]
            for name, d in zip(names, deviations.T, strict=True)
        }
    }
