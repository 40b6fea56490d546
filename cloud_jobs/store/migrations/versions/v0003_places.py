"""Offsets and sequences by partition; what came late; news for the correlation; replayed letters.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NUMBERS = {"offsets": ["offset"], "sequences": ["first", "last", "missing"]}
KEYS = {"offsets": ["topic"], "sequences": ["node", "kind", "lane", "stream_epoch"]}
WORDS = ("topic", "node", "kind", "lane")


def upgrade() -> None:
    """Add columns and tables; what there was came from partition 0, and in time."""
    for table, keys in KEYS.items():
        _make_anew(table, keys, [*keys, "partition"])
    for table in ("events", "clips"):
        _add(table, sa.Column("late", sa.Boolean(), nullable=False, server_default=sa.false()))
        _add(table, sa.Column("t_arrived_ns", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "news",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("stamp", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site", "machine"),
    )
    op.create_table(
        "replays",
        sa.Column("letter", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("letter"),
    )


def downgrade() -> None:
    """Drop them; only partition 0 is known below."""
    op.drop_table("replays")
    op.drop_table("news")
    for table in ("events", "clips"):
        with op.batch_alter_table(table) as alter:
            alter.drop_column("t_arrived_ns")
            alter.drop_column("late")
    for table, keys in KEYS.items():
        _make_anew(table, [*keys, "partition"], keys)


def _add(table: str, column: sa.Column[object]) -> None:
    with op.batch_alter_table(table) as alter:
        alter.add_column(column)
    with op.batch_alter_table(table) as alter:
        alter.alter_column(column.name, server_default=None)


def _make_anew(table: str, before: list[str], after: list[str]) -> None:
    """Give a table another primary key, which not every database changes in place."""
    old = sa.table(table, *(sa.column(name) for name in (*before, *NUMBERS[table])))
    rows = [{"partition": 0, **row} for row in op.get_bind().execute(sa.select(old)).mappings()]
    op.drop_table(table)
    columns = [
        sa.Column(name, sa.String() if name in WORDS else sa.BigInteger(), nullable=False)
        for name in (*after, *NUMBERS[table])
    ]
    new = op.create_table(table, *columns, sa.PrimaryKeyConstraint(*after))
    names = {c.name for c in columns}
    kept = [{k: v for k, v in row.items() if k in names} for row in rows if not row["partition"]]
    op.bulk_insert(new, kept)
