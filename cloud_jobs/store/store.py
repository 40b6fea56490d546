"""Questions to the relational store, and the few writes that are not a consumer's or a job's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cloud_jobs.store import address
from cloud_jobs.store.books import NewsRow, SequenceRow
from cloud_jobs.store.database import Database, upsert
from cloud_jobs.store.tables import (
    AssessmentRow,
    Base,
    CaseEventRow,
    CaseRow,
    ClipRow,
    CommissioningRow,
    DiagnosisRow,
    EventRow,
    GroupRow,
    MachineRow,
    MaintenanceRow,
    ModelRow,
    NodeRow,
    PointRow,
)
from vibro.assets import Machine, Register, export, parse_register
from vibro.errors import BadInputError
from vibro.text import one_line


class Store:
    """The relational store of a home folder.

    Rows come back as the typed models of `cloud_jobs.store.tables`, detached from any session.

    Parameters
    ----------
    home : Path
        Folder that holds ``store.db``.
    database : Database, optional
        Another database than the home's SQLite file.
    """

    def __init__(self, home: Path, database: Database | None = None) -> None:
        self.home = home
        self.database = database or Database.of_home(home)
        self._machines: dict[str, Machine] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction over the database."""
        with self.database.transaction() as session:
            yield session

    def close(self) -> None:
        """Give back all connections."""
        self.database.close()

    # -- assets --------------------------------------------------------------------------------

    def put_register(self, register: Register) -> None:
        """Make these the machines of the store: others are removed, their history stays."""
        machines = [_machine_row(m) for m in register]
        points = [_point_row(m, i) for m in register for i in range(len(m.points))]
        with self.transaction() as session:
            session.execute(delete(MachineRow))
            session.execute(delete(PointRow))
            upsert(session, MachineRow, machines)
            upsert(session, PointRow, points)
        self._machines = None

    def machines(self) -> dict[str, Machine]:
        """All machines of the register by ``site/machine``, in its order of site and name."""
        if self._machines is None:
            rows = self._all(select(MachineRow).order_by(MachineRow.site, MachineRow.machine))
            self._machines = {}
            for row in rows:
                register = parse_register(row.register, f"store: machine {row.path}")
                self._machines[row.path] = register.machine(row.path)
        return self._machines

    def classes(self) -> dict[tuple[str, str], list[Machine]]:
        """Machines by (site, machine class): who shares a model."""
        groups: dict[tuple[str, str], list[Machine]] = {}
        for machine in self.machines().values():
            groups.setdefault((machine.site, machine.machine_class), []).append(machine)
        return groups

    # -- events, clips, diagnoses ----------------------------------------------------------------

    def events(self, machines: Iterable[str] | None = None, site: str = "") -> list[EventRow]:
        """Events in the order of their onsets, of all machines or of some (``site/machine``)."""
        query = select(EventRow).order_by(EventRow.t_onset_ns, EventRow.thing)
        return _of(self._all(query.where(EventRow.site == site) if site else query), machines)

    def event(self, thing: str) -> EventRow | None:
        """One event by the id of its thing."""
        row: EventRow | None = self._get(EventRow, thing)
        return row

    def clips(
        self, machine: str = "", *, event: str = "", undiagnosed: bool = False
    ) -> list[ClipRow]:
        """Clips in the order of time: of a machine, of an event, or those to diagnose."""
        query = select(ClipRow).order_by(ClipRow.t0_ns, ClipRow.thing)
        if machine:
            site, name = machine.split("/")
            query = query.where(ClipRow.site == site, ClipRow.machine == name)
        if event:
            query = query.where(ClipRow.event == event)
        if undiagnosed:
            query = query.where(ClipRow.diagnosed.is_(False))
        return self._all(query)

    def clip(self, thing: str) -> ClipRow | None:
        """One clip's index row."""
        row: ClipRow | None = self._get(ClipRow, thing)
        return row

    def commissioning_clip(self, machine: str) -> str | None:
        """Id of the clip that a machine's later clips are compared with."""
        row = self._get(CommissioningRow, tuple(machine.split("/")))
        return row.clip if row else None

    def diagnoses(
        self, machines: Iterable[str] | None = None, site: str = ""
    ) -> list[DiagnosisRow]:
        """Ranked faults of clips, in the order of time and rank: of all machines or of some."""
        query = select(DiagnosisRow).order_by(
            DiagnosisRow.t_ns, DiagnosisRow.clip, DiagnosisRow.rank
        )
        query = query.where(DiagnosisRow.site == site) if site else query
        return _of(self._all(query), machines)

    def assessments(self, machines: Iterable[str] | None = None) -> list[AssessmentRow]:
        """Return what was said of each clip, in the order of time."""
        return _of(self._all(select(AssessmentRow).order_by(AssessmentRow.t_ns)), machines)

    # -- cases and groups ------------------------------------------------------------------------

    def cases(self, machines: Iterable[str] | None = None) -> list[CaseRow]:
        """Cases, the most severe first."""
        query = select(CaseRow).order_by(CaseRow.severity.desc(), CaseRow.t_onset_ns)
        return _of(self._all(query), machines)

    def case(self, case_id: str) -> CaseRow | None:
        """One case."""
        row: CaseRow | None = self._get(CaseRow, case_id)
        return row

    def case_events(self) -> dict[str, list[str]]:
        """Events (their things) of each case."""
        found: dict[str, list[str]] = {}
        for row in self._all(select(CaseEventRow).order_by(CaseEventRow.case)):
            found.setdefault(row.case, []).append(row.event)
        return found

    def groups(self) -> list[GroupRow]:
        """Return groups of machines that share a cause or a fault."""
        return self._all(select(GroupRow).order_by(GroupRow.t_ns, GroupRow.id))

    # -- maintenance -----------------------------------------------------------------------------

    def put_maintenance(self, machine: str, t_ns: int, note: str) -> None:
        """Keep what was done to a machine (``site/machine``); a note of that instant is replaced.

        Raises
        ------
        BadInputError
            If the register has no such machine, or the note says nothing.
        """
        known = self.machines().get(machine)
        if known is None:
            raise BadInputError(
                f"the register of {self.home} has no machine '{machine}': "
                "name one as SITE/MACHINE (`vibro assets export` lists them)"
            )
        said = one_line(note)
        if not said:
            raise BadInputError(f"{machine}: a note of maintenance says what was done")
        row = MaintenanceRow(site=known.site, machine=known.machine, t_ns=t_ns, note=said)
        with self.transaction() as session:
            session.merge(row)

    def maintenance(self, machines: Iterable[str] | None = None) -> list[MaintenanceRow]:
        """Return what was done to all machines or to some, in the order of time."""
        query = select(MaintenanceRow).order_by(MaintenanceRow.t_ns, MaintenanceRow.site)
        return _of(self._all(query.order_by(MaintenanceRow.machine)), machines)

    # -- models and nodes ------------------------------------------------------------------------

    def put_model(self, model: ModelRow) -> None:
        """Keep a published bundle's row."""
        with self.transaction() as session:
            session.merge(model)

    def models(self, site: str = "", machine_class: str = "") -> list[ModelRow]:
        """Return published bundles, newest last."""
        query = select(ModelRow).order_by(ModelRow.created_ns, ModelRow.version)
        if site:
            query = query.where(ModelRow.site == site)
        if machine_class:
            query = query.where(ModelRow.machine_class == machine_class)
        return self._all(query)

    def champion(self, site: str, machine_class: str) -> ModelRow | None:
        """Newest published bundle of a site and class."""
        found = self.models(site, machine_class)
        return found[-1] if found else None

    def champion_bytes(self, site: str, machine_class: str) -> bytes | None:
        """Content of the newest published bundle's file."""
        model = self.champion(site, machine_class)
        return (self.home / "bundles" / model.file).read_bytes() if model else None

    def nodes(self) -> list[NodeRow]:
        """Each node's last heartbeat in its newest stream epoch."""
        newest: dict[str, NodeRow] = {}
        for row in self._all(select(NodeRow).order_by(NodeRow.node, NodeRow.stream_epoch)):
            newest[row.node] = row
        return list(newest.values())

    def heard_until(self, machines: Iterable[str] | None = None) -> dict[str, int]:
        """Return the time (ns) of the last heartbeat of the nodes of all machines or of some."""
        query = select(NodeRow.site, NodeRow.machine, func.max(NodeRow.t0_ns))
        query = query.group_by(NodeRow.site, NodeRow.machine)
        wanted = None if machines is None else set(machines)
        if wanted is not None:
            query = query.where(NodeRow.site.in_({path.split("/")[0] for path in wanted}))
        with self.transaction() as session:
            heard = {f"{site}/{machine}": t0_ns for site, machine, t0_ns in session.execute(query)}
        return {path: t for path, t in heard.items() if wanted is None or path in wanted}

    def unsettled(self) -> set[str]:
        """Return the machines (``site/machine``) with an event that is open."""
        query = select(EventRow.site, EventRow.machine).where(EventRow.t_clear_ns.is_(None))
        with self.transaction() as session:
            return {f"{site}/{machine}" for site, machine in session.execute(query.distinct())}

    def news(self) -> dict[str, str]:
        """Machines of which something came that was not correlated yet, each with its stamp."""
        return {row.path: row.stamp for row in self._all(select(NewsRow))}

    def seen(self, news: Mapping[str, str]) -> None:
        """Take note that news were correlated; what came meanwhile has another stamp and stays."""
        with self.transaction() as session:
            for path, stamp in sorted(news.items()):
                site, machine = path.split("/")
                of_machine = (NewsRow.site == site) & (NewsRow.machine == machine)
                session.execute(delete(NewsRow).where(of_machine, NewsRow.stamp == stamp))

    def totals(self) -> dict[str, int]:
        """Return samples seen, processed and lost and raw bytes, over all nodes and epochs."""
        columns = (NodeRow.seen, NodeRow.processed, NodeRow.lost, NodeRow.raw_bytes)
        with self.transaction() as session:
            sums = session.execute(select(*(func.coalesce(func.sum(c), 0) for c in columns))).one()
        return {c.key: int(v) for c, v in zip(columns, sums, strict=True)}

    def received(self) -> tuple[dict[str, int], int]:
        """Records taken from all senders by kind, and how many sequence numbers never came.

        A node counts each kind and lane from 0, over its stream epochs (and over partitions, where
        some were added), and anew where its spool was lost.
        """
        taken: dict[str, int] = {}
        missing = 0
        ends: dict[tuple[str, str, str], int] = {}
        for row in self._all(
            select(SequenceRow).order_by(SequenceRow.stream_epoch, SequenceRow.first)
        ):
            taken[row.kind] = taken.get(row.kind, 0) + row.last - row.first + 1 - row.missing
            lane = (row.node, row.kind, row.lane)
            end = ends.get(lane, -1)
            missing += row.missing + row.first - (end + 1 if row.first > end else 0)
            ends[lane] = row.last
        return taken, missing

    def _all(self, query: Any) -> list[Any]:
        with self.transaction() as session:
            return list(session.scalars(query))

    def _get(self, row: type[Any], key: Any) -> Any:
        with self.transaction() as session:
            return session.get(row, key)


@contextmanager
def existing(home: Path) -> Iterator[Store]:
    """Open the store of a home that has one, for a question or two.

    Raises
    ------
    BadInputError
        If the home holds none: a mistyped home is not made.
    """
    address.check(home)
    store = Store(home)
    try:
        yield store
    finally:
        store.close()


def _of(rows: Sequence[Any], machines: Iterable[str] | None) -> list[Any]:
    if machines is None:
        return list(rows)
    wanted = set(machines)
    return [row for row in rows if f"{row.site}/{row.machine}" in wanted]


def _machine_row(machine: Machine) -> dict[str, Any]:
    return {
        "site": machine.site,
        "machine": machine.machine,
        "machine_class": machine.machine_class,
        "region": machine.region,
        "owner": machine.owner,
        "criticality": machine.criticality,
        "register": export(Register({machine.path: machine})),
    }


def _point_row(machine: Machine, index: int) -> dict[str, Any]:
    point = machine.points[index]
    return {
        "site": machine.site,
        "machine": machine.machine,
        "channel": point.channel,
        "location": point.location,
        "axis": point.axis,
        "bearing": point.bearing.name if point.bearing else "",
    }


__all__ = ["Base", "Store"]
