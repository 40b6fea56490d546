"""What the pages say, read from store and lake: plain facts, no markup but the small curves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from cloud_jobs.cases import HISTORICAL
from cloud_jobs.correlate import event_fact
from cloud_jobs.lake import Lake
from cloud_jobs.serve.plot import sparkline
from cloud_jobs.serve.words import severity_word
from cloud_jobs.store import Store
from cloud_jobs.store.tables import CaseRow, DiagnosisRow, EventRow, GroupRow, NodeRow
from vibro.assets import Machine
from vibro.faults import Fault, Severity
from vibro.iso10816 import IsoLimits, zone

STALE_S = 300.0
"""A node not heard of for this long is shown as silent, if it does not say how often it speaks."""
MISSED = 2.5
"""A node that says it is shown as silent when it has missed more than two turns."""

_STATUS = ("site", "machine", "channel", "t0_ns", "score_fast", "score_long", "velocity_rms_mm_s")


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """One line of the fleet table."""

    machine: Machine
    case: CaseRow | None
    severity: int | None
    open_events: int
    node: NodeRow | None
    silent: bool
    finished: bool
    velocity_mm_s: float | None
    zone: str
    zone_position: float | None
    score: float | None
    spark: str


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """A case with the line that speaks for it best."""

    case: CaseRow
    diagnosis: DiagnosisRow | None
    line: dict[str, Any] | None
    event: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything of the front page."""

    sites: dict[str, list[MachineFacts]]
    cases: list[CaseFacts]
    groups: list[GroupRow]
    totals: dict[str, int]
    nodes: list[NodeRow]
    models: dict[str, str]
    newest_ns: int

    @property
    def by_severity(self) -> dict[str, int]:
        """Number of machines of each severity, the worst first; ``none`` = no data yet."""
        machines = [m for site in self.sites.values() for m in site]
        counted = Counter(severity_word(m.severity) for m in machines)
        words = [*(s.word for s in reversed(Severity)), "none"]
        return {w: counted[w] for w in words if counted[w] or w == "ok"}

    @property
    def silent(self) -> int:
        """Number of machines whose node has fallen silent."""
        return sum(m.silent for site in self.sites.values() for m in site if m.node)


def fleet(store: Store, lake: Lake, now_ns: int) -> Fleet:
    """Gather the front page."""
    status = _Status(lake)
    nodes = store.nodes()
    by_machine = {n.path: n for n in nodes}
    cases = {c.path: c for c in reversed(store.cases()) if c.state != HISTORICAL}
    open_events: dict[str, int] = {}
    alive = store.heard_until()
    for event in (event_fact(row, alive) for row in store.events()):
        if event.t_clear_ns is None and not event.historical:
            open_events[event.machine] = open_events.get(event.machine, 0) + 1
    sites: dict[str, list[MachineFacts]] = {}
    for path, machine in store.machines().items():
        facts = _machine(
            machine,
            cases.get(path),
            by_machine.get(path),
            open_events.get(path, 0),
            status,
            now_ns,
        )
        sites.setdefault(machine.site, []).append(facts)
    newest = {f"{m.site}/{m.machine_class}": m.version for m in store.models()}
    return Fleet(
        sites=sites,
        cases=case_facts(store),
        groups=store.groups(),
        totals=store.totals(),
        nodes=nodes,
        models=newest,
        newest_ns=max((n.t0_ns for n in nodes), default=0),
    )


def case_facts(store: Store) -> list[CaseFacts]:
    """Every case with the diagnosis and the line that speak for it."""
    things = store.case_events()
    spoken: dict[tuple[str, str], DiagnosisRow] = {}
    for d in store.diagnoses():
        spoken.setdefault((d.clip, d.fault), d)
    found = []
    for case in store.cases():
        diagnosis = spoken.get((case.clip, case.fault))
        first = things.get(case.id, [""])
        event = diagnosis.event if diagnosis and diagnosis.event else (first or [""])[0]
        found.append(CaseFacts(case, diagnosis, best_line(diagnosis), event))
    return found


