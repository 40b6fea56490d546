"""One month of one healthy machine through the real judge, thinned where nothing can happen.

The real chain judges a fast window every 80 ms. Here the judge sees one window of either path every
300 s: four a block, which is the least that a block is judged on and what a block is in training. A
mean of four scatters more than one of 750 or 15 000, so that false blocks are rather too many. What
needs neighbours in time (3 of 4 long windows, 10 of 16 fast ones) is run at the full rate wherever
several successive thinned windows of a channel stand out, and in blocks drawn at random, which
tell what is missed elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.retrain.train import Vectors
from edge_node.judging.judge import Judge
from vibro.bundle import Bundle
from vibro.cli.evaluate.false_cases.fleet import T0_NS, Unit, running_steps
from vibro.cli.evaluate.false_cases.signs import RUNNING, Signs, within
from vibro.forest import BLOCK
from vibro.records import Event
from vibro.simulate.feature_level import PATHS
from vibro.simulate.plant_life import DAY_S, STOPPED

Floats = NDArray[np.float64]

SAMPLE_S = 300.0
BLOCK_S = BLOCK * SAMPLE_S
SPAN_S = {"fast": 0.16, "long": 3.2}
HOP_S = {"fast": 0.08, "long": 1.6}
OUTSTANDING = 0.01
"""P-value of a thinned window that stands out."""
MOST_CLOSELY = 24
"""A machine of which more stands out has changed for good, which its thinned blocks tell."""
CROWD = {"fast": 3, "long": 2}
"""So many of four successive thinned windows stand out where a block is run at the full rate: ten
of sixteen fast windows agree only where most stand out, three of four long ones sooner."""


@dataclass(slots=True)
class Seen:
    """What the judge said of one machine.

    Attributes
    ----------
    events : list of Event
        Every revision, in the order of decisions.
    judged_s : float
        Time in which the machine ran with a baseline.
    closely : list of (float, float, str)
        Spans (s) that were run at the full rate because something stood out, each with its path.
    """

    events: list[Event] = field(default_factory=list)
    judged_s: float = 0.0
    closely: list[tuple[float, float, str]] = field(default_factory=list)

    @property
    def last(self) -> list[Event]:
        """Newest revision of every event."""
        return list({e.id.thing: e for e in self.events}.values())


def judge_of(unit: Unit, bundle: Bundle) -> Judge:
    """Return a judge as a node with this bundle has it."""
    judge = Judge(unit.machine, unit.info, round(BLOCK_S * 1e9))
    judge.use(bundle)
    return judge


def sampled_vectors(
    unit: Unit, first_day: float, last_day: float, rng: np.random.Generator
) -> Vectors:
    """Sampled vectors of some days, one of each path every 300 s, as a node ships them."""
    seconds = _thinned(unit, first_day, last_day, rng)
    if not len(seconds):
        return {}
    rows = {path: unit.windows(path, seconds, rng) for path in PATHS}
    return {
        (channel, RUNNING): (rows["fast"][:, c], rows["long"][:, c])
        for c, channel in enumerate(unit.machine.channels)
    }


def _thinned(unit: Unit, first_day: float, last_day: float, rng: np.random.Generator) -> Floats:
    """One instant in every interval of 300 s in which the machine runs, within one step of it."""
    per = round(SAMPLE_S / unit.life.step_s)
    steps = running_steps(unit, first_day, last_day)
    steps = steps[steps % per == 0]
    # A window ends before the step does, so that it is of one speed.
    inside = rng.uniform(10.0, unit.life.step_s - 10.0, len(steps))
    return np.asarray(steps * unit.life.step_s + inside, np.float64)


def month(
    unit: Unit,
    bundle: Bundle,
    learn_days: float,
    rng: np.random.Generator,
    most_closely: int = MOST_CLOSELY,
) -> Seen:
    """Judge one machine from the end of learning to the end of its life.

    Parameters
    ----------
    most_closely : int
        Most blocks of a path that are run at the full rate: the first ones.
    """
    last_day = len(unit.life.speed) * unit.life.step_s / DAY_S
    seconds = _thinned(unit, learn_days, last_day, rng)
    seen = Seen(judged_s=len(seconds) * SAMPLE_S)
    if not len(seconds):
        return seen
    rows = {path: unit.windows(path, seconds, rng) for path in PATHS}
    signs = Signs(unit, bundle)
    judged = {path: signs.judged(path, rows[path]) for path in PATHS}
    if signs.possible(seconds, rows, judged):
        seen.events += _thinned_events(unit, bundle, seconds, rows)
    for path in PATHS:
        stands = signs.of(path, rows[path], judged[path][0], OUTSTANDING)
        for begin_s in islice(_outstanding(path, seconds, stands), most_closely):
            seen.closely.append((begin_s, begin_s + BLOCK_S, path))
            seen.events += closely(unit, bundle, path, begin_s, BLOCK_S, rng)
    return seen


def _thinned_events(
    unit: Unit, bundle: Bundle, seconds: Floats, rows: dict[str, NDArray[np.float32]]
) -> list[Event]:
    """Show the judge all thinned windows in their order."""
    judge, speed, last_s = judge_of(unit, bundle), unit.speed_at(seconds), -np.inf
    events: list[Event] = []
    for i, at_s in enumerate(seconds.tolist()):
        if at_s - last_s > 2.0 * SAMPLE_S:
            _stand(judge, unit, at_s)
        last_s = at_s
        for path in PATHS:
            events += _ask(judge, unit, path, at_s, rows[path][i], int(speed[i]))
    return events


def _ask(
    judge: Judge, unit: Unit, path: str, at_s: float, values: NDArray[np.float32], speed: int
) -> tuple[Event, ...]:
    first = round(at_s * unit.info.rate_hz)
    t0_ns = T0_NS + round(at_s * 1e9)
    end_ns = t0_ns + round(SPAN_S[path] * 1e9)
    return judge.window(path, first, t0_ns, end_ns, values, unit.rpm(speed)).events


def _stand(judge: Judge, unit: Unit, before_s: float) -> None:
    """Let the judge see that the machine stood, long enough ago that its start is over."""
    still = np.zeros_like(unit.model.at[0].residuals["fast"][0, 0])
    for back_s in (60.0, 30.0):
        speed = STOPPED if back_s == 60.0 else int(unit.speed_at(np.array([before_s]))[0])
        values = (
            still
            if speed == STOPPED
            else unit.model.at[speed].draw(
                "fast", unit.life.at(np.array([before_s])), np.random.default_rng(0)
            )[0]
        )
        _ask(judge, unit, "fast", before_s - back_s, values, speed)


def _outstanding(path: str, seconds: Floats, stands: NDArray[np.bool_]) -> Iterator[float]:
    """Beginnings of the blocks in which `CROWD` of four successive thinned windows stand out."""
    crowded = (within(stands, BLOCK) >= CROWD[path]).any(axis=1) & stands.any(axis=1)
    yield from (float(b) * BLOCK_S for b in np.unique(seconds[crowded] // BLOCK_S))


def closely(
    unit: Unit,
    bundle: Bundle,
    path: str,
    begin_s: float,
    seconds: float,
    rng: np.random.Generator,
) -> list[Event]:
    """Run every window of one path in a span; the judge is asked if anything can come of it."""
    hops = np.arange(round(seconds / HOP_S[path]), dtype=np.float64)
    t: Floats = begin_s + hops * HOP_S[path]
    t = t[unit.speed_at(t) != STOPPED]
    if not len(t):
        return []
    speed = unit.speed_at(t)
    rows = unit.windows(path, t, rng, successive=True)
    signs = Signs(unit, bundle)
    if not signs.runs(path, rows, signs.judged(path, rows)[0]).any():
        return []
    judge = judge_of(unit, bundle)
    # The judge takes its state from fast windows.
    values = unit.windows("fast", t[:1], rng)[0]
    events = [*_ask(judge, unit, "fast", float(t[0]) - 1.0, values, int(speed[0]))]
    for i in range(len(t)):
        events += _ask(judge, unit, path, float(t[i]), rows[i], int(speed[i]))
    return events
