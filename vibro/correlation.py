"""What belongs together: a common cause across a site, the same fault across sites, a case.

Pure rules over facts; they read no clock and keep no state, so the same facts always give the same
groups and cases, in whatever order and portions the facts arrived.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vibro.faults import Fault, Severity

COMMON_CAUSE = "common_cause"
SHARED_FAULT = "shared_fault"


@dataclass(frozen=True, slots=True)
class EventFact:
    """What the rules need of an event; times in ns UTC, ``machine`` is ``site/machine``."""

    thing: str
    machine: str
    channel: str
    t_onset_ns: int
    t_last_ns: int
    t_clear_ns: int | None
    t_detected_ns: int
    severity: Severity
    sensor_fault: Fault | None = None
    grown_ns: tuple[int, ...] = ()
    """When revisions said that it had grown."""
    historical: bool = False
    """It was told late and is over, as far as is known: no matter for an alarm."""

    @property
    def site(self) -> str:
        """Site of the machine."""
        return self.machine.split("/")[0]

    @property
    def lasted_s(self) -> float:
        """From the start of its first window to the end of its last, in seconds."""
        return (self.t_last_ns - self.t_onset_ns) / 1e9


@dataclass(frozen=True, slots=True)
class FaultFact:
    """A machine with a diagnosed fault, and the traits it may share with others."""

    machine: str
    fault: Fault
    probability: float
    t_onset_ns: int
    machine_class: str
    bearings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Machines that share a cause or a fault.

    Attributes
    ----------
    kind : str
        ``common_cause`` or ``shared_fault``.
    t_ns : int
        First onset.
    machines : tuple of str
        ``site/machine``, sorted.
    events : tuple of str
        Things of the events that a common cause explains.
    evidence : dict
        JSON-able facts that a person can check.
    """

    kind: str
    t_ns: int
    machines: tuple[str, ...]
    evidence: dict[str, Any]
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommonCauseRules:
    """When simultaneous events have one cause.

    Attributes
    ----------
    window_s : float
        Most time between the first and the last sign. Default 5 s: one long window and a little.
    min_machines : int
        Least number of machines of one site. Default 3.
    short_s : float
        An event longer than this is more than the shock that began with it. Default 60 s.
    """

    window_s: float = 5.0
    min_machines: int = 3
    short_s: float = 60.0


@dataclass(frozen=True, slots=True)
class _Sign:
    """An event's onset, or the instant at which it grew."""

    t_ns: int
    event: EventFact
    onset: bool


_RULES = CommonCauseRules()


def common_causes(
    events: Iterable[EventFact],
    rules: CommonCauseRules = _RULES,
    sites: Mapping[str, Sequence[str]] | None = None,
) -> list[Group]:
    """Find instants at which several machines of one site became abnormal together.

    Three machines with an onset within the window are enough. A machine whose event is already
    open cannot show an onset; so with short events on two machines it is enough, too, that a third
    machine's open event grew, or that every other machine of the site was busy with an event.

    Parameters
    ----------
    events : iterable of EventFact
        In any order.
    sites : mapping of str to sequence of str, optional
        All machines (``site/machine``) of each site; without it every onset must be seen.

    Returns
    -------
    list of Group
        Of kind ``common_cause``, by site and time. A group's `events` are the short ones: they
        are explained by the cause. A long event that began with it is listed in the evidence as
        persisting and keeps speaking for itself.
    """
    by_site: dict[str, list[EventFact]] = {}
    for event in events:
        by_site.setdefault(event.site, []).append(event)
    groups: list[Group] = []
    for site in sorted(by_site):
        known = (sites or {}).get(site, ())
        groups += _site_causes(site, by_site[site], known, rules)
    return groups


def _site_causes(
    site: str, events: Sequence[EventFact], known: Sequence[str], rules: CommonCauseRules
) -> list[Group]:
    """Disjoint windows of signs that qualify, each laid where the most machines take part."""
    signs = [_Sign(e.t_onset_ns, e, onset=True) for e in events]
    signs += [_Sign(t, e, onset=False) for e in events for t in e.grown_ns]
    signs.sort(key=lambda s: (s.t_ns, s.event.thing))
    ends, machines = _window_ends(signs, round(rules.window_s * 1e9))
    found: list[Group] = []
    i = 0
    while i < len(signs):
        best = max(range(i, ends[i]), key=lambda k: (machines[k], -k))
        window = signs[best : ends[best]]
        group = _common_cause(site, window, events, known, rules) if machines[best] > 1 else None
        if group is not None:
            found.append(group)
        i = i + 1 if group is None else ends[best]
    return found


