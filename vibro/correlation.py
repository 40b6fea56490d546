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
        Most time between the first and the last onset. Default 5 s: one long window and a little.
    min_machines : int
        Least number of machines of one site. Default 3.
    short_s : float
        An event longer than this is more than the shock that began with it. Default 60 s.
    """

    window_s: float = 5.0
    min_machines: int = 3
    short_s: float = 60.0


def common_causes(
    events: Iterable[EventFact], rules: CommonCauseRules = CommonCauseRules()
) -> list[Group]:
    """Find instants at which several machines of one site became abnormal together.

    Parameters
    ----------
    events : iterable of EventFact
        In any order.

    Returns
    -------
    list of Group
        Of kind ``common_cause``, by site and time. A group's `events` are the short ones: they
        are explained by the cause. A long event that began with it is listed in the evidence as
        persisting and keeps speaking for itself.
    """
    sites: dict[str, list[EventFact]] = {}
    for event in events:
        sites.setdefault(event.site, []).append(event)
    groups: list[Group] = []
    for site in sorted(sites):
        ordered = sorted(sites[site], key=lambda e: (e.t_onset_ns, e.thing))
        for together in _together(ordered, rules):
            groups.append(_common_cause(site, together, rules))  # noqa: PERF401
    return groups


def _together(events: Sequence[EventFact], rules: CommonCauseRules) -> list[list[EventFact]]:
    """Disjoint runs of onsets within the window, each where the most machines take part."""
    ends, machines = _window_ends(events, round(rules.window_s * 1e9))
    found: list[list[EventFact]] = []
    i = 0
    while i < len(events):
        if machines[i] < rules.min_machines:
            i += 1
            continue
        best = max(range(i, ends[i]), key=lambda k: (machines[k], -k))
        found.append(list(events[best : ends[best]]))
        i = ends[best]
    return found


def _window_ends(events: Sequence[EventFact], window_ns: int) -> tuple[list[int], list[int]]:
    """For a window that opens at each onset: where it ends and how many machines it holds."""
    ends, machines = [], []
    inside: Counter[str] = Counter()
    end = 0
    for start, event in enumerate(events):
        while end < len(events) and events[end].t_onset_ns <= event.t_onset_ns + window_ns:
            inside[events[end].machine] += 1
            end += 1
        ends.append(end)
        machines.append(len(inside))
        inside[events[start].machine] -= 1
        if not inside[event.machine]:
            del inside[events[start].machine]
    return ends, machines


def _common_cause(site: str, events: Sequence[EventFact], rules: CommonCauseRules) -> Group:
    short = [e for e in events if e.lasted_s <= rules.short_s]
    first, last = events[0].t_onset_ns, events[-1].t_onset_ns
    return Group(
        COMMON_CAUSE,
        first,
        tuple(sorted({e.machine for e in events})),
        {
            "site": site,
            "t_onset_ns": first,
            "onset_spread_s": round((last - first) / 1e9, 3),
            "longest_s": round(max((e.lasted_s for e in short), default=0.0), 3),
            "t_end_ns": max((e.t_last_ns for e in short), default=last),
            "events": len(events),
            "persisting": sorted({e.machine for e in events} - {e.machine for e in short}),
        },
        tuple(e.thing for e in short),
    )


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
