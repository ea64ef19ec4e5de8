"""The composition root: builds everything that lives long, top to bottom, and takes it down in reverse."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from app.api.admin import AdminRooms
from app.api.admin_accounts import AccountRooms
from app.api.admin_credentials import CredentialRooms
from app.api.admin_keys import KeyRooms
from app.api.asgi import App, FrontHall
from app.api.calls import CallRooms
from app.api.endpoints import CallEndpoints
from app.api.pages import PageRooms, build_pages
from app.api.porter import Porter
from app.api.readiness import Readiness
from app.api.snapshot import Current
from app.assembly import Lasting, assemble, configured_keys
from app.auth.directory import Directory
from app.auth.freshness import Freshness
from app.auth.keyring import KeyRing
from app.auth.principal import Principal
from app.auth.snapshot import StoredKeys
from app.auth.upstream.stored import StoredCredentials
from app.config.activation import ActiveProvider
from app.config.loader import DEFAULT_FILE, Loaded
from app.config.models import Config
from app.config.pool import Tls
from app.config.secret_files import CHECK_EVERY
from app.config.tls import TlsContexts
from app.deployment import Deployment, direct
from app.errors import GatewayError
from app.gateway.authorized import authorized
from app.gateway.balancing import watched
from app.gateway.breakers import Breakers
from app.gateway.carrier import Carrier
from app.gateway.credential_pool import Credentials
from app.gateway.documents import key_sources
from app.gateway.echo import EchoTransport
from app.gateway.entrance import Entrance, capacity_of
from app.gateway.forecast import Forecasts
from app.gateway.hedge import Hedges
from app.gateway.loads import Loads
from app.gateway.lobby import Lobby
from app.gateway.mirror import Copies
from app.gateway.model_asking import keep_fresh
from app.gateway.model_lists import ModelLists
from app.gateway.notices import Notices, Webhook
from app.gateway.pulse import watch_loop, watch_memory
from app.gateway.rules import BudgetRules
from app.gateway.seeding import Seeding
from app.gateway.through_httpx import HttpxCarrier
from app.gateway.transports import carrier
from app.gateway.upstream import Upstream
from app.gateway.upstreams import Upstreams
from app.keeping import Surroundings, keep
from app.reloading import Reloader
from app.store.audit import AuditStore
from app.store.calls import CallStore
from app.store.credentials import CredentialStore
from app.store.database import Database, StoreUnavailable
from app.store.keys import KeyStore
from app.store.retention import OldChanges, OldRows
from app.store.spending import SpendStore
from app.telemetry.callers import AgeCollector
from app.telemetry.clock import Clock
from app.telemetry.credential_metrics import UnopenedCollector
from app.telemetry.ids import Ids
from app.telemetry.logging import CallLines, configure
from app.telemetry.metrics import Metrics
from app.telemetry.model_counts import ModelCounts
from app.telemetry.output import Output
from app.telemetry.record import CallRecord
from app.telemetry.refusals import Refusals
from app.telemetry.shortcuts import Shortcuts
from app.usage.ledger import Ledger
from app.usage.ledger_retention import Kept, let_go_of_old_rows
from app.usage.price_data import PriceData
from app.usage.spool import Spool
from app.usage.writer import LedgerWriter
from app.version import VERSION
from app.workers.fellows import Fellows

CATCH_UP = 30.0
"""Seconds that shipping what dead runs have left may take before budgets are read."""
LEDGER_FLUSH = 2.0
"""Seconds that shipping the last records may take at the end. What is left is shipped at the next start."""


@dataclass(frozen=True, slots=True)
class Running:
    """What `create_app` has built."""

    app: App
    refused: Callable[[str, GatewayError], None]
    """Tells of a request that the front door refused."""
    porter: Porter
    readiness: Readiness
    current: Current
    keys: KeyRing
    stored: StoredKeys
    key_store: KeyStore
    at_work: Loaded
    """The configuration, with the credentials that the database held at the start."""
    reloader: Reloader
    deployment: Deployment


@asynccontextmanager
async def create_app(
    loaded: Loaded, read: Callable[[], Loaded], log: FilteringBoundLogger, out: Output, fellows: Fellows
) -> AsyncIterator[Running]:
    """Build the gateway for a configuration; `read` reads it anew, `fellows` are the other workers. Leaving the context closes it, records first written.

    Raises `StoreUnavailable` where the database cannot be used.
    """
    config = loaded.config
    clock = Clock(time.time, time.monotonic)
    new_id = Ids(os.urandom)
    metrics = Metrics(VERSION)
    shortcuts = Shortcuts(metrics.registry)
    metrics.watch_output(lambda: out.dropped)
    metrics.watch_tasks(lambda: len(asyncio.all_tasks()))
    lines = CallLines(out, level=config.logging.level)
    async with AsyncExitStack() as closing:
        database = Database.at(config.storage)
        closing.push_async_callback(database.close)
        spool = Spool(config.spool_folder, f"{time.time_ns()}-{os.getpid()}-{new_id()[:8]}", log)
        writer = LedgerWriter(CallStore(database), spool, log)
        writer.start()
        closing.push_async_callback(writer.close, LEDGER_FLUSH)
        _watch_ledger(metrics, spool, writer)

        key_store = KeyStore(database)
        freshness = Freshness(config.auth.stale_after, clock.monotonic)
        keys = KeyRing(configured_keys(config), clock.wall, freshness.is_stale)
        stored = StoredKeys(key_store, keys, Directory(config), freshness, log)
        credential_store = CredentialStore(database)
        stored_credentials = StoredCredentials(credential_store, log)
        try:
            await stored.refresh()
            await stored_credentials.refresh()
        except StoreUnavailable as error:
            # With keys of the configuration, or with tokens, it can serve; records wait in the spool until the store is back.
            if not (keys.has_configured() or config.auth.jwt):
                raise
            log.error("stored_keys_unavailable", reason=str(error))
        _run_beside(_reread(keys), "configured-keys", closing)
        _run_beside(stored.follow(), "stored-keys", closing)

        at_work = stored_credentials.over(loaded)
        metrics.registry.register(UnopenedCollector(lambda: len(stored_credentials.unopened)))
        tls = TlsContexts()
        upstreams = Upstreams(lambda provider: _upstream(provider, tls, clock, log))
        closing.push_async_callback(upstreams.close)
        webhook = Webhook(log)
        closing.push_async_callback(webhook.close)
        await direct(webhook, config.notifications, tls)
        _run_beside(webhook.post_always(), "webhook", closing)
        price_data = PriceData()
        _run_beside(asyncio.to_thread(price_data.load), "prices", closing)
        breakers = Breakers({each.name: each.breaker for each in at_work.providers}, random.random)
        metrics.watch_breakers(lambda: breakers.standings(clock.monotonic()))
        credentials = Credentials(at_work.providers, random.random)
        metrics.watch_credentials(lambda: credentials.standings(clock.monotonic()))
        loads = Loads()
        loads.configure(watched(config.models.values()))
        copies = Copies(metrics.count_dropped_copy, log)
        closing.push_async_callback(copies.close)
        model_lists = ModelLists(log, ModelCounts(metrics.registry), random.random)
        model_lists.configure(loaded.providers, config.model_lists.refresh, clock.monotonic())
        issuers = await closing.enter_async_context(key_sources(tls.of(Tls()), clock.monotonic, log))
        metrics.registry.register(AgeCollector(issuers.ages))
        notices = Notices(log, metrics, webhook, clock.wall)
        spending = SpendStore(database)
        keeping = keep(
            Surroundings(
                config=config,
                clock=clock,
                new_id=new_id,
                spending=spending,
                metrics=metrics,
                breakers=breakers,
                log=log,
                tell=notices.budget_crossed,
            )
        )
        closing.push_async_callback(keeping.stop)
        await keeping.start()
        for name, work in keeping.tasks.items():
            _run_beside(work, name, closing)

        def tell(record: CallRecord) -> None:
            lines.write(record)
            metrics.observe(record)
            shortcuts.observe(record)

        lasting = Lasting(
            clock=clock,
            new_id=new_id,
            tell=tell,
            log=log,
            metrics=metrics,
            ledger=Ledger(spool, writer.wake),
            breakers=breakers,
            credentials=credentials,
            limiter=keeping.limiter,
            forecasts=Forecasts(),
            budgets=keeping.budgets,
            price_data=price_data,
            notices=notices,
            upstreams=upstreams,
            loads=loads,
            copies=copies,
            hedges=Hedges(config.hedges, shortcuts.count_hedge),
            model_lists=model_lists,
            keys=keys,
            key_sources=issuers,
        )
        await writer.catch_up(CATCH_UP)
        await keeping.budgets.know(Seeding(spending, BudgetRules(config), keys.principals, clock.wall))
        current = Current(assemble(at_work, lasting))

        async def greet(holders: Sequence[Principal]) -> None:
            await keeping.budgets.learn(BudgetRules(current.snapshot.config).known(holders))

        stored.greeters.append(greet)
        _run_beside(keep_fresh(model_lists, lambda: _ways(current), clock), "model-lists", closing)
        old = (
            Kept(OldRows(database), lambda: current.snapshot.config.ledger.retention),
            Kept(OldChanges(database), lambda: current.snapshot.config.audit.retention),
        )
        _run_beside(let_go_of_old_rows(old, clock.wall, log), "retention", closing)

        deployment = Deployment(
            hosts=config.hosts,
            lasting=lasting,
            current=current,
            keys=keys,
            stored=stored,
            stored_credentials=stored_credentials,
            spending=spending,
            webhook=webhook,
            tls=tls,
        )
        deployment.followers.append(lambda config: lines.take_level(config.logging.level))
        deployment.followers.append(lambda config: _configure_log(out, config))
        deployment.followers.append(lambda config: freshness.configure(config.auth.stale_after))
        reloader = Reloader(read, deployment.apply, loaded, loaded, log, metrics)
        stored_credentials.followers.append(reloader.renew)
        _run_beside(stored_credentials.follow(), "stored-credentials", closing)
        _run_beside(
            reloader.follow_files(loaded.files or (DEFAULT_FILE,), asyncio.sleep),
            "configuration-files",
            closing,
        )
        readiness = Readiness()
        rooms = CallRooms(current=current, clock=clock, new_id=new_id, on_finish=tell)
        pages = PageRooms(
            current=current,
            metrics=metrics,
            readiness=readiness,
            reloader=reloader,
            fellows=fellows,
            state_is_lost=keeping.is_lost,
            admin=AdminRooms(
                breakers=breakers,
                credentials=credentials,
                model_lists=model_lists,
                reloads=reloader,
                keys=KeyRooms(key_store, stored, fellows, clock, log),
                stored_credentials=CredentialRooms(
                    credential_store, stored_credentials, fellows, lambda: reloader.loaded, clock, log
                ),
                accounts=AccountRooms(
                    CallStore(database), keeping.budgets, keys, AuditStore(database), clock
                ),
                fellows=fellows,
                clock=clock,
                log=log,
            ),
            clock=clock,
            version=VERSION,
        )

        def refused(request_id: str, error: GatewayError) -> None:
            metrics.count_refusal(error.code)
            log.warning("refused", request_id=request_id, status=error.http_status, code=error.code)

        endpoints = CallEndpoints(rooms)
        entrance, refusals = Entrance(capacity_of(config)), Refusals(log, metrics, tell)
        closing.callback(watch_loop(entrance, metrics, clock.monotonic).stop)
        memory = watch_memory(entrance, config.server.overload.max_memory, refusals)
        _run_beside(memory, "memory", closing)
        lobby = Lobby(entrance, asyncio.get_running_loop(), config.server.overload.max_wait)
        deployment.followers.append(lambda config: _configure_entrance(lobby, config))
        porter = Porter(endpoints, current, lobby, random.random, new_id, refusals)

        hall = FrontHall(endpoints, build_pages(pages), new_id, log)
        await fellows.open()
        closing.push_async_callback(fellows.close)
        yield Running(
            hall, refused, porter, readiness, current, keys, stored, key_store, at_work, reloader, deployment
        )


def _watch_ledger(metrics: Metrics, spool: Spool, writer: LedgerWriter) -> None:
    metrics.watch_ledger(
        pending=lambda: spool.pending,
        lost=lambda: spool.lost,
        shipped=lambda: writer.shipped,
        rejected=lambda: writer.rejected,
        interrupted=lambda: writer.interrupted,
        store_up=lambda: not writer.store_is_down,
    )


@contextmanager
def _ways(current: Current) -> Iterator[Callable[[str], Upstream]]:
    """Give the connections of the configuration at work, and keep them open meanwhile."""
    with current.snapshot as snapshot:
        yield lambda provider: snapshot.gateway.lines[provider].upstream


def _configure_log(out: Output, config: Config) -> None:
    configure(out, level=config.logging.level, format=config.logging.format)


def _configure_entrance(lobby: Lobby, config: Config) -> None:
    lobby.entrance.configure(capacity_of(config))
    lobby.max_wait = config.server.overload.max_wait


def _run_beside(work: Coroutine[None, None, None], name: str, closing: AsyncExitStack) -> None:
    """Run a task as long as the gateway is open."""
    task = asyncio.get_running_loop().create_task(work, name=name)

    async def stop() -> None:
        task.cancel()
        await asyncio.wait([task])

    closing.push_async_callback(stop)


async def _reread(keys: KeyRing) -> None:
    """Follow the files that hold configured keys."""
    while True:
        await asyncio.sleep(CHECK_EVERY)
        if keys.has_files():
            keys.read_configured()


def _upstream(
    provider: ActiveProvider, tls: TlsContexts, clock: Clock, log: FilteringBoundLogger
) -> Upstream:
    def failed(reason: str) -> None:
        log.error("credential_not_made", provider=provider.name, auth=provider.auth, reason=reason)

    upstream = Upstream(_CARRIERS[provider.transport](provider, tls), connect=provider.timeouts.connect)
    return authorized(upstream, provider, clock.wall, failed)


_CARRIERS: dict[str, Callable[[ActiveProvider, TlsContexts], Carrier]] = {
    "http": lambda provider, tls: carrier(
        provider.pool, tls.of(provider.pool.tls), allow_private=provider.allow_private
    ),
    "embedded": lambda _, __: HttpxCarrier(EchoTransport()),
}