def _window_ends(signs: Sequence[_Sign], window_ns: int) -> tuple[list[int], list[int]]:
    """For a window that opens at each sign: where it ends and how many machines it holds."""
    ends, machines = [], []
    inside: Counter[str] = Counter()
    end = 0
    for sign in signs:
        while end < len(signs) and signs[end].t_ns <= sign.t_ns + window_ns:
            inside[signs[end].event.machine] += 1
            end += 1
        ends.append(end)
        machines.append(len(inside))
        inside[sign.event.machine] -= 1
        if not inside[sign.event.machine]:
            del inside[sign.event.machine]
    return ends, machines


def _common_cause(
    site: str,
    window: Sequence[_Sign],
    events: Sequence[EventFact],
    known: Sequence[str],
    rules: CommonCauseRules,
) -> Group | None:
    begun = [s.event for s in window if s.onset]
    short = [e for e in begun if e.lasted_s <= rules.short_s]
    onset, first = {e.machine for e in begun}, window[0].t_ns
    part = {s.event.machine for s in window}
    busy = {e.machine for e in events if e.t_onset_ns < first <= e.t_last_ns} - onset
    witnesses = set(known) - busy
    two_short = len({e.machine for e in short}) > 1
    others_busy = len(known) >= rules.min_machines and witnesses <= onset
    if len(onset) < rules.min_machines and not (
        two_short and (len(part) >= rules.min_machines or others_busy)
    ):
        return None
    evidence = {
        "site": site,
        "t_onset_ns": first,
        "spread_s": round((window[-1].t_ns - first) / 1e9, 3),
        "t_end_ns": max((e.t_last_ns for e in short), default=window[-1].t_ns),
        "longest_s": round(max((e.lasted_s for e in short), default=0.0), 3),
        "events": len(begun),
        "grown": sorted(part - onset),
        "busy": sorted(busy - part),
        "persisting": sorted(onset - {e.machine for e in short}),
    }
    things = tuple(e.thing for e in short)
    return Group(COMMON_CAUSE, first, tuple(sorted(part)), evidence, things)


def shared_faults(faults: Iterable[FaultFact]) -> list[Group]:
    """Find the same fault on machines of different sites that share what it depends on.

    A bearing fault is shared by machines with the same bearing type (maker, batch, mounting or
    lubricant may be behind it), any other fault by machines of the same class. Sensor faults,
    ``unknown`` and ``one_x_family`` name no mechanism and are never shared.

    Returns
    -------
    list of Group
        Of kind ``shared_fault``, by fault and trait.
    """
    shared: dict[tuple[Fault, str, str], list[FaultFact]] = {}
    for fact in faults:
        for trait, value in _traits(fact):
            shared.setdefault((fact.fault, trait, value), []).append(fact)
    return [
        _shared_fault(fault, trait, value, facts)
        for (fault, trait, value), facts in sorted(shared.items())
        if len({f.machine.split("/")[0] for f in facts}) > 1
    ]


def _traits(fact: FaultFact) -> list[tuple[str, str]]:
    fault = fact.fault
    if fault.is_sensor_fault or fault in (Fault.UNKNOWN, Fault.ONE_X_FAMILY):
        return []
    if fault.family == "bearing":
        return [("bearing", b) for b in sorted(set(fact.bearings)) if b]
    return [("machine_class", fact.machine_class)] if fact.machine_class else []


def _shared_fault(fault: Fault, trait: str, value: str, facts: Sequence[FaultFact]) -> Group:
    return Group(
        SHARED_FAULT,
        min(f.t_onset_ns for f in facts),
        tuple(sorted({f.machine for f in facts})),
        {
            "fault": fault.value,
            trait: value,
            "sites": sorted({f.machine.split("/")[0] for f in facts}),
            "probability": {f.machine: round(f.probability, 3) for f in facts},
        },
    )


def explained(groups: Iterable[Group]) -> Mapping[str, Group]:
    """Events (their things) that a common cause explains, with that group."""
    return {thing: g for g in groups if g.kind == COMMON_CAUSE for thing in g.events}
