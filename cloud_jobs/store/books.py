"""The tables that the jobs keep about their own work: how far they came and what is left to do."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from cloud_jobs.store.tables import Base, OfMachine


class OffsetRow(Base):
    """Up to which offset of a topic's partition everything is in the lake and in these tables."""

    __tablename__ = "offsets"
    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    offset: Mapped[int]


class TapOffsetRow(Base):
    """Up to which offset of a topic's partition a sink beside lake and store has everything."""

    __tablename__ = "tap_offsets"
    tap: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    offset: Mapped[int]


class SequenceRow(Base):
    """Highest sequence taken from a sender; what is not above it is a repeat.

    A sender's records lie in one partition, unless partitions are added: it is counted in each.
    """

    __tablename__ = "sequences"
    node: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    lane: Mapped[str] = mapped_column(primary_key=True)
    stream_epoch: Mapped[int] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[int]
    last: Mapped[int]
    missing: Mapped[int]
    """Sequence numbers between first and last that never came."""


class NewsRow(OfMachine, Base):
    """A machine of which something came that was not correlated yet."""

    __tablename__ = "news"
    site: Mapped[str] = mapped_column(primary_key=True)
    machine: Mapped[str] = mapped_column(primary_key=True)
    stamp: Mapped[str]
    """Another one each time, so that what comes meanwhile stays news."""


class ReplayRow(Base):
    """A dead letter that an operator sent back to its topic."""

    __tablename__ = "replays"
    letter: Mapped[str] = mapped_column(primary_key=True)
    """Where it first stood: ``topic/partition/offset``."""
    sha256: Mapped[str]
    """Of its value: nothing else is let in under its name."""
    sent: Mapped[int]
    """How often."""
    taken: Mapped[bool]
    """Whether it was let in at last."""
