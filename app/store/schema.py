"""The tables."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    event,
)

SCHEMA_VERSION = 5
"""Goes up with every migration, and is the number of the last one."""
TOKEN_LIMIT = 10**12
"""Tokens of one call. Far above any model's, far below where a sum of many calls overflows."""
COST_LIMIT = 10**15
"""Nano-dollars of one call: a million dollars."""
SPEND_LIMIT = 9 * 10**18
"""Nano-dollars of one period: nine billion dollars, the most that 64 bits hold."""

_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_BUCKETS = ("latency_bucket", "ttft_bucket")

ROLLED = ("key", "plan", "model", "provider", "operation", "outcome")
"""Columns of a call that are the same in all of one roll-up."""
COUNTED = ("calls", "unpriced", *_TOKENS)

RollupId = BigInteger().with_variant(Integer, "sqlite")
"""PostgreSQL uses a number up for each row that is added to, so there are many; SQLite makes them of an Integer alone."""

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))
"""What each start looks at. Releases without migrations look at it too, and so refuse what they do not know."""

calls = Table(
    "calls",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("request_id", String(128), nullable=False),
    Column("timestamp", String(32), nullable=False),
    Column("level", String(16), nullable=False),
    Column("key", String(128)),
    Column("user", String(256)),
    Column("team", String(128)),
    Column("method", String(16), nullable=False),
    Column("path", String(256), nullable=False),
    Column("operation", String(32), nullable=False),
    Column("status", Integer, nullable=False),
    Column("model", String(256)),
    Column("provider", String(128)),
    Column("upstream_model", String(256)),
    Column("attempts", Integer, nullable=False),
    Column("fallback", Boolean, nullable=False),
    Column("cache", String(32)),
    Column("stream", Boolean, nullable=False),
    *(Column(name, BigInteger) for name in _TOKENS),
    Column("usage_source", String(16), nullable=False),
    Column("cost_nano", BigInteger),
    Column("ttft_ms", Float),
    Column("duration_ms", Float, nullable=False),
    Column("upstream_ms", Float, nullable=False),
    Column("overhead_ms", Float, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("error_type", String(128)),
    Column("tags", Text, nullable=False),
    Column("plan", String(128)),
    Column("price_version", String(64)),
    Column("charges", Text, nullable=False, server_default="[]"),
    *(Column(name, SmallInteger) for name in _BUCKETS),
    Column("organisation", String(128)),
    *(CheckConstraint(f"{name} BETWEEN 0 AND {TOKEN_LIMIT}", name=f"{name}_in_range") for name in _TOKENS),
    CheckConstraint(f"cost_nano BETWEEN 0 AND {COST_LIMIT}", name="cost_in_range"),
    Index("calls_timestamp", "timestamp"),
    Index("calls_request_id", "request_id"),
    Index("calls_key", "key", "timestamp"),
    Index("calls_model", "model", "timestamp"),
)
"""One row a call, by its own id: a client may send a request id twice. A null cost is an unknown one; `tags` and `charges` are JSON."""

attempts = Table(
    "attempts",
    metadata,
    Column("call_id", String(128), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("provider", String(128), nullable=False),
    Column("model", String(256), nullable=False),
    Column("outcome", String(128), nullable=False),
    Column("status", Integer),
    Column("started_ms", Float),
    Column("duration_ms", Float, nullable=False),
    Column("ttft_ms", Float),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cost_nano", BigInteger),
    *(Column(name, SmallInteger) for name in _BUCKETS),
    CheckConstraint(f"input_tokens BETWEEN 0 AND {TOKEN_LIMIT}", name="attempt_input_in_range"),
    CheckConstraint(f"output_tokens BETWEEN 0 AND {TOKEN_LIMIT}", name="attempt_output_in_range"),
    CheckConstraint(f"cost_nano BETWEEN 0 AND {COST_LIMIT}", name="attempt_cost_in_range"),
    Index("attempts_model", "model"),
    sqlite_with_rowid=False,
)
"""One row a try of a target, from position 0 on. It goes with its call."""

open_calls = Table(
    "open_calls",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("run", String(256), nullable=False),
    Column("intent", Text, nullable=False),
    Index("open_calls_run", "run"),
)
"""Calls whose begin is shipped and whose end is not, by the run that writes them; `intent` is JSON."""

budget_spend = Table(
    "budget_spend",
    metadata,
    Column("subject", String(256), primary_key=True),
    Column("period", String(16), primary_key=True),
    Column("period_start", BigInteger, primary_key=True),
    Column("nano", BigInteger, nullable=False),
    CheckConstraint(f"nano BETWEEN 0 AND {SPEND_LIMIT}", name="spend_in_range"),
    sqlite_with_rowid=False,
)
"""What the calls have charged to each budget: nano-dollars a period, whose start is in Unix seconds."""

rollups = Table(
    "rollups",
    metadata,
    Column("id", RollupId, primary_key=True),
    Column("hour", String(13), nullable=False),
    *(Column(name, String(256), nullable=False) for name in ROLLED),
    *(Column(name, BigInteger, nullable=False) for name in (*COUNTED, "cost_nano")),
    Index("rollups_group", "hour", *ROLLED, unique=True),
)
"""The calls of an hour (`2026-11-20T10`, UTC), counted by what they have in common; an empty text is none."""

rollup_buckets = Table(
    "rollup_buckets",
    metadata,
    Column("rollup", RollupId, ForeignKey("rollups.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", SmallInteger, primary_key=True),
    Column("bucket", SmallInteger, primary_key=True),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Histograms of a roll-up's successful calls: of kind 0 the latency, of kind 1 the time to first byte."""

keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(128), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(4), nullable=False),
    Column("models", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float),
    Column("revoked", Float),
    Column("metadata", Text, nullable=False),
    Column("user", String(256)),
    Column("team", String(128)),
    Column("plan", String(128)),
    Column("priority", String(16)),
    *(Column(name, Text) for name in ("regions", "limits", "budget", "roles")),
    Column("previous", String(64)),
    Column("previous_until", Float),
    CheckConstraint("length(digest) = 64", name="digest_is_sha256"),
    CheckConstraint("length(name) BETWEEN 1 AND 128", name="name_has_a_length"),
    sqlite_autoincrement=True,
)
"""Clients' keys, by digest alone; `previous` is the one that a rotation replaced. Times in Unix seconds.

`models`, `metadata`, `regions`, `limits`, `budget` and `roles` are JSON.
"""

Index(
    "keys_live_name",
    keys.c.name,
    unique=True,
    sqlite_where=keys.c.revoked.is_(None),
).ddl_if(dialect="sqlite")
# Said in words: naming it beside the other would load the whole of that dialect wherever tables are known.
_IN_POSTGRESQL = DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it without types
    "CREATE UNIQUE INDEX keys_live_name ON keys (name) WHERE revoked IS NULL"
)
event.listen(keys, "after_create", _IN_POSTGRESQL.execute_if(dialect="postgresql"))

credentials = Table(
    "credentials",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("provider", String(128), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("hint", String(4), nullable=False),
    Column("weight", Integer, nullable=False),
    Column("models", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("created_by", String(256), nullable=False),
    Column("changed", Float, nullable=False),
    sqlite_autoincrement=True,
)
"""Providers' credentials, sealed with a key that is not here. `models` is JSON. Times in Unix seconds."""

FOLLOWED = (keys.name, credentials.name)
"""Tables whose changes are counted in `changes`."""

audit = Table(
    "audit",
    metadata,
    Column("id", RollupId, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("actor", String(256), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", String(256), nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("request_id", String(128)),
    Index("audit_at", "at"),
    sqlite_autoincrement=True,
)
"""Who changed what. `at` in Unix seconds; `before` and `after` are JSON, without anything secret."""

changes = Table(
    "changes",
    metadata,
    Column("subject", String(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
)
"""How often a table was changed: what a poller looks at."""

spools = Table(
    "spools",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("shipped", BigInteger, nullable=False),
)
"""Byte offset up to which a spool file's records are in `calls`."""
