"""The relational tables: what is small, is asked for by key and changes.

Times are int64 ns UTC, severities the integers of `vibro.faults.Severity`, a number that was not
measured is NULL. A machine is named by ``site`` and ``machine``; in JSON by ``site/machine``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, Dialect, Double, Index, LargeBinary, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any]


Text = String().with_variant(String(collation="C"), "postgresql")
"""Text that every database compares and sorts as Python does, by code points."""


class Number(TypeDecorator[float]):
    """A float; what is not finite is kept as NULL, also where the database knows NaN."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Turn a value into what is kept."""
        del dialect
        return value if value is not None and math.isfinite(value) else None


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it as a class attribute)
        int: BigInteger,
        str: Text,
        float: Number,
        bytes: LargeBinary,
        Json: JSON,
        list[Any]: JSON,
    }


class OfMachine:
    """A row with ``site`` and ``machine``."""

    if TYPE_CHECKING:
        site: Mapped[str]
        machine: Mapped[str]

    @property
    def path(self) -> str:
        """``site/machine``."""
        return f"{self.site}/{self.machine}"


class MachineRow(OfMachine, Base):
    """A machine of the asset register, with its own lines of the register as they were given."""

    __tablename__ = "machines"
    site: Mapped[str] = mapped_column(primary_key=True)
    machine: Mapped[str] = mapped_column(primary_key=True)
    machine_class: Mapped[str]
    region: Mapped[str]
    owner: Mapped[str]
    criticality: Mapped[str]
    register: Mapped[str]


class PointRow(Base):
    """A measuring point (channel) of a machine."""

    __tablename__ = "points"
    site: Mapped[str] = mapped_column(primary_key=True)
    machine: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    location: Mapped[str]
    axis: Mapped[str]
    bearing: Mapped[str]


class EventRow(OfMachine, Base):
    """The highest known revision of an event."""

    __tablename__ = "events"
    __table_args__ = (Index("events_by_machine", "site", "machine", "t_onset_ns"),)
    thing: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int]
    node: Mapped[str]
    site: Mapped[str]
    machine: Mapped[str]
    channel: Mapped[str]
    lane: Mapped[str]
    t_onset_ns: Mapped[int]
    t_last_ns: Mapped[int]
    t_clear_ns: Mapped[int | None]
    t_decided_ns: Mapped[int]
    t_detected_ns: Mapped[int]
    """When the first revision that arrived was decided."""
    grown_ns: Mapped[list[Any]]
    """When later revisions were decided that said it had grown."""
    severity: Mapped[int]
    causes: Mapped[list[Any]]
    state: Mapped[str]
    score: Mapped[float | None]
    p_value: Mapped[float | None]
    velocity_rms_mm_s: Mapped[float | None]
    rpm: Mapped[float | None]
    bundle: Mapped[str]
    contributions: Mapped[list[Any]]
    sensor_fault: Mapped[str | None]
    late: Mapped[bool]
    """Every revision came late: backfill, or older than a live alarm may be."""
    t_arrived_ns: Mapped[int]
    """When the newest revision arrived."""


class ClipRow(OfMachine, Base):
    """Index of a clip; its samples lie in the lake."""

    __tablename__ = "clips"
    __table_args__ = (Index("clips_by_machine", "site", "machine", "t0_ns"),)
    thing: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str]
    machine: Mapped[str]
    t0_ns: Mapped[int]
    t_end_ns: Mapped[int]
    rate_hz: Mapped[float]
    rpm: Mapped[float | None]
    state: Mapped[str]
    reason: Mapped[str]
    event: Mapped[str]
    diagnosed: Mapped[bool]
    late: Mapped[bool]
    """It came late, see `EventRow`."""
    t_arrived_ns: Mapped[int]


class AssessmentRow(Base):
    """What the diagnosis said of one clip: a severity, facts and (apart) the ranked faults."""

    __tablename__ = "assessments"
    clip: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(index=True)
    machine: Mapped[str]
    event: Mapped[str]
    t_ns: Mapped[int]
    severity: Mapped[int]
    facts: Mapped[Json]


class DiagnosisRow(OfMachine, Base):
    """One ranked fault of one clip."""

    __tablename__ = "diagnoses"
    clip: Mapped[str] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(index=True)
    machine: Mapped[str]
    channel: Mapped[str]
    event: Mapped[str]
    t_ns: Mapped[int]
    fault: Mapped[str]
    probability: Mapped[float]
    severity: Mapped[int]
    evidence: Mapped[list[Any]]
    note: Mapped[str]


class CaseRow(OfMachine, Base):
    """The one matter per machine that groups its events."""

    __tablename__ = "cases"
    id: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(index=True)
    machine: Mapped[str]
    fault: Mapped[str]
    probability: Mapped[float | None]
    severity: Mapped[int]
    state: Mapped[str]
    t_onset_ns: Mapped[int]
    t_detected_ns: Mapped[int]
    t_opened_ns: Mapped[int]
    t_last_ns: Mapped[int]
    growing: Mapped[bool]
    clip: Mapped[str]
    note: Mapped[str]


class CaseEventRow(Base):
    """Which events a case groups."""

    __tablename__ = "case_events"
    case: Mapped[str] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(primary_key=True)


class GroupRow(Base):
    """Machines that share a cause (``common_cause``) or a fault (``shared_fault``)."""

    __tablename__ = "groups"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    t_ns: Mapped[int]
    machines: Mapped[list[Any]]
    evidence: Mapped[Json]


class ModelRow(Base):
    """A published bundle."""

    __tablename__ = "models"
    site: Mapped[str] = mapped_column(primary_key=True)
    machine_class: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    created_ns: Mapped[int]
    file: Mapped[str]
    sha256: Mapped[str]
    bytes: Mapped[int]
    metrics: Mapped[Json]


class MaintenanceRow(OfMachine, Base):
    """What was done to a machine; another note of the same instant takes its place."""

    __tablename__ = "maintenance"
    site: Mapped[str] = mapped_column(primary_key=True)
    machine: Mapped[str] = mapped_column(primary_key=True)
    t_ns: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str]


class NodeRow(OfMachine, Base):
    """Last heartbeat of a node in one stream epoch; its counts run since that epoch began."""

    __tablename__ = "nodes"
    node: Mapped[str] = mapped_column(primary_key=True)
    stream_epoch: Mapped[int] = mapped_column(primary_key=True)
    site: Mapped[str]
    machine: Mapped[str]
    t0_ns: Mapped[int]
    seen: Mapped[int]
    processed: Mapped[int]
    lost: Mapped[int]
    raw_bytes: Mapped[int]
    bundle: Mapped[str]
    detail: Mapped[Json]


class GapRow(Base):
    """Something a node could not do, in its own words."""

    __tablename__ = "gaps"
    thing: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str]
    t0_ns: Mapped[int]
    detail: Mapped[Json]


class CommissioningRow(Base):
    """The clip that a machine's later clips are compared with; the first one stays."""

    __tablename__ = "commissioning"
    site: Mapped[str] = mapped_column(primary_key=True)
    machine: Mapped[str] = mapped_column(primary_key=True)
    clip: Mapped[str]
