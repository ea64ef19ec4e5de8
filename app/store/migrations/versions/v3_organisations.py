"""Calls tell the organisation that they were made for."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add the column."""
    op.add_column("calls", sa.Column("organisation", sa.String(128)))
