"""The first sequence taken from a sender: what was received is counted from there.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; numbers were taken to begin at 0 until now."""
    with op.batch_alter_table("sequences") as table:
        table.add_column(sa.Column("first", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("sequences") as table:
        table.alter_column("first", server_default=None)


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("sequences") as table:
        table.drop_column("first")
