"""What was done to the machines.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "maintenance",
        sa.Column("site", text, nullable=False),
        sa.Column("machine", text, nullable=False),
        sa.Column("t_ns", sa.BigInteger(), nullable=False),
        sa.Column("note", text, nullable=False),
        sa.PrimaryKeyConstraint("site", "machine", "t_ns"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("maintenance")
