"""The pages of a gateway in this process, over a real database, with a key for every role."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import structlog
from prometheus_client import CollectorRegistry

from app.api.admin import AdminRooms
from app.api.admin_accounts import AccountRooms
from app.api.admin_credentials import CredentialRooms
from app.api.admin_keys import KeyRooms
from app.api.callers import Callers
from app.api.departure import Cancel
from app.api.pages import PageRooms, build_pages
from app.api.readiness import Readiness
from app.api.snapshot import Current, Snapshot
from app.assembly import configured_keys
from app.auth.authenticator import Authenticator
from app.auth.directory import Directory
from app.auth.failures import Failures
from app.auth.freshness import Freshness
from app.auth.keyring import KeyRing
from app.auth.snapshot import StoredKeys
from app.auth.tokens import Tokens
from app.auth.upstream.stored import StoredCredentials
from app.config.loader import load
from app.config.models import Config
from app.gateway.breakers import Breakers
from app.gateway.credential_pool import Credentials
from app.gateway.model_lists import ModelLists
from app.store.audit import AuditStore
from app.store.calls import CallStore
from app.store.credentials import CredentialStore
from app.store.database import Database
from app.store.keys import KeyStore
from app.telemetry.clock import Clock
from app.telemetry.metrics import Metrics
from app.telemetry.model_counts import ModelCounts
from app.usage.budget_book import BudgetBook
from app.usage.budgets import Budget
from app.usage.local_budgets import LocalBudgets
from app.workers.fellows import Fellows

ROLES: dict[str, dict[str, Any]] = {
    "nobody": {},
    "admin": {"roles": ["admin"]},
    "operator": {"roles": ["operator"]},
    "viewer": {"roles": ["viewer"]},
    "team_admin": {"roles": ["team_admin"], "team": "red"},
    "teamless": {"roles": ["team_admin"]},
    "stranger": {"roles": ["root", "master"]},
    "bound": {
        "roles": ["admin"],
        "models": ["fast", "openai/*"],
        "regions": ["eu"],
        "plan": "small",
        "limits": {"rpm": "10"},
        "budget": {"amount": "5", "per": "day"},
        "expires": "2090-01-01",
    },
}
"""What each caller's key says. `stranger` has roles that only a token can name."""
CONFIG: dict[str, Any] = {
    "admin": {"rate_limit": "1000000/minute"},
    "plans": {"small": {"limits": {"tpm": "1000"}}, "large": {"limits": {"tpm": "9000"}}},
    "organisations": {"acme": {}},
    "teams": {"red": {"organisation": "acme", "models": ["openai/*", "fast"]}, "blue": {}},
    "users": {"ann": {"team": "red"}, "bob": {"team": "blue"}, "off": {"disabled": "true"}},
}
ENCRYPTION_KEY = base64.b64encode(bytes(range(32))).decode()


def key_of(name: str) -> str:
    return f"sk-office-{name}-0123456789abcdef"


class Reloads:
    rejected = False
    changes = ("server.port",)
    restart_needed = ()

    async def reload(self, cause: str) -> Reloads:
        return self


class Office:
    def __init__(self, database: Database, **config: Any) -> None:
        keys = [{"name": name, "key": key_of(name), **more} for name, more in ROLES.items()]
        keys = [key if key["name"] != "stranger" else {**key, "roles": []} for key in keys]
        auth = {"master_key": key_of("master"), "keys": keys, "max_failures": "1000000"}
        self.config = Config.model_validate({**CONFIG, "auth": auth, **config})
        self.clock = Clock(time.time, time.monotonic)
        self.log = structlog.get_logger()
        self.fellows = Fellows("", 1, self.log)
        self.store = KeyStore(database)
        self.credential_store = CredentialStore(database)
        self.stored_credentials = StoredCredentials(self.credential_store, self.log)
        self.loaded = load([Path(os.devnull)], {"SWITCHGEAR_ENCRYPTION__KEYS": ENCRYPTION_KEY}, {})
        self.audit = AuditStore(database)
        self.budgets = LocalBudgets(BudgetBook(), _nothing_spent)
        self.ring = KeyRing(configured_keys(self.config), time.time)
        directory, freshness = Directory(self.config), Freshness(10.0, time.monotonic)
        self.stored = StoredKeys(self.store, self.ring, directory, freshness, self.log)
        self.failures = Failures(self.config.auth.max_failures)
        tokens = Tokens((), {}, directory, time.time)
        callers = Callers(
            Authenticator(self.ring, tokens),
            self.failures,
            self.config.server.trusted_proxies,
            time.monotonic,
        )
        snapshot = Snapshot(self.config, None, None, callers, Cancel())
        self.current = Current(snapshot)
        reloads: Any = Reloads()
        self.pages = build_pages(
            PageRooms(
                current=self.current,
                metrics=Metrics("test"),
                readiness=Readiness(),
                reloader=reloads,
                fellows=self.fellows,
                state_is_lost=lambda: False,
                admin=self.rooms(reloads, database),
                clock=self.clock,
                version="test",
            )
        )
        transport = httpx2.ASGITransport(self.pages, raise_app_exceptions=False)
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://gateway.test")

    def rooms(self, reloads: Any, database: Database) -> AdminRooms:
        return AdminRooms(
            breakers=Breakers({}, lambda: 0.5),
            credentials=Credentials((), lambda: 0.5),
            model_lists=ModelLists(self.log, ModelCounts(CollectorRegistry()), lambda: 0.5),
            reloads=reloads,
            keys=KeyRooms(self.store, self.stored, self.fellows, self.clock, self.log),
            stored_credentials=CredentialRooms(
                self.credential_store,
                self.stored_credentials,
                self.fellows,
                lambda: self.loaded,
                self.clock,
                self.log,
            ),
            accounts=AccountRooms(CallStore(database), self.budgets, self.ring, self.audit, self.clock),
            fellows=self.fellows,
            clock=self.clock,
            log=self.log,
        )

    async def ask(self, who: str | None, method: str, path: str, body: Any = None) -> httpx2.Response:
        """Send a request with the key of a caller, or with none."""
        headers = {} if who is None else {"authorization": f"Bearer {key_of(who)}"}
        return await self.client.request(method, f"/admin/v1{path}", json=body, headers=headers)

    async def make(self, who: str, name: str, **settings: Any) -> dict[str, Any]:
        """Make a key that may be made."""
        answer = await self.ask(who, "POST", "/keys", {"name": name, **settings})
        assert answer.status_code == 201, answer.text
        return answer.json()


@asynccontextmanager
async def open_office(database: Database, **config: Any) -> AsyncIterator[Office]:
    """Open it with a configuration laid over the usual one."""
    office = Office(database, **config)
    async with office.client:
        yield office


async def _nothing_spent(_book: BudgetBook, _budgets: Sequence[Budget]) -> None:
    """Leave a book as it is."""
