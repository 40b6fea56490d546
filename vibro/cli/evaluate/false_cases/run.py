"""The whole proof: fit, learn, validate, months of health, their cases, faults of every size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cloud_jobs.retrain.gate import gate
from cloud_jobs.retrain.train import train
from vibro.assets import Machine
from vibro.bundle import Bundle
from vibro.cli.evaluate.false_cases import history, naming
from vibro.cli.evaluate.false_cases.detection import (
    FAULTS,
    SIZES,
    WITHIN_S,
    Trial,
    healthy_trials,
    trials,
)
from vibro.cli.evaluate.false_cases.fleet import Unit, models, running_steps, sites
from vibro.cli.evaluate.false_cases.intervals import median_delay, rate_interval
from vibro.cli.evaluate.false_cases.validation import validate
from vibro.evaluation.intervals import share_interval
from vibro.faults import Severity
from vibro.records import Event
from vibro.simulate.feature_level import RUN_S, RUNS
from vibro.simulate.plant_life import DAY_S, LifeRules

Tell = Callable[[str], None]
TARGET = 0.03
MONTH_S = 30.0 * DAY_S


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is simulated; the defaults are those of the proof.

    Attributes
    ----------
    months : int
        Machines, of 30 days each after learning.
    learn_days : float
        Days whose sampled vectors the baseline is trained on.
    units_a_site : int
        Machines of a class that share one bundle.
    runs, run_s : int, float
        Runs of waveform, and seconds of each, that a machine is fitted to.
    long_audits, fast_audits : float
        Blocks a machine, on average, that are drawn at random and run at the full rate.
    stretches, blocks : int
        Of the validation.
    healthy_clips : int
        Clips drawn at random from healthy machines and diagnosed.
    clips_a_unit : int
        Most clips of one machine's events that are diagnosed.
    trials : int
        Faults of each kind and size.
    controls : int
        Healthy machines that are heard as long as those with a fault.
    sizes : tuple of float
    within_s : float
        Time after which a fault that was not found counts as missed, at most two hours.
    """

    months: int = 1250
    learn_days: float = 7.0
    units_a_site: int = 28
    runs: int = RUNS
    run_s: float = RUN_S
    long_audits: float = 2.0
    fast_audits: float = 0.1
    stretches: int = 60
    blocks: int = 120
    healthy_clips: int = 60
    clips_a_unit: int = 2
    trials: int = 12
    controls: int = 24
    sizes: tuple[float, ...] = SIZES
    within_s: float = WITHIN_S


@dataclass(slots=True)
class _Tally:
    """What healthy machines came to."""

    judged_s: float = 0.0
    refused: int = 0
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    cases: Counter[tuple[str, str]] = field(default_factory=Counter)
    machines_with_event: int = 0
    clips: int = 0
    named: int = 0
    closely: Counter[str] = field(default_factory=Counter)
    audited_s: Counter[str] = field(default_factory=Counter)
    audit_events: int = 0


def evaluate(
    extent: Extent, seed: int, tell: Tell, machines: Sequence[Machine] | None = None
) -> dict[str, Any]:
    """Run the proof.

    Parameters
    ----------
    machines : sequence of Machine, optional
        Default the demo's plant.

    Returns
    -------
    dict
        JSON-able: ``false_cases``, ``validation``, ``healthy_clips``, ``detection``, ``targets``.
    """
    rng = np.random.default_rng(seed)
    rules = LifeRules()
    fitted = models(rng, tell, machines, runs=extent.runs, run_s=extent.run_s)
    tally = _Tally()
    kept: list[tuple[Unit, Bundle]] = []
    days = extent.learn_days + 30.0
    drawn = sites(fitted, extent.months, days, rng, rules, extent.units_a_site)
    for k, units in enumerate(drawn):
        tell(f"site {k + 1} of {len(drawn)}: learning, then {len(units)} machine-months")
        bundle = _learned(units, extent.learn_days, rng)
        if bundle is None:
            tally.refused += 1
            continue
        for unit in units:
            _month(unit, bundle, extent, rng, tally)
        kept += [(unit, bundle) for unit in units]
    validation = validate(kept, extent.stretches, extent.blocks, rng, tell)
    clips = _healthy_clips(kept, extent, rng, tell)
    found = trials(kept, extent.trials, rng, tell, extent.sizes, extent.within_s)
    false_cases = _false_cases(tally, extent)
    return {
        "seed": seed,
        "extent": asdict(extent),
        "life": asdict(rules),
        "false_cases": false_cases,
        "validation": validation,
        "healthy_clips": clips,
        "detection": _detection(found, extent.sizes),
        "healthy_trials": {
            "trials": extent.controls,
            "events": healthy_trials(kept, extent.controls, rng, extent.within_s),
        },
        "targets": list(_targets(false_cases)),
    }


def _learned(units: Sequence[Unit], learn_days: float, rng: np.random.Generator) -> Bundle | None:
    """Train on the first days and gate on the next one, as the nightly job does; None = refused."""
    vectors: dict[Any, Any] = {}
    newer: dict[Any, Any] = {}
    for unit in units:
        vectors |= history.sampled_vectors(unit, 0.0, learn_days, rng)
        newer |= history.sampled_vectors(unit, learn_days, learn_days + 1.0, rng)
    site, kind = units[0].machine.site, units[0].machine.machine_class
    bundle = train(site, kind, vectors, seed=0, version="learned", created_ns=0)
    return bundle if gate(bundle, newer).passed else None


