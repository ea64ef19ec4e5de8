"""Tries and open calls get rows, budgets their spending, hours their roll-ups; calls know plan and charges."""

import math
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"

_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_ROLLED = ("key", "plan", "model", "provider", "operation", "outcome")
_BUCKETS = ("latency_bucket", "ttft_bucket")
_ROWS = 1000
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables, and fill them from the calls."""
    _change_calls()
    _make_attempts()
    _make_ledger()
    _make_rollups()
    if op.get_bind().dialect.name == "sqlite":
        # No release kept its first version's calls elsewhere.
        _split_tries()
        _find_buckets()
        _roll_up()
    op.drop_column("calls", "tries")


def _change_calls() -> None:
    op.add_column("calls", sa.Column("plan", sa.String(128)))
    op.add_column("calls", sa.Column("price_version", sa.String(64)))
    op.add_column("calls", sa.Column("charges", sa.Text, nullable=False, server_default="[]"))
    for name in _BUCKETS:
        op.add_column("calls", sa.Column(name, sa.SmallInteger))
    op.drop_column("calls", "event")


def _make_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("call_id", sa.String(128), sa.ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("provider", sa.String(128), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("outcome", sa.String(128), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("started_ms", sa.Float),
        sa.Column("duration_ms", sa.Float, nullable=False),
        sa.Column("ttft_ms", sa.Float),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("cost_nano", sa.BigInteger),
        *(sa.Column(name, sa.SmallInteger) for name in _BUCKETS),
        sa.CheckConstraint(f"input_tokens BETWEEN 0 AND {10**12}", name="attempt_input_in_range"),
        sa.CheckConstraint(f"output_tokens BETWEEN 0 AND {10**12}", name="attempt_output_in_range"),
        sa.CheckConstraint(f"cost_nano BETWEEN 0 AND {10**15}", name="attempt_cost_in_range"),
        sqlite_with_rowid=False,
    )
    op.create_index("attempts_model", "attempts", ["model"])


def _make_ledger() -> None:
    op.create_table(
        "open_calls",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("run", sa.String(256), nullable=False),
        sa.Column("intent", sa.Text, nullable=False),
    )
    op.create_index("open_calls_run", "open_calls", ["run"])
    op.create_table(
        "budget_spend",
        sa.Column("subject", sa.String(256), primary_key=True),
        sa.Column("period", sa.String(16), primary_key=True),
        sa.Column("period_start", sa.BigInteger, primary_key=True),
        sa.Column("nano", sa.BigInteger, nullable=False),
        sa.CheckConstraint(f"nano BETWEEN 0 AND {9 * 10**18}", name="spend_in_range"),
        sqlite_with_rowid=False,
    )


def _make_rollups() -> None:
    op.create_table(
        "rollups",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("hour", sa.String(13), nullable=False),
        *(sa.Column(name, sa.String(256), nullable=False) for name in _ROLLED),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("calls", "unpriced", *_TOKENS, "cost_nano")
        ),
    )
    op.create_index("rollups_group", "rollups", ["hour", *_ROLLED], unique=True)
    op.create_table(
        "rollup_buckets",
        sa.Column("rollup", _ID, sa.ForeignKey("rollups.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("kind", sa.SmallInteger, primary_key=True),
        sa.Column("bucket", sa.SmallInteger, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _split_tries() -> None:
    # What a call has used, its only try has; of several tries nobody wrote it down.
    op.execute(
        """
        INSERT INTO attempts (call_id, position, provider, model, outcome, status, duration_ms,
                              input_tokens, output_tokens, cost_nano)
        SELECT calls.id, tried.key,
               substr(json_extract(tried.value, '$.provider'), 1, 128),
               substr(json_extract(tried.value, '$.model'), 1, 256),
               substr(json_extract(tried.value, '$.outcome'), 1, 128),
               json_extract(tried.value, '$.status'), json_extract(tried.value, '$.duration_ms'),
               CASE WHEN json_array_length(calls.tries) = 1 THEN calls.input_tokens END,
               CASE WHEN json_array_length(calls.tries) = 1 THEN calls.output_tokens END,
               CASE WHEN json_array_length(calls.tries) = 1 THEN calls.cost_nano END
        FROM calls, json_each(calls.tries) AS tried
        """
    )


def _find_buckets() -> None:
    _fill("calls", "latency_bucket", "duration_ms")
    _fill("calls", "ttft_bucket", "ttft_ms")
    _fill("attempts", "latency_bucket", "duration_ms")


def _fill(table: str, bucket: str, time: str) -> None:
    # Each time once: they have three digits after the point, so there are far fewer of them than calls.
    op.execute("CREATE TEMPORARY TABLE times (time REAL PRIMARY KEY, bucket INTEGER)")
    rows = sa.table(table, sa.column("outcome"), sa.column(time), sa.column(bucket))
    times = sa.table("times", sa.column("time"), sa.column("bucket"))
    done = sa.and_(rows.c.outcome == "success", rows.c[time].is_not(None))
    op.execute(sa.insert(times).from_select(["time"], sa.select(rows.c[time]).where(done).distinct()))
    for some in _pages(sa.text("SELECT time FROM times WHERE time > :last ORDER BY time LIMIT :some")):
        op.get_bind().execute(
            sa.text("UPDATE times SET bucket = :bucket WHERE time = :time"),
            [{"time": each, "bucket": _bucket(each)} for each in some],
        )
    found = sa.select(times.c.bucket).where(times.c.time == rows.c[time]).scalar_subquery()
    op.execute(sa.update(rows).where(rows.c.outcome == "success").values({bucket: found}))
    op.execute("DROP TABLE times")


def _pages(wanted: sa.TextClause) -> Iterator[list[float]]:
    last = -math.inf
    while found := list(op.get_bind().execute(wanted, {"last": last, "some": _ROWS}).scalars()):
        yield found
        last = found[-1]


def _bucket(milliseconds: float) -> int:
    if not milliseconds > 0:
        return -73
    return min(max(math.floor(math.log(milliseconds) / math.log(1.1)), -73), 240)


def _roll_up() -> None:
    # A client can make up names of models for ever, and roll-ups are kept.
    op.execute(
        """
        CREATE TEMPORARY VIEW grouped AS
        SELECT substr(timestamp, 1, 13) AS hour, coalesce(key, '') AS key, '' AS plan,
               CASE WHEN error_type = 'model_not_found' AND attempts = 0 THEN '' ELSE coalesce(model, '') END AS model,
               coalesce(provider, '') AS provider, operation, outcome, cost_nano IS NULL AND attempts > 0 AS unpriced,
               input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_nano,
               latency_bucket, ttft_bucket
        FROM calls
        """
    )
    op.execute(
        """
        INSERT INTO rollups (hour, key, plan, model, provider, operation, outcome, calls, unpriced, input_tokens,
                             output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_nano)
        SELECT hour, key, plan, model, provider, operation, outcome, count(*), sum(unpriced),
               sum(coalesce(input_tokens, 0)), sum(coalesce(output_tokens, 0)), sum(coalesce(cached_tokens, 0)),
               sum(coalesce(cache_write_tokens, 0)), sum(coalesce(reasoning_tokens, 0)), sum(coalesce(cost_nano, 0))
        FROM grouped GROUP BY hour, key, plan, model, provider, operation, outcome
        """
    )
    op.execute(
        """
        INSERT INTO rollup_buckets
        SELECT id, 0, latency_bucket, count(*)
        FROM grouped JOIN rollups USING (hour, key, plan, model, provider, operation, outcome)
        WHERE latency_bucket IS NOT NULL GROUP BY id, latency_bucket
        """
    )
    op.execute(
        """
        INSERT INTO rollup_buckets
        SELECT id, 1, ttft_bucket, count(*)
        FROM grouped JOIN rollups USING (hour, key, plan, model, provider, operation, outcome)
        WHERE ttft_bucket IS NOT NULL GROUP BY id, ttft_bucket
        """
    )
    op.execute("DROP VIEW grouped")
