"""Cases: the one open matter per machine, and when events amount to one.

Pure rules over facts. A case opens on an event that a common cause does not explain and that is
either a sensor fault that lasts, or diagnosed with enough probability while it lasts, or serious
and lasting whatever it is. Everything short and unexplained stays an event: no flood of cases.
A clip that no event asked for (a capture, or the one at commissioning) opens a case by itself when
it shows a fault: a machine that was bad from the first day has no event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vibro.correlation import EventFact, Group
from vibro.faults import Fault, Severity
from vibro.records import natural_id

OPEN, QUIET, HISTORICAL = "open", "quiet", "historical"


@dataclass(frozen=True, slots=True)
class DiagnosisFact:
    """A ranked fault of one clip.

    ``t_ns`` is the clip's end, ``strength_db`` its best line; ``event`` is empty where no event
    asked for the clip; ``historical`` as in `EventFact`.
    """

    machine: str
    clip: str
    event: str
    t_start_ns: int
    t_ns: int
    fault: Fault
    probability: float
    severity: Severity
    strength_db: float
    historical: bool = False


@dataclass(frozen=True, slots=True)
class CaseRules:
    """When events become a case.

    Attributes
    ----------
    min_probability : float
        Least probability of a diagnosis that opens a case. Default 0.5.
    diagnosed_s, sensor_s, lasting_s : float
        How long an event must have lasted: with a diagnosis (default 4 s), as a sensor fault
        (default 2 s), and without either but at `lasting_severity` (default 40 s).
    lasting_severity : Severity
        Default alert.
    growth_db : float
        Rise of a fault's line between clips that counts as growth. Default 3 dB.
    recency : float
        Weight of a clip's diagnosis relative to the next newer clip's. Default 0.6.
    separate_s : float
        Quiet time after which a new event is a new case. Default one day.
    """

    min_probability: float = 0.5
    diagnosed_s: float = 4.0
    sensor_s: float = 2.0
    lasting_s: float = 40.0
    lasting_severity: Severity = Severity.ALERT
    growth_db: float = 3.0
    recency: float = 0.6
    separate_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Case:
    """A machine's matter.

    ``state`` is ``open``, ``quiet`` when all its events have cleared, or ``historical`` when all
    that opened it was told late and is over: that was never an alarm.
    """

    id: str
    machine: str
    fault: Fault
    probability: float
    severity: Severity
    state: str
    t_onset_ns: int
    t_detected_ns: int
    t_opened_ns: int
    t_last_ns: int
    growing: bool
    clip: str
    events: tuple[str, ...]


def cases_of(
    machine: str,
    events: Sequence[EventFact],
    diagnoses: Sequence[DiagnosisFact],
    explained: Mapping[str, Group],
    rules: CaseRules = CaseRules(),
) -> list[Case]:
    """Cases of one machine from all that is known of it.

    Parameters
    ----------
    machine : str
        ``site/machine``.
    events, diagnoses
        Of this machine only, in any order.
    explained : mapping of str to Group
        Events (things) that a common cause explains.

    Returns
    -------
    list of Case
        In the order of time; only the last can be open.
    """
    shocks = [explained[e.thing] for e in events if e.thing in explained]
    sound = sorted((d for d in diagnoses if not any(_overlaps(d, g) for g in shocks)), key=_order)
    left = [e for e in events if e.thing not in explained]
    left += [_standing(d) for d in sound if not d.event and _stands(d, rules)]
    left.sort(key=lambda e: (e.t_onset_ns, e.thing))
    found: list[Case] = []
    for run in _runs(left, rules):
        start, end = run[0].t_onset_ns, max(e.t_last_ns for e in run)
        margin = round(60e9)
        own = [d for d in sound if start - margin <= d.t_ns <= end + margin]
        case = _case(machine, run, own, rules)
        if case is not None:
            found.append(case)
    return found


def _order(diagnosis: DiagnosisFact) -> tuple[int, str, str, float, float]:
    """Of time, and among those of one instant such that arrival does not matter."""
    d = diagnosis
    return d.t_ns, d.clip, d.fault.value, d.probability, d.strength_db


def _stands(diagnosis: DiagnosisFact, rules: CaseRules) -> bool:
    return _counts(diagnosis, rules) or (
        diagnosis.fault is Fault.UNKNOWN and diagnosis.severity >= rules.lasting_severity
    )


def _standing(diagnosis: DiagnosisFact) -> EventFact:
    """What a clip shows that no event asked for, as an event of no channel that stays."""
    return EventFact(
        thing=diagnosis.clip,
        machine=diagnosis.machine,
        channel="",
        t_onset_ns=diagnosis.t_start_ns,
        t_last_ns=diagnosis.t_ns,
        t_clear_ns=None,
        t_detected_ns=diagnosis.t_ns,
        severity=diagnosis.severity,
        sensor_fault=diagnosis.fault if diagnosis.fault.is_sensor_fault else None,
        historical=diagnosis.historical,
    )


def _overlaps(diagnosis: DiagnosisFact, group: Group) -> bool:
    """Whether a clip was cut while the shock lasted: what it shows is the shock."""
    return diagnosis.t_start_ns <= int(group.evidence["t_end_ns"]) and diagnosis.t_ns >= group.t_ns


def _runs(events: Sequence[EventFact], rules: CaseRules) -> list[list[EventFact]]:
    """Split where nothing was open for long."""
    runs: list[list[EventFact]] = []
    end = 0
    for event in events:
        if not runs or event.t_onset_ns > end + round(rules.separate_s * 1e9):
            runs.append([])
        runs[-1].append(event)
        end = max(end, event.t_last_ns if event.t_clear_ns else 2**62)
    return runs


def _case(
    machine: str, run: Sequence[EventFact], own: Sequence[DiagnosisFact], rules: CaseRules
) -> Case | None:
    reasons = {e.thing: t for e in run if (t := _opens_at(e, own, rules)) is not None}
    if not reasons:
        return None
    opening = [e for e in run if e.thing in reasons]
    verdict = _verdict(opening, own, rules)
    sensor = verdict.fault.is_sensor_fault
    serious = [e for e in run if e.thing in reasons or e.severity >= rules.lasting_severity]
    severity = max(e.severity for e in opening)
    growing = not sensor and _grows(verdict.fault, own, rules)
    if growing and verdict.fault is not Fault.UNKNOWN:
        severity = max(severity, Severity.ALARM)
    first = min(opening, key=lambda e: e.t_onset_ns)
    # What was known first, be it mild, names the matter: nothing that is learned later changes it.
    known = min(run, key=lambda e: (e.t_detected_ns, e.thing))
    return Case(
        id=natural_id("case", machine, known.thing),
        machine=machine,
        fault=verdict.fault,
        probability=verdict.probability,
        severity=severity,
        state=_state(run, opening),
        t_onset_ns=first.t_onset_ns,
        t_detected_ns=min(e.t_detected_ns for e in opening),
        t_opened_ns=min(reasons.values()),
        t_last_ns=max(e.t_last_ns for e in run),
        growing=growing,
        clip=verdict.clip,
        events=tuple(e.thing for e in serious if e.channel),
    )


def _state(run: Iterable[EventFact], opening: Iterable[EventFact]) -> str:
    if all(e.historical for e in opening):
        return HISTORICAL
    stands = any(e.t_clear_ns is None and not e.historical for e in run)
    return OPEN if stands else QUIET


def _opens_at(event: EventFact, own: Sequence[DiagnosisFact], rules: CaseRules) -> int | None:
    """When (ns) an event amounts to a case, or None while it does not."""

    def after(seconds: float) -> int | None:
        at = max(event.t_onset_ns + round(seconds * 1e9), event.t_detected_ns)
        return at if event.lasted_s >= seconds else None

    if not event.channel:
        return event.t_detected_ns
    if event.sensor_fault is not None:
        return after(rules.sensor_s)
    times = []
    if event.severity >= rules.lasting_severity:
        times.append(after(rules.lasting_s))
    named = [d.t_ns for d in own if d.event == event.thing and _counts(d, rules)]
    if named and (lasting := after(rules.diagnosed_s)) is not None:
        times.append(max(lasting, min(named)))
    return min((t for t in times if t is not None), default=None)


def _counts(diagnosis: DiagnosisFact, rules: CaseRules) -> bool:
    return diagnosis.fault is not Fault.UNKNOWN and diagnosis.probability >= rules.min_probability


@dataclass(frozen=True, slots=True)
class _Verdict:
    fault: Fault
    probability: float
    clip: str


def _verdict(
    opening: Iterable[EventFact], own: Sequence[DiagnosisFact], rules: CaseRules
) -> _Verdict:
    """Weigh the clips' diagnoses, newer ones more: a fault shows clearer as it grows."""
    clips = sorted({(d.t_ns, d.clip) for d in own}, reverse=True)
    age = {clip: i for i, (_, clip) in enumerate(clips)}
    weight: dict[Fault, float] = {}
    for d in own:
        if _counts(d, rules):
            weight[d.fault] = (
                weight.get(d.fault, 0.0) + d.probability * rules.recency ** age[d.clip]
            )
    sensors = [e.sensor_fault for e in opening if e.sensor_fault is not None]
    machine_faults = [e for e in opening if e.sensor_fault is None]
    if sensors and not machine_faults:
        return _Verdict(sensors[-1], 1.0, clips[0][1] if clips else "")
    if not weight:
        unsure = max((d.probability for d in own if d.fault is Fault.UNKNOWN), default=0.0)
        return _Verdict(Fault.UNKNOWN, unsure, clips[0][1] if clips else "")
    fault = max(weight, key=lambda f: weight[f])
    best = max(
        (d for d in own if d.fault is fault and _counts(d, rules)),
        key=lambda d: (d.probability, d.t_ns),
    )
    return _Verdict(fault, best.probability, best.clip)


def _grows(fault: Fault, own: Sequence[DiagnosisFact], rules: CaseRules) -> bool:
    lines = [d.strength_db for d in own if d.fault is fault]
    return len(lines) > 1 and lines[-1] - lines[0] >= rules.growth_db