def best_line(diagnosis: DiagnosisRow | None) -> dict[str, Any] | None:
    """Return the line of a diagnosis that stands out most over its decoys."""
    if diagnosis is None or not diagnosis.evidence:
        return None

    def margin(line: dict[str, Any]) -> float:
        return float(line.get("snr_db") or 0.0) - float(line.get("decoy_snr_db") or 0.0)

    lines: list[dict[str, Any]] = diagnosis.evidence
    return max(lines, key=margin)


def _machine(
    machine: Machine,
    case: CaseRow | None,
    node: NodeRow | None,
    open_events: int,
    status: _Status,
    now_ns: int,
) -> MachineFacts:
    # A dead sensor measures a velocity of nothing, which is no velocity.
    blind = case is not None and Fault(case.fault).is_sensor_fault
    velocity = None if blind else status.newest(machine.path, "velocity_rms_mm_s")
    limits = machine.iso_limits
    shown, position = "", None
    if isinstance(limits, IsoLimits) and velocity is not None:
        shown = zone(velocity, None, limits).value
        position = zone_position(velocity, limits)
    finished = node is not None and bool(node.detail.get("finished"))
    silent = not finished and (
        node is None
        or now_ns - max(node.t0_ns, status.newest_ns(machine.path)) > 1e9 * patience_s(node)
    )
    severity = case.severity if case else None if node is None else 1 if open_events else 0
    return MachineFacts(
        machine=machine,
        case=case,
        severity=severity,
        open_events=open_events,
        node=node,
        silent=silent,
        finished=finished,
        velocity_mm_s=velocity,
        zone=shown,
        zone_position=position,
        score=status.newest(machine.path, "score_fast", "score_long"),
        spark=status.spark(machine.path),
    )


def patience_s(node: NodeRow) -> float:
    """How long a node may be silent: any record of it is a sign of life."""
    every_s = node.detail.get("every_s")
    return MISSED * float(every_s) if isinstance(every_s, (int, float)) else STALE_S


def zone_position(velocity_mm_s: float, limits: IsoLimits) -> float:
    """Place a velocity on a bar of four equally long zones, 0 to 1."""
    edges = [0.0, *limits.velocity_mm_s, 2.0 * limits.velocity_mm_s[2]]
    return float(np.interp(velocity_mm_s, edges, [0.0, 0.25, 0.5, 0.75, 1.0]))


class _Status:
    """The lake's status rows by machine, in the order of time."""

    def __init__(self, lake: Lake) -> None:
        rows = lake.table("status", columns=list(_STATUS)).sort_by("t0_ns")
        self._columns = {n: rows[n].to_numpy() for n in _STATUS[3:]}
        self._at: dict[str, list[int]] = {}
        pairs = zip(rows["site"].to_pylist(), rows["machine"].to_pylist(), strict=True)
        for i, (site, machine) in enumerate(pairs):
            self._at.setdefault(f"{site}/{machine}", []).append(i)

    def newest_ns(self, path: str) -> int:
        """When the newest interval began; 0 without one."""
        at = self._at.get(path)
        return int(self._columns["t0_ns"][at[-1]]) if at else 0

    def newest(self, path: str, *names: str) -> float | None:
        """Return the worst value of the newest interval over channels and columns."""
        at = self._at.get(path)
        if not at:
            return None
        times = self._columns["t0_ns"][at]
        last = np.array(at)[times >= times[-1]]
        values = np.concatenate([self._columns[n][last] for n in names]).astype(float)
        values = values[np.isfinite(values)]
        return float(values.max()) if len(values) else None

    def spark(self, path: str, points: int = 60) -> str:
        """Draw the worst score of every interval, the last ``points`` of them."""
        at = np.array(self._at.get(path, []), int)
        if not len(at):
            return ""
        both = [self._columns[n][at].astype(float) for n in ("score_fast", "score_long")]
        worst = np.fmax(*both)
        times, where = np.unique(self._columns["t0_ns"][at], return_inverse=True)
        merged = np.full(len(times), np.nan)
        np.fmax.at(merged, where, worst)
        return sparkline(merged[-points:], 1.0)


def rows_of(store: Store, path: str) -> tuple[list[EventRow], list[CaseFacts]]:
    """Events of a machine, newest first, and its cases."""
    return store.events([path])[::-1], [c for c in case_facts(store) if c.case.path == path]
