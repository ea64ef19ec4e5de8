"""The composition root: builds everything that lives long, top to bottom, and takes it down in reverse."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx2
from structlog.typing import FilteringBoundLogger

from app.api.asgi import App, FrontHall
from app.api.calls import CallRooms, call_endpoints
from app.api.departure import Cancel, Drain, Policy
from app.api.pages import PageRooms, build_pages
from app.api.readiness import Readiness
from app.auth.keyring import KeyRing
from app.auth.principal import Principal
from app.auth.snapshot import StoredKeys
from app.config.activation import ActiveProvider
from app.config.allowances import Price
from app.config.loader import Loaded
from app.config.models import Config
from app.config.secret_files import CHECK_EVERY
from app.errors import GatewayError
from app.gateway.breaker_gate import BreakerGate
from app.gateway.breakers import Breakers
from app.gateway.client_limits import ClientLimits
from app.gateway.echo import EchoTransport
from app.gateway.forecast import Forecasts
from app.gateway.gateway import Gateway, Line
from app.gateway.inflight import InFlight
from app.gateway.notices import NoSender, Notices, Sender, Webhook
from app.gateway.pursuit import Patience
from app.gateway.retry import RetryBudget, attempts_of
from app.gateway.router import Router
from app.gateway.rules import BudgetRules, LimitRules
from app.gateway.spending import ClientBudgets, Prices, ProviderBudgets, Purse
from app.gateway.target_limits import TargetLimits
from app.gateway.transports import http_transport
from app.gateway.upstream import Upstream
from app.limits.memory import MemoryLimits
from app.store.calls import CallStore
from app.store.database import Database, StoreUnavailable, sqlite_path
from app.store.keys import KeyStore
from app.store.retention import OldRows
from app.store.spending import FOREVER, SpendStore
from app.telemetry.clock import Clock
from app.telemetry.logging import CallLines
from app.telemetry.metrics import Metrics
from app.telemetry.output import Output
from app.telemetry.record import CallRecord
from app.usage.budget_book import BudgetBook
from app.usage.budgets import Budget
from app.usage.ledger import Ledger
from app.usage.ledger_retention import let_go_of_old_rows
from app.usage.price_book import PriceBook
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter
from app.version import VERSION
from providers.types import Secret

CATCH_UP = 30.0
"""Seconds that shipping what dead runs have left may take before budgets are read."""
LEDGER_FLUSH = 10.0
"""Seconds that shipping the last records may take at the end. What is left is shipped at the next start."""
MASTER = "master"
"""The name under which calls with the master key are told of."""


def new_id() -> str:
    """Give a new unique id: 32 hex digits."""
    return os.urandom(16).hex()


@dataclass(frozen=True, slots=True)
class Running:
    """What `create_app` has built."""

    app: App
    refused: Callable[[str, GatewayError], None]
    """Tells of a request that the front door refused."""
    readiness: Readiness
    router: Router
    keys: KeyRing
    stored: StoredKeys
    key_store: KeyStore


@asynccontextmanager
async def create_app(loaded: Loaded, log: FilteringBoundLogger, out: Output) -> AsyncIterator[Running]:
    """Build the gateway for a configuration; leaving the context closes it, records first written.

    Raises `StoreUnavailable` where the database cannot be used.
    """
    config = loaded.config
    clock = Clock(time.time, time.monotonic)
    metrics = Metrics(VERSION)
    metrics.watch_output(lambda: out.dropped)
    lines = CallLines(out, level=config.logging.level)
    async with AsyncExitStack() as closing:
        database = Database(sqlite_path(config.storage))
        closing.push_async_callback(database.close)
        calls = CallStore(database)
        spool = Spool(database.path.parent / "spool", f"{time.time_ns()}-{os.getpid()}-{new_id()[:8]}", log)
        writer = LedgerWriter(calls, spool, log)
        writer.start()
        closing.push_async_callback(writer.close, LEDGER_FLUSH)
        _watch_ledger(metrics, spool, writer)
        ledger = Ledger(spool, writer.wake)

        key_store = KeyStore(database)
        keys = KeyRing(_configured_keys(config), clock.wall)
        stored = StoredKeys(key_store, keys, log)
        try:
            await stored.refresh()
        except StoreUnavailable as error:
            # With keys of the configuration it can serve; records wait in the spool until the store is back.
            if not keys.has_configured():
                raise
            log.error("stored_keys_unavailable", reason=str(error))
        if loaded.secret_files:
            _run_beside(_reread(keys), "configured-keys", closing)
        _run_beside(stored.follow(), "stored-keys", closing)

        tls = ssl.create_default_context()
        lines_out = {provider.name: _line(provider, tls) for provider in loaded.providers}
        for line in lines_out.values():
            closing.push_async_callback(line.upstream.close)

        notices = Notices(log, metrics, _sender(config, tls, log, closing), clock.wall)
        price_book = PriceBook({name: _stated(each.prices) for name, each in config.providers.items()})
        _run_beside(asyncio.to_thread(price_book.load), "prices", closing)
        prices = Prices(price_book, clock)
        budget_rules = BudgetRules(config)
        budgets = BudgetBook()
        await writer.catch_up(CATCH_UP)
        await _seed(budgets, budget_rules.known(keys.principals()), SpendStore(database), clock.wall(), log)
        purse = Purse(budgets, prices, notices, clock, unknown_price=config.ledger.unknown_price)

        if config.ledger.retention:
            days = config.ledger.retention / 86_400
            old = let_go_of_old_rows(OldRows(database), days, clock.wall, log)
            _run_beside(old, "retention", closing)
        breakers = Breakers({each.name: each.breaker for each in loaded.providers}, random.random)
        metrics.watch_breakers(lambda: breakers.standings(clock.monotonic()))
        limit_rules, meters, forecasts = LimitRules(config), MemoryLimits(), Forecasts()
        router = Router(loaded.providers, config.chains)
        gateway = Gateway(
            router=router,
            lines=lines_out,
            guards=[
                InFlight(metrics),
                ClientLimits(limit_rules, meters, forecasts, clock),
                ClientBudgets(budget_rules, purse),
            ],
            gates=[
                BreakerGate(breakers, clock),
                TargetLimits(limit_rules, meters, clock),
                ProviderBudgets(budget_rules, purse),
            ],
            forecasts=forecasts,
            prices=prices,
            ledger=ledger,
            max_attempts=lambda model, targets: attempts_of(_max_attempts(config, model), targets),
            random=random.random,
        )

        readiness = Readiness()

        def tell(record: CallRecord) -> None:
            lines.write(record)
            metrics.observe(record)

        rooms = CallRooms(
            gateway=gateway,
            keys=keys,
            clock=clock,
            new_id=new_id,
            on_finish=tell,
            max_body=config.server.max_body,
            stream_commit=config.server.stream_commit,
            on_departure=_departure_policy(config),
        )
        pages = PageRooms(
            router=router,
            keys=keys,
            metrics=metrics,
            metrics_token=config.metrics.token,
            ready=readiness.is_ready,
            breakers=breakers,
            clock=clock,
            version=VERSION,
        )

        def refused(request_id: str, error: GatewayError) -> None:
            metrics.count_refusal(error.code)
            log.warning("refused", request_id=request_id, status=error.http_status, code=error.code)

        hall = FrontHall(call_endpoints(rooms), build_pages(pages), new_id, log)
        yield Running(hall, refused, readiness, router, keys, stored, key_store)


def _watch_ledger(metrics: Metrics, spool: Spool, writer: LedgerWriter) -> None:
    metrics.watch_ledger(
        pending=lambda: spool.pending,
        lost=lambda: spool.lost,
        shipped=lambda: writer.shipped,
        rejected=lambda: writer.rejected,
        interrupted=lambda: writer.interrupted,
        store_up=lambda: not writer.store_is_down,
    )


async def _seed(
    book: BudgetBook, budgets: Sequence[Budget], spending: SpendStore, now: float, log: FilteringBoundLogger
) -> None:
    """Tell each budget what its running period has spent, as the ledger has it."""
    running = {(b.subject, b.period.kind.value, b.period.start(now)): b for b in budgets}
    # What counts for good is given in any case; asking for it from its start would read all that there is.
    starts = [start for _, kind, start in running if kind != FOREVER]
    try:
        found = await spending.spend(
            sorted({budget.subject for budget in budgets}), min(starts, default=int(now))
        )
    except StoreUnavailable as error:
        if any(budget.mode == "strict" for budget in budgets):
            # Its promise is void as long as nobody knows what has been spent.
            raise
        log.error("budgets_not_seeded", reason=str(error))
        return
    for charge in found:
        key = (charge.subject, charge.period, charge.period_start)
        if budget := running.get(key):
            book.seed(budget, charge.period_start, charge.nano)


def _sender(
    config: Config, tls: ssl.SSLContext, log: FilteringBoundLogger, closing: AsyncExitStack
) -> Sender:
    url = config.notifications.webhook
    if url is None:
        return NoSender()
    transport = http_transport(tls, allow_private=config.notifications.allow_private)
    closing.push_async_callback(transport.aclose)
    webhook = Webhook(url, transport, log)
    _run_beside(webhook.post_always(), "webhook", closing)
    return webhook


def _stated(prices: Mapping[str, Price]) -> dict[str, Mapping[str, str]]:
    return {pattern: price.stated for pattern, price in prices.items()}


def _run_beside(work: Coroutine[None, None, None], name: str, closing: AsyncExitStack) -> None:
    """Run a task as long as the gateway is open."""
    task = asyncio.get_running_loop().create_task(work, name=name)

    async def stop() -> None:
        task.cancel()
        await asyncio.wait([task])

    closing.push_async_callback(stop)


def _configured_keys(config: Config) -> list[tuple[Secret, Principal]]:
    keys = [
        (
            key.key,
            Principal(
                key.name,
                key.models,
                key.expires.timestamp() if key.expires else None,
                key.plan,
                key.priority,
                metadata=dict(key.metadata),
            ),
        )
        for key in config.auth.keys
    ]
    master = config.auth.master_key
    return [*keys, (master, Principal(MASTER, is_master=True))] if master else keys


def _departure_policy(config: Config) -> Policy:
    if config.ledger.disconnect == "cancel":
        return Cancel()
    return Drain(config.ledger.drain_for, config.ledger.max_drains)


async def _reread(keys: KeyRing) -> None:
    """Follow the files that hold configured keys."""
    while True:
        await asyncio.sleep(CHECK_EVERY)
        keys.read_configured()


def _line(provider: ActiveProvider, tls: ssl.SSLContext) -> Line:
    transport = _TRANSPORTS[provider.transport](provider, tls)
    upstream = Upstream(transport, connect=provider.timeouts.connect)
    return Line(upstream, provider.timeouts, Patience(provider.retry, RetryBudget()))


def _max_attempts(config: Config, model: str) -> int | None:
    settings = config.models.get(model)
    return settings.max_attempts if settings else None


_TRANSPORTS: dict[str, Callable[[ActiveProvider, ssl.SSLContext], httpx2.AsyncBaseTransport]] = {
    "http": lambda provider, tls: http_transport(tls, allow_private=provider.allow_private),
    "embedded": lambda _, __: EchoTransport(),
}
