"""How small a fault is found, and after how long: waveforms with a fault through the real judge.

A fault of a given size is there from one moment on. The judge hears the machine without a pause for
a minute, then a few seconds of every 150 s, which is enough for its blocks of twenty minutes: what
would need neighbours in time later than the first minute is thereby rather missed than found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vibro.bundle import Bundle
from vibro.cli.evaluate.false_cases.fleet import FOREVER, T0_NS, Unit
from vibro.cli.evaluate.false_cases.history import BLOCK_S, SPAN_S, judge_of
from vibro.cli.evaluate.false_cases.naming import commissioning, diagnosed, rendered
from vibro.faults import Fault, Severity
from vibro.features.setup import ChannelSetup
from vibro.features.stream import FeatureBatch, MachineFeatures
from vibro.records import Event
from vibro.simulate import Scenario, Truth
from vibro.simulate.plant_life import STOPPED

FAULTS: tuple[tuple[Fault, str, str], ...] = (
    (Fault.BEARING_OUTER, "motor", "impacts, 1 = 26 m/s2 of force a strike"),
    (Fault.IMBALANCE, "fan", "line at 1x, 1 = 6 mm/s RMS"),
    (Fault.MISALIGNMENT, "pump", "line at 2x, 1 = 4.2 mm/s RMS"),
    (Fault.GEAR_TOOTH, "gearbox", "impact a turn, 1 = 75 m/s2 of force"),
    (Fault.LOOSENESS, "motor", "half orders, 1 = 2.9 mm/s RMS at 1x"),
)
"""Fault, the class of machine that gets it, and what its size is."""
SIZES = (0.02, 0.05, 0.1, 0.2, 0.4)
_SAME = Scenario(1e9, 1e9, 0, ())
HEARD_S = 60.0
SNIPPET_S = 4.8
EVERY_S = 150.0
WITHIN_S = 2.0 * 3600.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault of one machine.

    Attributes
    ----------
    delay_s : float
        From its beginning to the decision that opened an event; infinite when there was none.
    severity : Severity
        Of that event.
    causes : tuple of str
    named : str
        Fault that the diagnosis of the event's clip put first; empty when none or unknown.
    """

    fault: Fault
    size: float
    delay_s: float
    severity: Severity
    causes: tuple[str, ...]
    named: str


def trials(
    units: Sequence[tuple[Unit, Bundle]],
    count: int,
    rng: np.random.Generator,
    tell: Callable[[str], None],
    sizes: Sequence[float] = SIZES,
    within_s: float = WITHIN_S,
) -> list[Trial]:
    """Try every fault at every size ``count`` times on machines of its class.

    A fault that is not found after ``within_s`` counts as missed.
    """
    found = []
    for fault, kind, _ in FAULTS:
        suited = [(u, b) for u, b in units if u.machine.machine_class == kind]
        for size in sizes if suited else ():
            tell(f"{fault.value} of size {size:g}")
            for _ in range(count):
                unit, bundle = suited[int(rng.integers(len(suited)))]
                found.append(_trial(unit, bundle, fault, size, rng, within_s))
    return found


def healthy_trials(
    units: Sequence[tuple[Unit, Bundle]],
    count: int,
    rng: np.random.Generator,
    within_s: float = WITHIN_S,
) -> int:
    """Events of as many healthy machines that are heard as those with a fault are."""
    found = 0
    for _ in range(count):
        unit, bundle = units[int(rng.integers(len(units)))]
        begin_s = _running_stretch(unit, rng)
        found += _first_event(unit, bundle, begin_s, _SAME, within_s) is not None
    return found


def _trial(
    unit: Unit,
    bundle: Bundle,
    fault: Fault,
    size: float,
    rng: np.random.Generator,
    within_s: float,
) -> Trial:
    begin_s = _running_stretch(unit, rng)
    speed = int(unit.speed_at(np.array([begin_s]))[0])
    path = unit.model.at[speed].machine.path
    # There at full size throughout: what is heard before it began is heard without it.
    faulty = Scenario(1e9, 1e9, 0, (Truth(path, fault, -10.0, 1.0, size),))
    event = _first_event(unit, bundle, begin_s, faulty, within_s)
    if event is None:
        return Trial(fault, size, float("inf"), Severity.OK, (), "")
    delay_s = (event.t_decided_ns - T0_NS) / 1e9 - begin_s
    clip_s = max(begin_s, begin_s + delay_s - 2.0)
    said = diagnosed(unit, clip_s, commissioning(unit), faulty).diagnoses
    sure = bool(said) and said[0].probability >= 0.5 and said[0].fault is not Fault.UNKNOWN
    named = said[0].fault.value if sure else ""
    return Trial(fault, size, delay_s, event.severity, event.causes, named)


def _running_stretch(unit: Unit, rng: np.random.Generator) -> float:
    """Find a time after which the machine runs at one speed long enough to be heard."""
    life = unit.life
    need = round((WITHIN_S + BLOCK_S) / life.step_s) + 2
    # An hour after a start the machine is warm enough to be as it was learned.
    warm = round((3600.0 + BLOCK_S) / life.step_s)
    same = np.flatnonzero(np.diff(life.speed) != 0) + 1
    edges = np.concatenate([[0], same, [len(life.speed)]])
    spans = [
        (a, b)
        for a, b in pairwise(edges.tolist())
        if life.speed[a] != STOPPED and b - a > need + warm
    ]
    a, b = spans[int(rng.integers(len(spans)))]
    return float(rng.uniform(a + warm, b - need) * life.step_s)


def _first_event(
    unit: Unit, bundle: Bundle, begin_s: float, faulty: Scenario, within_s: float
) -> Event | None:
    """First event of the machine that is not a sensor's."""
    judge = judge_of(unit, bundle)
    rate_hz = unit.info.rate_hz
    for at_s, seconds, scenario in _heard(begin_s, faulty, within_s):
        x, rpm = rendered(unit, at_s, seconds, scenario)
        setups = [ChannelSetup(lines=p.lines) for p in unit.machine.points]
        batch = MachineFeatures(rate_hz, setups, round(at_s * rate_hz)).push(x, rpm)
        for end_s, path, i in _in_order(batch, rate_hz):
            values = batch.fast[i] if path == "fast" else batch.long[i]
            first = int((batch.fast_first if path == "fast" else batch.long_first)[i])
            t0_ns = T0_NS + round(first / rate_hz * 1e9)
            end_ns = T0_NS + round(end_s * 1e9)
            for event in judge.window(path, first, t0_ns, end_ns, values, rpm).events:
                if scenario is faulty and event.sensor_fault is None:
                    return event
    return None


def _heard(
    begin_s: float, faulty: Scenario, within_s: float
) -> Iterator[tuple[float, float, Scenario]]:
    """Stretches that the judge hears: the block before the fault, the first minute, snippets."""
    before = begin_s - begin_s % BLOCK_S
    while before + SNIPPET_S < begin_s:
        yield before, SNIPPET_S, FOREVER
        before += EVERY_S
    yield begin_s, HEARD_S, faulty
    at_s = begin_s + EVERY_S
    while at_s < begin_s + within_s:
        yield at_s, SNIPPET_S, faulty
        at_s += EVERY_S


def _in_order(batch: FeatureBatch, rate_hz: float) -> Iterable[tuple[float, str, int]]:
    """Windows in the order of their ends, as a node judges them."""
    ends = [(f / rate_hz + SPAN_S["fast"], "fast", i) for i, f in enumerate(batch.fast_first)]
    ends += [(f / rate_hz + SPAN_S["long"], "long", i) for i, f in enumerate(batch.long_first)]
    return sorted(ends)
