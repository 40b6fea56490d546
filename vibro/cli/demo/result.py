"""The demo's JSON: what the pipeline stored, held against the scenario's truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_node.reporting.tally import quantiles_ms
from vibro.cli.demo.intervals import shortened
from vibro.cli.demo.ledger import ledger
from vibro.cli.demo.traffic import at_defaults, traffic
from vibro.faults import Fault, Severity

if TYPE_CHECKING:
    from cloud_jobs.nightly import Round
    from cloud_jobs.run import CloudJobs
    from cloud_jobs.store.tables import CaseRow
    from vibro.cli.demo.recordings import Recorded
    from vibro.simulate import Scenario

SAME = {Fault.IMBALANCE: {Fault.ONE_X_FAMILY}}
"""Verdicts that are right although less exact: the family instead of the member."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a finished run left: the cloud jobs with their stores, and its own figures."""

    jobs: CloudJobs
    scenario: Scenario
    plant: Sequence[str]
    recordings: Sequence[Recorded]
    configs: Sequence[Path]
    t0_ns: int
    seed: int
    wall_s: float
    repeats: int
    dead: int
    restarts: int
    rounds: Sequence[Round]


def result(facts: Facts) -> dict[str, Any]:
    """Build the one JSON object that `vibro demo --json` prints.

    Truth comes only from the scenario, everything else only from what the pipeline stored.
    ``samples`` counts all machines; ``bytes`` the simulated plant, as a replayed recording is a
    few seconds, most of which is shipped as clips.
    """
    store = facts.jobs.store
    totals = store.totals()
    plant = {t.split("/")[0] for t in facts.plant}
    raw = sum(n.raw_bytes for n in store.nodes() if n.site in plant)
    shipped = traffic(facts.jobs.log, sorted(plant))
    tallies = [n.detail["latency_us_log20"] for n in store.nodes()]
    quantiles = quantiles_ms(tallies, (0.5, 0.99))
    intervals = shortened(facts.scenario.duration_s)
    replayed = {r.machine for r in facts.recordings}
    cases = [c for c in store.cases() if c.path not in replayed]
    return {
        "samples": {k: totals[k] for k in ("seen", "processed", "lost")},
        "bytes": {
            "raw": raw,
            "shipped": shipped.shipped,
            "ratio": round(raw / max(shipped.shipped, 1), 1),
        },
        "latency_ms": {
            "p50": _rounded(quantiles[0.5]),
            "p99": _rounded(quantiles[0.99]),
        },
        "truth": [
            {"machine": t.machine, "fault": t.fault.value, "onset_s": t.onset_s}
            for t in facts.scenario.truths
        ],
        "cases": [_case(c, facts) for c in cases],
        "missed": missed(cases, facts),
        "false_cases": [_case(c, facts) for c in cases if _truth_of(c, facts) is None],
        "groups": [
            {"kind": g.kind, "machines": g.machines, "evidence": g.evidence} for g in store.groups()
        ],
        "models": _models(facts),
        "realtime_factor": round(facts.scenario.duration_s / facts.wall_s, 2),
        "wall_s": round(facts.wall_s, 1),
        "seed": facts.seed,
        "minutes": facts.scenario.duration_s / 60.0,
        "shortened": intervals,
        "at_defaults": at_defaults(shipped, raw, intervals),
        "ledger": ledger(facts),
        "recordings": [r.verdict(store) for r in facts.recordings],
        "refused_models": [
            {"site": r.site, "machine_class": r.machine_class, "reasons": list(r.reasons)}
            for r in facts.rounds
            if r.model is None
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _case(case: CaseRow, facts: Facts) -> dict[str, Any]:
    truth = _truth_of(case, facts)
    detected_s = (case.t_opened_ns - facts.t0_ns) / 1e9
    return {
        "machine": case.path,
        "fault": case.fault,
        "severity": Severity(case.severity).word,
        "detected_s": round(detected_s, 1),
        "delay_s": None if truth is None else round(detected_s - truth, 1),
    }


def _truth_of(case: CaseRow, facts: Facts) -> float | None:
    """Onset of the truth that a case is right about, or None."""
    for t in facts.scenario.of(case.path):
        right = case.fault in {t.fault, *SAME.get(t.fault, ())}
        if right and case.t_opened_ns >= facts.t0_ns + round(t.onset_s * 1e9):
            return t.onset_s
    return None


def missed(cases: Sequence[CaseRow], facts: Facts) -> list[dict[str, Any]]:
    """Truths without a case that is right about them."""
    right = {c.path for c in cases if _truth_of(c, facts) is not None}
    return [
        {"machine": t.machine, "fault": t.fault.value, "onset_s": t.onset_s}
        for t in facts.scenario.truths
        if t.machine not in right
    ]


def _models(facts: Facts) -> list[dict[str, Any]]:
    store = facts.jobs.store
    machines, nodes = store.machines(), store.nodes()
    found = []
    for site, machine_class in store.classes():
        model = store.champion(site, machine_class)
        if model is None:
            continue
        running = [
            n
            for n in nodes
            if n.site == site
            and machines[n.path].machine_class == machine_class
            and n.bundle == model.version
        ]
        found.append(
            {
                "site": site,
                "machine_class": machine_class,
                "version": model.version,
                "bytes": model.bytes,
                "nodes_running": len(running),
            }
        )
    return found
