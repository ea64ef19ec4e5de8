"""The tables, and how an empty database gets them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
)
from sqlalchemy.schema import CreateTable

SCHEMA_VERSION = 1
"""Goes up with every change of a table."""
TOKEN_LIMIT = 10**12
"""Tokens of one call. Far above any model's, far below where a sum of many calls overflows."""
COST_LIMIT = 10**15
"""Nano-dollars of one call: a million dollars."""

_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

calls = Table(
    "calls",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("request_id", String(128), nullable=False),
    Column("timestamp", String(32), nullable=False),
    Column("level", String(16), nullable=False),
    Column("event", String(32), nullable=False),
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
    Column("tries", Text, nullable=False),
    *(CheckConstraint(f"{name} BETWEEN 0 AND {TOKEN_LIMIT}", name=f"{name}_in_range") for name in _TOKENS),
    CheckConstraint(f"cost_nano BETWEEN 0 AND {COST_LIMIT}", name="cost_in_range"),
    Index("calls_timestamp", "timestamp"),
    Index("calls_request_id", "request_id"),
    Index("calls_key", "key", "timestamp"),
    Index("calls_model", "model", "timestamp"),
)
"""One row a call, by its own id: a client may send a request id twice. A null cost is an unknown one; `tags` and `tries` are JSON."""

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
    CheckConstraint("length(digest) = 64", name="digest_is_sha256"),
    CheckConstraint("length(name) BETWEEN 1 AND 128", name="name_has_a_length"),
    sqlite_autoincrement=True,
)
"""Clients' keys, by digest alone. Times in Unix seconds; `models` and `metadata` are JSON."""

Index(
    "keys_live_name",
    keys.c.name,
    unique=True,
    sqlite_where=keys.c.revoked.is_(None),
    postgresql_where=keys.c.revoked.is_(None),
)

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


class SchemaTooNew(Exception):
    """A newer release has written this database."""


def create_schema(connection: Connection) -> None:
    """Make the tables where there are none. Raises `SchemaTooNew`.

    Run it inside a transaction that excludes other writers.
    """
    connection.execute(CreateTable(schema_version, if_not_exists=True))
    found = connection.execute(select(schema_version.c.version)).scalar()
    if found is not None and found > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"the database has schema version {found} and this release knows versions up to {SCHEMA_VERSION}: "
            "run the release that wrote it, or a newer one, or set `storage` to another file"
        )
    metadata.create_all(connection)
    if found is None:
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
        connection.execute(insert(changes).values(subject=keys.name, count=0))
