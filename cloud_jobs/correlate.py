"""The correlating job: facts from the store through the rules, groups and cases back into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import delete
from sqlalchemy.orm import Session

from cloud_jobs.cases import Case, CaseRules, DiagnosisFact, cases_of
from cloud_jobs.store import Store, upsert
from cloud_jobs.store.ingest import LATE_S
from cloud_jobs.store.tables import CaseEventRow, CaseRow, ClipRow, DiagnosisRow, EventRow, GroupRow
from vibro.correlation import (
    COMMON_CAUSE,
    SHARED_FAULT,
    CommonCauseRules,
    EventFact,
    FaultFact,
    Group,
    common_causes,
    explained,
    shared_faults,
)
from vibro.faults import Fault, Severity
from vibro.records import natural_id

CAUSE_RULES = CommonCauseRules()
CASE_RULES = CaseRules()


def correlate(
    store: Store,
    machines: Iterable[str],
    cause_rules: CommonCauseRules = CAUSE_RULES,
    case_rules: CaseRules = CASE_RULES,
    late_s: float = LATE_S,
) -> None:
    """Bring groups and cases up to date after news of some machines (``site/machine``).

    A common cause concerns a whole site, so all machines of the sites with news are looked at.

    Parameters
    ----------
    late_s : float
        How long an event that was told late must still stand before it is more than history.
    """
    sites = sorted({m.split("/")[0] for m in machines})
    if not sites:
        return
    alive, known = store.heard_until(), _sites(store)
    groups: list[Group] = []
    cases: list[Case] = []
    for site in sites:
        facts = [event_fact(row, alive, late_s) for row in store.events(site=site)]
        common = common_causes(facts, cause_rules, known)
        groups += common
        diagnoses = _diagnosis_facts(store, site, alive, late_s)
        cases += _site_cases(facts, diagnoses, common, case_rules)
    with store.transaction() as session:
        _replace_cases(session, sites, cases)
        _replace_groups(session, groups, COMMON_CAUSE, sites)
    shared = shared_faults(_fault_facts(store))
    with store.transaction() as session:
        _replace_groups(session, shared, SHARED_FAULT, None)


def _sites(store: Store) -> dict[str, list[str]]:
    sites: dict[str, list[str]] = {}
    for machine in store.machines().values():
        sites.setdefault(machine.site, []).append(machine.path)
    return sites


def _site_cases(
    facts: list[EventFact],
    found: list[DiagnosisFact],
    common: list[Group],
    rules: CaseRules,
) -> list[Case]:
    events: dict[str, list[EventFact]] = {}
    for fact in facts:
        events.setdefault(fact.machine, []).append(fact)
    diagnoses: dict[str, list[DiagnosisFact]] = {}
    for diagnosis in found:
        diagnoses.setdefault(diagnosis.machine, []).append(diagnosis)
    why = explained(common)
    return [
        case
        for machine in sorted({*events, *diagnoses})
        for case in cases_of(
            machine, events.get(machine, []), diagnoses.get(machine, []), why, rules
        )
    ]


def is_history(row: EventRow | ClipRow, stands: bool, heard_ns: int, late_s: float) -> bool:
    """Whether something was told late and is over, as far as is known.

    What stands is no history once its node was heard for a while after the last word of it: until
    then its end may be on its way, behind other things that were waiting for the link.

    Parameters
    ----------
    stands : bool
        Whether nothing has said that it is over.
    heard_ns : int
        When its machine's node was last heard.
    late_s : float
    """
    return row.late and not (stands and heard_ns >= row.t_arrived_ns + round(late_s * 1e9))


def event_fact(row: EventRow, alive: Mapping[str, int], late_s: float = LATE_S) -> EventFact:
    """Reduce an event's row to what the rules need of it.

    An open event is revised only when it grows: it lasts as long as its node is heard of.
    """
    stands = row.t_clear_ns is None
    heard_ns = alive.get(row.path, 0)
    return EventFact(
        thing=row.thing,
        machine=row.path,
        channel=row.channel,
        t_onset_ns=row.t_onset_ns,
        t_last_ns=max(row.t_last_ns, heard_ns if stands else 0),
        t_clear_ns=row.t_clear_ns,
        t_detected_ns=row.t_detected_ns,
        severity=Severity(row.severity),
        sensor_fault=Fault(row.sensor_fault) if row.sensor_fault else None,
        grown_ns=tuple(row.grown_ns),
        historical=is_history(row, stands, heard_ns, late_s),
    )


def _diagnosis_facts(
    store: Store, site: str, alive: Mapping[str, int], late_s: float
) -> list[DiagnosisFact]:
    found = ((row, store.clip(row.clip)) for row in store.diagnoses(site=site))
    return [
        _diagnosis_fact(row, clip, is_history(clip, True, alive.get(row.path, 0), late_s))
        for row, clip in found
        if clip is not None
    ]


def _diagnosis_fact(row: DiagnosisRow, clip: ClipRow, historical: bool) -> DiagnosisFact:
    lines = [e["snr_db"] for e in row.evidence if e.get("snr_db") is not None]
    return DiagnosisFact(
        machine=row.path,
        clip=row.clip,
        event=row.event,
        t_start_ns=clip.t0_ns,
        t_ns=row.t_ns,
        fault=Fault(row.fault),
        probability=row.probability,
        severity=Severity(row.severity),
        strength_db=max(lines, default=0.0),
        historical=historical,
    )


def _fault_facts(store: Store) -> list[FaultFact]:
    machines = store.machines()
    facts = []
    for row in store.cases():
        machine = machines.get(row.path)
        if machine is None or row.state != "open":
            continue
        names = (p.bearing.name for p in machine.points if p.bearing is not None)
        facts.append(
            FaultFact(
                machine=row.path,
                fault=Fault(row.fault),
                probability=row.probability or 0.0,
                t_onset_ns=row.t_onset_ns,
                machine_class=machine.machine_class,
                bearings=tuple(names),
            )
        )
    return facts


def _replace_cases(session: Session, sites: list[str], cases: list[Case]) -> None:
    """Write the sites' cases; one that the facts no longer support is withdrawn."""
    keep = [c.id for c in cases]
    old = session.query(CaseRow.id).where(CaseRow.site.in_(sites))
    gone = [row.id for row in old if row.id not in keep]
    session.execute(delete(CaseRow).where(CaseRow.id.in_(gone)))
    session.execute(delete(CaseEventRow).where(CaseEventRow.case.in_([*gone, *keep])))
    for case in cases:
        session.merge(_case_row(case))
    upsert(session, CaseEventRow, [{"case": c.id, "event": e} for c in cases for e in c.events])


def _case_row(case: Case) -> CaseRow:
    site, machine = case.machine.split("/")
    return CaseRow(
        id=case.id,
        site=site,
        machine=machine,
        fault=case.fault.value,
        probability=case.probability,
        severity=int(case.severity),
        state=case.state,
        t_onset_ns=case.t_onset_ns,
        t_detected_ns=case.t_detected_ns,
        t_opened_ns=case.t_opened_ns,
        t_last_ns=case.t_last_ns,
        growing=case.growing,
        clip=case.clip,
        note="",
    )


def _replace_groups(
    session: Session, groups: list[Group], kind: str, sites: list[str] | None
) -> None:
    for row in session.query(GroupRow).where(GroupRow.kind == kind):
        if sites is None or row.evidence.get("site") in sites:
            session.delete(row)
    session.flush()
    for group in groups:
        key = natural_id("group", kind, str(group.t_ns), *group.machines, str(group.evidence))
        session.merge(
            GroupRow(
                id=key,
                kind=kind,
                t_ns=group.t_ns,
                machines=list(group.machines),
                evidence=group.evidence,
            )
        )
