"""The tables of release 0.1.0."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None

_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")


def upgrade() -> None:
    """Make the tables."""
    op.create_table("schema_version", sa.Column("version", sa.Integer, nullable=False))
    _make_calls()
    _make_keys()
    op.create_table(
        "changes",
        sa.Column("subject", sa.String(32), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "spools",
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("shipped", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO schema_version (version) VALUES (1)")
    op.execute("INSERT INTO changes (subject, count) VALUES ('keys', 0)")


def _make_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("timestamp", sa.String(32), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("key", sa.String(128)),
        sa.Column("user", sa.String(256)),
        sa.Column("team", sa.String(128)),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("path", sa.String(256), nullable=False),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("model", sa.String(256)),
        sa.Column("provider", sa.String(128)),
        sa.Column("upstream_model", sa.String(256)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("fallback", sa.Boolean, nullable=False),
        sa.Column("cache", sa.String(32)),
        sa.Column("stream", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.BigInteger) for name in _TOKENS),
        sa.Column("usage_source", sa.String(16), nullable=False),
        sa.Column("cost_nano", sa.BigInteger),
        sa.Column("ttft_ms", sa.Float),
        sa.Column("duration_ms", sa.Float, nullable=False),
        sa.Column("upstream_ms", sa.Float, nullable=False),
        sa.Column("overhead_ms", sa.Float, nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("error_type", sa.String(128)),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("tries", sa.Text, nullable=False),
        *(sa.CheckConstraint(f"{name} BETWEEN 0 AND {10**12}", name=f"{name}_in_range") for name in _TOKENS),
        sa.CheckConstraint(f"cost_nano BETWEEN 0 AND {10**15}", name="cost_in_range"),
    )
    op.create_index("calls_timestamp", "calls", ["timestamp"])
    op.create_index("calls_request_id", "calls", ["request_id"])
    op.create_index("calls_key", "calls", ["key", "timestamp"])
    op.create_index("calls_model", "calls", ["model", "timestamp"])


def _make_keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("hint", sa.String(4), nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("expires", sa.Float),
        sa.Column("revoked", sa.Float),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.CheckConstraint("length(digest) = 64", name="digest_is_sha256"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 128", name="name_has_a_length"),
        sqlite_autoincrement=True,
    )
    live = sa.text("revoked IS NULL")
    op.create_index("keys_live_name", "keys", ["name"], unique=True, sqlite_where=live, postgresql_where=live)
