"""Providers' credentials can be kept in the database, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "5"
down_revision = "4"


def upgrade() -> None:
    """Make the table, and begin to count its changes."""
    op.create_table(
        "credentials",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("provider", sa.String(128), nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("hint", sa.String(4), nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("created_by", sa.String(256), nullable=False),
        sa.Column("changed", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.execute("INSERT INTO changes (subject, count) VALUES ('credentials', 0)")