def _month(
    unit: Unit, bundle: Bundle, extent: Extent, rng: np.random.Generator, tally: _Tally
) -> None:
    seen = history.month(unit, bundle, extent.learn_days, rng)
    tally.judged_s += seen.judged_s
    tally.closely.update(path for _, _, path in seen.closely)
    events = [*seen.events, *_audit(unit, bundle, extent, rng, tally)]
    if not events:
        return
    tally.machines_with_event += 1
    newest = list({e.id.thing: e for e in events}.values())
    tally.events.update((e.severity.name.lower(), _why(e)) for e in newest)
    found, clips, named = naming.cases(unit, events, extent.clips_a_unit)
    tally.clips += clips
    tally.named += named
    causes = "+".join(sorted({c for e in newest for c in e.causes}))
    tally.cases.update((c.fault.value, causes) for c in found)


def _audit(
    unit: Unit, bundle: Bundle, extent: Extent, rng: np.random.Generator, tally: _Tally
) -> list[Event]:
    """Run blocks drawn at random at the full rate."""
    steps = running_steps(unit, extent.learn_days, extent.learn_days + 30.0)
    found: list[Event] = []
    for path, count in (("long", extent.long_audits), ("fast", extent.fast_audits)):
        for _ in range(rng.poisson(count) if len(steps) else 0):
            at_s = float(steps[int(rng.integers(len(steps)))]) * unit.life.step_s
            found += history.closely(unit, bundle, path, at_s, history.BLOCK_S, rng)
            tally.audited_s[path] += round(history.BLOCK_S)
    tally.audit_events += len({e.id.thing for e in found})
    return found


def _why(event: Event) -> str:
    return "+".join(event.causes)


def _healthy_clips(
    kept: Sequence[tuple[Unit, Bundle]], extent: Extent, rng: np.random.Generator, tell: Tell
) -> dict[str, Any]:
    """How often a clip of a healthy machine, taken at any time, names a fault."""
    named: Counter[str] = Counter()
    for i in range(extent.healthy_clips):
        if i % 20 == 0:
            tell(f"diagnosing healthy clips: {i} of {extent.healthy_clips}")
        unit, _ = kept[int(rng.integers(len(kept)))]
        steps = running_steps(unit, extent.learn_days, extent.learn_days + 30.0)
        at_s = float(steps[int(rng.integers(len(steps)))]) * unit.life.step_s
        said = naming.diagnosed(unit, at_s, naming.commissioning(unit)).diagnoses
        if said and said[0].probability >= 0.5 and said[0].fault.value != "unknown":
            named[said[0].fault.value] += 1
    total = sum(named.values())
    share = total / max(1, extent.healthy_clips)
    return {
        "clips": extent.healthy_clips,
        "named": total,
        "share95": list(share_interval(share, extent.healthy_clips)),
        "by_fault": dict(named),
    }


def _false_cases(tally: _Tally, extent: Extent) -> dict[str, Any]:
    months = tally.judged_s / MONTH_S
    count = sum(tally.cases.values())
    low, high = rate_interval(count, months)
    events = sum(tally.events.values())
    return {
        "machine_months": extent.months,
        "running_months": months,
        "bundles_refused": tally.refused,
        "cases": count,
        "per_running_month": count / months if months else math.nan,
        "low95": low,
        "high95": high,
        "cases_by_cause": _listed(tally.cases),
        "events": events,
        "events_per_running_month": events / months if months else math.nan,
        "events95": list(rate_interval(events, months)),
        "events_by_cause": _listed(tally.events),
        "machines_with_event": tally.machines_with_event,
        "clips": tally.clips,
        "clips_named": tally.named,
        "closely_run_blocks": dict(tally.closely),
        "audited_months": {p: s / MONTH_S for p, s in tally.audited_s.items()},
        "audit_events": tally.audit_events,
    }


def _listed(counts: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"what": a, "why": b, "count": n} for (a, b), n in counts.most_common()]


def _detection(found: Sequence[Trial], sizes: Sequence[float]) -> list[dict[str, Any]]:
    rows = []
    for fault, kind, meaning in FAULTS:
        for size in sizes:
            mine = [t for t in found if t.fault is fault and t.size == size]
            if not mine:
                continue
            hits = [t for t in mine if math.isfinite(t.delay_s)]
            share = len(hits) / len(mine)
            low, high = share_interval(share, len(mine))
            rows.append(
                {
                    "fault": fault.value,
                    "machine_class": kind,
                    "size": size,
                    "meaning": meaning,
                    "trials": len(mine),
                    "found": share,
                    "low": low,
                    "high": high,
                    "median_delay_s": median_delay([t.delay_s for t in mine]),
                    "at_alert": sum(t.severity >= Severity.ALERT for t in mine) / len(mine),
                    "named": sum(t.named == fault.value for t in mine) / len(mine),
                    "named_as": dict(Counter(t.named for t in mine if t.named)),
                    "causes": dict(Counter("+".join(t.causes) for t in hits)),
                }
            )
    return rows


def _targets(false_cases: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {
        "name": "false_cases_per_machine_month_upper95",
        "value": false_cases["high95"],
        "op": "<=",
        "target": TARGET,
        "met": false_cases["high95"] <= TARGET,
    }
