"""Keys of the database carry all that configured ones do, can be rotated, and changes are told of in `audit`."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"

_TEXTS = ("regions", "limits", "budget", "roles")
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the columns, and make the table."""
    for name, length in (("user", 256), ("team", 128), ("plan", 128), ("priority", 16)):
        op.add_column("keys", sa.Column(name, sa.String(length)))
    for name in _TEXTS:
        op.add_column("keys", sa.Column(name, sa.Text))
    op.add_column("keys", sa.Column("previous", sa.String(64)))
    op.add_column("keys", sa.Column("previous_until", sa.Float))
    op.create_table(
        "audit",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(256), nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("request_id", sa.String(128)),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_at", "audit", ["at"])
