from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.config.storage import Storage
from app.store.database import Database
from app.telemetry.record import AttemptRecord, CallRecord, Charge, Intent


def _make(id: str, **changes: object) -> CallRecord:
    fields = {
        "id": id,
        "timestamp": "2026-11-20T10:00:00.250000Z",
        "request_id": f"req-{id}",
        "key": "ci",
        "method": "POST",
        "path": "/v1/chat/completions",
        "operation": "chat",
        "status": 200,
        "model": "fast",
        "provider": "acme",
        "upstream_model": "large",
        "attempts": 1,
        "fallback": False,
        "stream": True,
        "input_tokens": 10,
        "output_tokens": 20,
        "cached_tokens": 4,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "usage_source": "provider",
        "cost": "0.00123",
        "cost_nano": 1_230_000,
        "ttft_ms": 100.0,
        "duration_ms": 200.0,
        "upstream_ms": 190.0,
        "overhead_ms": 1.0,
        "outcome": "success",
        "error_type": None,
        "tags": {"project": "a"},
        "tries": [
            AttemptRecord(
                provider="acme",
                model="large",
                outcome="success",
                status=200,
                started_ms=0.5,
                duration_ms=190.0,
                ttft_ms=99.0,
                input_tokens=10,
                output_tokens=20,
                cost_nano=1_230_000,
            )
        ],
    }
    return CallRecord(**(fields | changes))


def _intend(id: str, **changes: object) -> Intent:
    fields = {
        "id": id,
        "timestamp": "2026-11-20T09:59:59.750000Z",
        "request_id": f"req-{id}",
        "key": "ci",
        "plan": "small",
        "method": "POST",
        "path": "/v1/chat/completions",
        "operation": "chat",
        "model": "fast",
        "stream": True,
        "input_tokens": 12,
        "charges": [Charge(subject="key:ci", period="day", period_start=1795132800, nano=5_000_000)],
        "tags": {"project": "a"},
    }
    return Intent(**(fields | changes))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The `storage` of a new database, of each kind; without the longer suite of SQLite alone."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a.db"
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """A new database of each kind, that gets its tables at its first use."""
    database = Database.at(Storage.of(store_url))
    yield database
    await database.close()


@pytest.fixture(scope="session")
def make_intent() -> Callable[..., Intent]:
    return _intend


@pytest.fixture(scope="session")
def make_record() -> Callable[..., CallRecord]:
    return _make
