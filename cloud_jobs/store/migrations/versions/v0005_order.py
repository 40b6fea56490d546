"""Texts are compared by code points on PostgreSQL too, whatever its databases' language.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give every text the collation ``C``; SQLite has no other."""
    _collate("C")


def downgrade() -> None:
    """Give every text the database's collation."""
    _collate("default")


def _collate(name: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    held = sa.inspect(connection)
    quote = connection.dialect.identifier_preparer.quote
    for table in sorted(set(held.get_table_names()) - {"alembic_version"}):
        texts = [c["name"] for c in held.get_columns(table) if isinstance(c["type"], sa.String)]
        changes = [f"alter {quote(c)} type varchar collate {quote(name)}" for c in texts]
        if changes:
            op.execute(f"alter table {quote(table)} {', '.join(changes)}")
