"""The diagnosing job: every new clip against its machine's commissioning clip."""

from __future__ import annotations

from dataclasses import asdict

from cloud_jobs.lake import Lake
from cloud_jobs.store import Store, finite
from cloud_jobs.store.tables import AssessmentRow, ClipRow, DiagnosisRow
from vibro.assets import Machine, Point
from vibro.diagnosis import Assessment, Reference, assess, reference_of
from vibro.errors import BadInputError
from vibro.faults import Severity
from vibro.iso10816 import IsoLimits
from vibro.records import Clip


class Diagnoser:
    """Assesses clips that nobody has looked at yet; what it finds goes into the store.

    Parameters
    ----------
    lake, store
        Clips come from the lake, machines and the clips' index from the store.
    """

    def __init__(self, lake: Lake, store: Store) -> None:
        self._lake, self._store = lake, store
        self._references: dict[tuple[str, str], Reference | None] = {}

    def run(self) -> set[str]:
        """Assess all new clips of known machines; return the machines (``site/machine``).

        A clip of a machine that the register does not hold waits until it does.
        """
        machines = self._store.machines()
        touched = set()
        for row in self._store.clips(undiagnosed=True):
            machine = machines.get(row.path)
            if machine is None:
                continue
            self._keep(row, self._assess(row, machine))
            touched.add(row.path)
        return touched

    def _assess(self, row: ClipRow, machine: Machine) -> Assessment:
        try:
            clip = self._lake.clip(row.thing)
        except BadInputError as error:
            return _unreadable(str(error))
        points, rows = _points(machine, clip)
        if not points:
            return _unreadable("no channel of the clip is in the asset register")
        limits = machine.iso_limits
        return assess(
            clip.acceleration()[rows],
            clip.rate_hz,
            clip.rpm,
            points,
            iso=limits if isinstance(limits, IsoLimits) else None,
            reference=self._reference(row, machine, clip),
        )

    def _reference(self, row: ClipRow, machine: Machine, clip: Clip) -> Reference | None:
        """Reference by the commissioning clip; None for that clip itself or another layout."""
        held = self._store.commissioning_clip(row.path)
        if held is None or held == row.thing:
            return None
        key = (row.path, held)
        if key not in self._references:
            self._references[key] = self._measure(held, machine, clip)
        return self._references[key]

    def _measure(self, thing: str, machine: Machine, like: Clip) -> Reference | None:
        try:
            clip = self._lake.clip(thing)
        except BadInputError:
            return None
        points, rows = _points(machine, clip)
        if clip.channels != like.channels or clip.rate_hz != like.rate_hz:
            return None
        return reference_of(clip.acceleration()[rows], clip.rate_hz, clip.rpm, points)

    def _keep(self, row: ClipRow, found: Assessment) -> None:
        """Write what was found and mark the clip, in one transaction."""
        facts = asdict(found)
        del facts["diagnoses"], facts["severity"]
        with self._store.transaction() as session:
            session.merge(
                AssessmentRow(
                    clip=row.thing,
                    site=row.site,
                    machine=row.machine,
                    event=row.event,
                    t_ns=row.t_end_ns,
                    severity=int(found.severity),
                    facts=finite(facts),
                )
            )
            for rank, diagnosis in enumerate(found.diagnoses):
                session.merge(
                    DiagnosisRow(
                        clip=row.thing,
                        rank=rank,
                        site=row.site,
                        machine=row.machine,
                        channel=diagnosis.channel,
                        event=row.event,
                        t_ns=row.t_end_ns,
                        fault=diagnosis.fault.value,
                        probability=diagnosis.probability,
                        severity=int(diagnosis.severity),
                        evidence=[finite(asdict(e)) for e in diagnosis.evidence],
                        note=diagnosis.note,
                    )
                )
            held = session.get(ClipRow, row.thing)
            if held is not None:
                held.diagnosed = True


def _points(machine: Machine, clip: Clip) -> tuple[list[Point], list[int]]:
    """Points of the clip's channels that the register knows, and the clip's rows of them."""
    by_name = {p.channel: p for p in machine.points}
    rows = [i for i, name in enumerate(clip.channels) if name in by_name]
    return [by_name[clip.channels[i]] for i in rows], rows


def _unreadable(why: str) -> Assessment:
    return Assessment(Severity.OK, (), False, (), (), (), "", (f"not assessed: {why}",))
