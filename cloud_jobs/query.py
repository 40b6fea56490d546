"""Answering queries: which machines show what."""

from __future__ import annotations

from typing import Any

from cloud_jobs.store import Store
from cloud_jobs.store.tables import CaseRow, EventRow
from vibro.faults import Severity
from vibro.query import Query


def find_cases(store: Store, query: Query) -> list[dict[str, Any]]:
    """Cases that match, the most severe first.

    Returns
    -------
    list of dict
        ``machine`` (site/machine), ``machine_class``, ``fault``, ``probability``, ``severity``,
        ``state``, ``growing``, ``score``, ``t_onset_ns``, ``t_detected_ns``, ``t_last_ns``,
        ``events`` and ``case`` (its id).
    """
    machines, grouped = store.machines(), store.case_events()
    events = {e.thing: e for e in store.events()}
    found = []
    for case in store.cases():
        own = [events[t] for t in grouped.get(case.id, []) if t in events]
        machine = machines.get(case.path)
        row = _facts(case, machine.machine_class if machine else "", own)
        if query.matches(row):
            found.append(_answer(case, row, len(own)))
    return found


def _facts(case: CaseRow, machine_class: str, events: list[EventRow]) -> dict[str, Any]:
    scores = [e.score for e in events if e.score is not None]
    return {
        "fault": case.fault,
        "severity": Severity(case.severity),
        "site": case.site,
        "machine": case.machine,
        "class": machine_class,
        "state": case.state,
        "score": max(scores, default=None),
        "probability": case.probability,
        "t_onset_ns": case.t_onset_ns,
        "t_last_ns": case.t_last_ns,
    }


def _answer(case: CaseRow, facts: dict[str, Any], events: int) -> dict[str, Any]:
    return {
        "machine": case.path,
        "machine_class": facts["class"],
        "fault": case.fault,
        "probability": case.probability,
        "severity": facts["severity"].word,
        "state": case.state,
        "growing": case.growing,
        "score": facts["score"],
        "t_onset_ns": case.t_onset_ns,
        "t_detected_ns": case.t_detected_ns,
        "t_last_ns": case.t_last_ns,
        "events": events,
        "case": case.id,
    }
