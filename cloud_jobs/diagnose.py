"""The diagnosing job: every new clip against its machine's commissioning clip."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.lake import Lake
from cloud_jobs.store import Store, finite, ingest
from cloud_jobs.store.tables import AssessmentRow, ClipRow, DiagnosisRow
from vibro.assets import Machine, Point
from vibro.diagnosis import Assessment, Reference, assess, reference_of
from vibro.errors import BadInputError
from vibro.faults import Severity
from vibro.iso10816 import IsoLimits
from vibro.records import Clip

_UNFORESEEN = (ArithmeticError, LookupError, ValueError)
"""What numerics raise on data that nobody thought of: one clip must not stop all others."""


class Diagnoser:
    """Assesses clips that nobody has looked at yet; what it finds goes into the store.

    Parameters
    ----------
    lake, store
        Clips come from the lake, machines and the clips' index from the store.
    """

    def __init__(self, lake: Lake, store: Store) -> None:
        self._lake, self._store = lake, store
        self._machines: dict[str, Machine] = {}
        self._references: dict[str, _Commissioned | None] = {}

    def run(self, most: int | None = None) -> set[str]:
        """Assess new clips of known machines; return the machines (``site/machine``).

        A clip of a machine that the register does not hold waits until it does.

        Parameters
        ----------
        most : int, optional
            Clips after which the rest waits for another run.
        """
        machines = self._store.machines()
        if machines is not self._machines:
            self._machines, self._references = machines, {}
        rows = [row for row in self._store.clips(undiagnosed=True) if row.path in machines]
        for row in rows[:most]:
            self._keep(row, self._assess(row, machines[row.path]))
        return {row.path for row in rows[:most]}

    def _assess(self, row: ClipRow, machine: Machine) -> Assessment:
        """Assess a clip; what cannot be assessed is said in a note, for it would not change."""
        try:
            clip = self._lake.clip(row.thing)
            points, x = _measured(machine, clip)
        except BadInputError as error:
            return _unreadable(str(error))
        limits = machine.iso_limits
        try:
            return assess(
                x,
                clip.rate_hz,
                clip.rpm,
                points,
                iso=limits if isinstance(limits, IsoLimits) else None,
                reference=self._reference(row, machine, clip),
            )
        except _UNFORESEEN as error:
            return _unreadable(f"the diagnosis failed ({error!r})")

    def _reference(self, row: ClipRow, machine: Machine, clip: Clip) -> Reference | None:
        """Reference by the commissioning clip; None for that clip itself or another layout."""
        held = self._store.commissioning_clip(row.path)
        if held is None or held == row.thing:
            return None
        if held not in self._references:
            self._references[held] = self._measure(held, machine)
        found = self._references[held]
        return found.reference if found and found.layout == _layout(clip) else None

    def _measure(self, thing: str, machine: Machine) -> _Commissioned | None:
        try:
            clip = self._lake.clip(thing)
            points, x = _measured(machine, clip)
            if not (x.size and np.isfinite(x).all()):
                return None
            reference = reference_of(x, clip.rate_hz, clip.rpm, points)
        except (BadInputError, *_UNFORESEEN):
            return None
        return _Commissioned(_layout(clip), reference)

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
            ingest.keep_news(session, [row.path], f"diagnosed {row.thing}")


@dataclass(frozen=True, slots=True)
class _Commissioned:
    """A reference, and of what channels and rate it is."""

    layout: tuple[tuple[str, ...], float]
    reference: Reference


def _layout(clip: Clip) -> tuple[tuple[str, ...], float]:
    return clip.channels, clip.rate_hz


def _measured(machine: Machine, clip: Clip) -> tuple[list[Point], NDArray[np.float32]]:
    """Points of the clip's channels that the register knows, and what was measured there (m/s2).

    Raises
    ------
    BadInputError
        If it knows none of them.
    """
    by_name = {p.channel: p for p in machine.points}
    rows = [i for i, name in enumerate(clip.channels) if name in by_name]
    if not rows:
        raise BadInputError("no channel of the clip is in the asset register")
    return [by_name[clip.channels[i]] for i in rows], clip.acceleration()[rows]


def _unreadable(why: str) -> Assessment:
    return Assessment(Severity.OK, (), False, (), (), (), "", (f"not assessed: {why}",))
