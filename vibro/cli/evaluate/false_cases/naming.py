"""Events to cases: the clips that events ask for, rendered and diagnosed for real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.cases import Case, DiagnosisFact, cases_of
from edge_node.clips.captures import CaptureRules
from edge_node.config import ReportingSection
from vibro.cli.evaluate.false_cases.fleet import FOREVER, T0_NS, Unit
from vibro.correlation import EventFact
from vibro.diagnosis import Assessment, Reference, assess, reference_of
from vibro.iso10816 import IsoLimits
from vibro.records import Event
from vibro.simulate import Condition, Scenario, SimulatedMachine
from vibro.simulate.plant_life import STOPPED

CLIP = ReportingSection()


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that an event asked for: begin in s since the start of the machine's life."""

    at_s: float
    event: str


def rendered(
    unit: Unit, at_s: float, seconds: float, scenario: Scenario = FOREVER
) -> tuple[NDArray[np.float32], float]:
    """Waveform of a machine at a time of its life, m/s2, shape (channels, n), and its speed."""
    at = np.array([at_s])
    speed = int(unit.speed_at(at)[0])
    machine = unit.model.at[speed].machine
    simulated = SimulatedMachine(machine, scenario, Condition.of(unit.life.at(at)[0]))
    rate_hz = simulated.info.rate_hz
    counts, rpm = simulated.render(round(at_s * rate_hz), round(seconds * rate_hz))
    return counts.astype(np.float32) * simulated.info.scale[:, None], rpm


def commissioning(unit: Unit) -> Reference:
    """Reference by a clip of the first minutes in which the machine runs."""
    begin = int(np.flatnonzero(unit.life.speed != STOPPED)[0])
    x, rpm = rendered(unit, begin * unit.life.step_s + CLIP.commissioning_clip_s, CLIP.clip_s)
    return reference_of(x, unit.info.rate_hz, rpm, unit.machine.points)


def diagnosed(
    unit: Unit, at_s: float, reference: Reference, scenario: Scenario = FOREVER
) -> Assessment:
    """Diagnosis of a clip of the machine."""
    x, rpm = rendered(unit, at_s, CLIP.clip_s, scenario)
    limits = unit.machine.iso_limits
    iso = limits if isinstance(limits, IsoLimits) else None
    rate_hz, points = unit.info.rate_hz, unit.machine.points
    return assess(x, rate_hz, rpm, points, iso=iso, reference=reference)


def clips_of(events: Sequence[Event], until_ns: int) -> list[Clip]:
    """Clips that a machine's events ask for, by the node's own rules."""
    rules = CaptureRules(round(CLIP.clip_spacing_s * 1e9), CLIP.clips_per_day)
    ordered = sorted(events, key=lambda e: e.t_decided_ns)
    found: list[Clip] = []
    step_ns = round(CLIP.sample_s * 1e9)
    for i, event in enumerate(ordered):
        now_ns = event.t_decided_ns
        due = rules.event(event)
        end_ns = ordered[i + 1].t_decided_ns if i + 1 < len(ordered) else until_ns
        while now_ns < end_ns:
            if due is not None:
                found.append(Clip((now_ns - T0_NS) / 1e9 - CLIP.clip_lead_s, due.event))
            now_ns += step_ns
            due = rules.later(now_ns)
            if due is None and event.t_clear_ns is not None:
                break
    return found


def facts(unit: Unit, events: Sequence[Event]) -> list[EventFact]:
    """Events as the rules of cases want them, the newest revision of each."""
    newest = {e.id.thing: e for e in events}
    decided = {e.id.thing: e.t_decided_ns for e in reversed(events)}
    return [
        EventFact(
            thing=thing,
            machine=unit.machine.path,
            channel=e.channel,
            t_onset_ns=e.t_onset_ns,
            t_last_ns=e.t_last_ns,
            t_clear_ns=e.t_clear_ns,
            t_detected_ns=decided[thing],
            severity=e.severity,
            sensor_fault=e.sensor_fault,
        )
        for thing, e in newest.items()
    ]


def cases(unit: Unit, events: Sequence[Event], most_clips: int) -> tuple[list[Case], int, int]:
    """Cases of a machine by its events and the diagnoses of their clips.

    Returns
    -------
    cases : list of Case
    clips, named : int
        Clips that were diagnosed (at most ``most_clips``, the first ones), and those of them that
        named a fault with enough probability.
    """
    if not events:
        return [], 0, 0
    until_ns = T0_NS + round(len(unit.life.speed) * unit.life.step_s * 1e9)
    wanted = [
        c for c in clips_of(events, until_ns) if unit.speed_at(np.array([c.at_s]))[0] != STOPPED
    ][:most_clips]
    reference = commissioning(unit)
    found: list[DiagnosisFact] = []
    for clip in wanted:
        found += diagnosis_facts(unit, clip, diagnosed(unit, clip.at_s, reference))
    named = len({d.clip for d in found if is_named(d)})
    return cases_of(unit.machine.path, facts(unit, events), found, {}), len(wanted), named


def is_named(diagnosis: DiagnosisFact) -> bool:
    """Whether a diagnosis alone would let a lasting event become a case."""
    return diagnosis.probability >= 0.5 and diagnosis.fault.value != "unknown"


def diagnosis_facts(unit: Unit, clip: Clip, found: Assessment) -> list[DiagnosisFact]:
    """Reduce an assessment to what the rules of cases want."""
    start_ns = T0_NS + round(clip.at_s * 1e9)
    return [
        DiagnosisFact(
            machine=unit.machine.path,
            clip=f"{clip.event}@{clip.at_s:.0f}",
            event=clip.event,
            t_start_ns=start_ns,
            t_ns=start_ns + round(CLIP.clip_s * 1e9),
            fault=d.fault,
            probability=d.probability,
            severity=d.severity,
            strength_db=max((e.snr_db or 0.0 for e in d.evidence), default=0.0),
        )
        for d in found.diagnoses
    ]
