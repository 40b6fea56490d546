"""The first tables.

Revision ID: 0001
Revises: none
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "assessments",
        sa.Column("clip", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("t_ns", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("clip"),
    )
    op.create_index(op.f("ix_assessments_site"), "assessments", ["site"], unique=False)
    op.create_table(
        "case_events",
        sa.Column("case", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("case", "event"),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("fault", sa.String(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("severity", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("t_onset_ns", sa.BigInteger(), nullable=False),
        sa.Column("t_detected_ns", sa.BigInteger(), nullable=False),
        sa.Column("t_opened_ns", sa.BigInteger(), nullable=False),
        sa.Column("t_last_ns", sa.BigInteger(), nullable=False),
        sa.Column("growing", sa.Boolean(), nullable=False),
        sa.Column("clip", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_cases_site"), "cases", ["site"], unique=False)
    op.create_table(
        "clips",
        sa.Column("thing", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("t0_ns", sa.BigInteger(), nullable=False),
        sa.Column("t_end_ns", sa.BigInteger(), nullable=False),
        sa.Column("rate_hz", sa.Double(), nullable=False),
        sa.Column("rpm", sa.Double(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("diagnosed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("thing"),
    )
    op.create_index("clips_by_machine", "clips", ["site", "machine", "t0_ns"], unique=False)
    op.create_table(
        "commissioning",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("clip", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site", "machine"),
    )
    op.create_table(
        "diagnoses",
        sa.Column("clip", sa.String(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("t_ns", sa.BigInteger(), nullable=False),
        sa.Column("fault", sa.String(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("severity", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("clip", "rank"),
    )
    op.create_index(op.f("ix_diagnoses_site"), "diagnoses", ["site"], unique=False)
    op.create_table(
        "events",
        sa.Column("thing", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("t_onset_ns", sa.BigInteger(), nullable=False),
        sa.Column("t_last_ns", sa.BigInteger(), nullable=False),
        sa.Column("t_clear_ns", sa.BigInteger(), nullable=True),
        sa.Column("t_decided_ns", sa.BigInteger(), nullable=False),
        sa.Column("t_detected_ns", sa.BigInteger(), nullable=False),
        sa.Column("grown_ns", sa.JSON(), nullable=False),
        sa.Column("severity", sa.BigInteger(), nullable=False),
        sa.Column("causes", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("p_value", sa.Double(), nullable=True),
        sa.Column("velocity_rms_mm_s", sa.Double(), nullable=True),
        sa.Column("rpm", sa.Double(), nullable=True),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("contributions", sa.JSON(), nullable=False),
        sa.Column("sensor_fault", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("thing"),
    )
    op.create_index("events_by_machine", "events", ["site", "machine", "t_onset_ns"], unique=False)
    op.create_table(
        "gaps",
        sa.Column("thing", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("t0_ns", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("thing"),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("t_ns", sa.BigInteger(), nullable=False),
        sa.Column("machines", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "machines",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("machine_class", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("criticality", sa.String(), nullable=False),
        sa.Column("register", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site", "machine"),
    )
    op.create_table(
        "models",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine_class", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("site", "machine_class", "version"),
    )
    op.create_table(
        "nodes",
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("stream_epoch", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("t0_ns", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("processed", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("raw_bytes", sa.BigInteger(), nullable=False),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("node", "stream_epoch"),
    )
    op.create_table(
        "offsets",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic"),
    )
    op.create_table(
        "points",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("axis", sa.String(), nullable=False),
        sa.Column("bearing", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site", "machine", "channel"),
    )
    op.create_table(
        "sequences",
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("stream_epoch", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "kind", "lane", "stream_epoch"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("assessments")
    op.drop_table("case_events")
    op.drop_table("cases")
    op.drop_table("clips")
    op.drop_table("commissioning")
    op.drop_table("diagnoses")
    op.drop_table("events")
    op.drop_table("gaps")
    op.drop_table("groups")
    op.drop_table("machines")
    op.drop_table("models")
    op.drop_table("nodes")
    op.drop_table("offsets")
    op.drop_table("points")
    op.drop_table("sequences")
