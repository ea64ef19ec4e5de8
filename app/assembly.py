"""Configuration → snapshot: everything that is built anew when the configuration changes.

What must survive that is in `Lasting`: connections, counters, breakers, what was learnt and spent.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from structlog.typing import FilteringBoundLogger

from app.api.callers import Callers
from app.api.departure import Cancel, Drain, Policy
from app.api.snapshot import Snapshot
from app.auth.authenticator import Authenticator
from app.auth.directory import Directory
from app.auth.failures import Failures
from app.auth.key_sources import KeySources
from app.auth.keyring import KeyRing
from app.auth.principal import Principal
from app.auth.tokens import Tokens
from app.config.activation import ActiveProvider
from app.config.loader import Loaded
from app.config.models import Config
from app.gateway.answering import Line
from app.gateway.balancing import Balancing
from app.gateway.breaker_gate import BreakerGate
from app.gateway.breakers import Breakers
from app.gateway.catalogue import Catalogue
from app.gateway.client_limits import ClientLimits
from app.gateway.credential_gate import CredentialGate
from app.gateway.credential_pool import Credentials
from app.gateway.fitness import Fitness, FitsAll
from app.gateway.flights import Flights
from app.gateway.forecast import Forecasts
from app.gateway.gateway import Gateway
from app.gateway.haste import HastyLimits
from app.gateway.hedge import Hedges
from app.gateway.inflight import InFlight
from app.gateway.jobs import Jobs
from app.gateway.knowledge import Knowledge
from app.gateway.loads import LoadGate, Loads
from app.gateway.mirror import Copies, Mirroring, way_of_copies
from app.gateway.model_lists import ModelLists
from app.gateway.notices import Notices
from app.gateway.pursuit import Patience
from app.gateway.retry import RetryBudget, attempts_of
from app.gateway.router import Router
from app.gateway.rules import BudgetRules, LimitRules
from app.gateway.spending import ClientBudgets, Prices, ProviderBudgets, Purse
from app.gateway.target_limits import TargetLimits
from app.gateway.trail import NO_TRAIL, LoggedTrails
from app.gateway.upstream import Upstream
from app.gateway.upstreams import Upstreams
from app.limits.limiter import Limiter
from app.telemetry.clock import Clock
from app.telemetry.metrics import Metrics
from app.telemetry.record import CallRecord
from app.usage.budgeting import Budgets
from app.usage.ledger import Ledger
from app.usage.price_book import PriceBook
from app.usage.price_data import PriceData
from providers.types import Secret

MASTER = "master"
"""The name under which calls with the master key are told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """What outlives a change of the configuration."""

    clock: Clock
    new_id: Callable[[], str]
    tell: Callable[[CallRecord], None]
    """Told the record of each call that has ended."""
    log: FilteringBoundLogger
    metrics: Metrics
    ledger: Ledger
    breakers: Breakers
    credentials: Credentials
    limiter: Limiter
    forecasts: Forecasts
    budgets: Budgets
    price_data: PriceData
    notices: Notices
    upstreams: Upstreams
    loads: Loads
    copies: Copies
    hedges: Hedges
    model_lists: ModelLists
    keys: KeyRing
    key_sources: KeySources
    failures: Failures = field(default_factory=Failures)
    """Of presenting keys and tokens, whatever their bound is now."""
    job_secret: bytes = field(default_factory=lambda: os.urandom(32))
    """Signs the names of jobs where there is neither a credential nor a master key."""
    retry_budgets: dict[str, RetryBudget] = field(default_factory=dict)
    """By provider."""


def assemble(loaded: Loaded, lasting: Lasting) -> Snapshot:
    """Build the gateway for a configuration. It gives its connections back when it is no longer used."""
    config, clock = loaded.config, lasting.clock
    limit_rules, budget_rules = LimitRules(config), BudgetRules(config)
    book = _price_book(config, lasting)
    prices = Prices(book, clock)
    purse = Purse(lasting.budgets, prices, lasting.notices, clock, unknown_price=config.ledger.unknown_price)
    balancing = Balancing(lasting.loads, clock.monotonic, random.random, prices.expected)
    fits = Fitness(_knowledge(config, lasting)) if config.model_lists.check else FitsAll()
    router = Router(loaded.providers, config.models, balancing.of, fits, lasting.model_lists.of)
    gateway = Gateway(
        router=router,
        lines=_lines(loaded, lasting),
        guards=[
            InFlight(lasting.metrics),
            ClientLimits(limit_rules, lasting.limiter, lasting.forecasts),
            ClientBudgets(budget_rules, purse),
        ],
        gates=[
            BreakerGate(lasting.breakers, clock),
            ProviderBudgets(budget_rules, purse),
            LoadGate(lasting.loads, clock),
        ],
        objections=HastyLimits(limit_rules, lasting.limiter, clock.monotonic),
        credentials=CredentialGate(
            lasting.credentials, TargetLimits(limit_rules, lasting.limiter), lasting.notices, clock
        ),
        forecasts=lasting.forecasts,
        prices=prices,
        ledger=lasting.ledger,
        hedges=lasting.hedges,
        flights=Flights(config.single_flight),
        jobs=Jobs(lasting.credentials, _spare_secret(config, lasting)),
        max_attempts=lambda model, targets: attempts_of(_max_attempts(config, model), targets),
        random=random.random,
        trails=LoggedTrails(lasting.log) if config.logging.level == "debug" else NO_TRAIL,
    )
    gateway = _with_mirrors(gateway, config, lasting)
    return Snapshot(
        config,
        gateway,
        # A thread looks into it, so that it has prices and knowledge of its own.
        Catalogue(router, _knowledge(config, lasting), _price_book(config, lasting), clock.wall),
        _callers(config, lasting),
        _departure_policy(config),
        unused=lambda: lasting.upstreams.give_back(loaded.providers),
    )


def _price_book(config: Config, lasting: Lasting) -> PriceBook:
    stated = {name: each.stated_prices for name, each in config.providers.items()}
    return PriceBook(stated, lasting.price_data)


def _knowledge(config: Config, lasting: Lasting) -> Knowledge:
    return Knowledge(config.stated_facts, lasting.model_lists, lasting.price_data.window)


def _spare_secret(config: Config, lasting: Lasting) -> bytes:
    master = config.auth.master_key
    return master.reveal().encode() if master else lasting.job_secret


def configured_keys(config: Config) -> list[tuple[Secret, Principal]]:
    """Give the keys of the configuration, each with who holds it."""
    directory = Directory(config)
    found = [(key.key, directory.of_key(key)) for key in config.auth.keys]
    keys = [(secret, principal) for secret, principal in found if principal]
    master = config.auth.master_key
    return [*keys, (master, Principal(MASTER, is_master=True))] if master else keys


def _callers(config: Config, lasting: Lasting) -> Callers:
    issuers = config.auth.jwt
    keys = lasting.key_sources.configure(issuers)
    lasting.failures.configure(config.auth.max_failures)
    tokens = Tokens(issuers, keys, Directory(config), lasting.clock.wall)
    authenticator = Authenticator(lasting.keys, tokens)
    return Callers(authenticator, lasting.failures, config.server.trusted_proxies, lasting.clock.monotonic)


def _with_mirrors(gateway: Gateway, config: Config, lasting: Lasting) -> Gateway:
    mirrors = {name: each.mirror for name, each in config.models.items() if each.mirror}
    if not mirrors:
        return gateway
    mirroring = Mirroring(
        mirrors=mirrors,
        gateway=way_of_copies(gateway),
        copies=lasting.copies,
        clock=lasting.clock,
        new_id=lasting.new_id,
        on_finish=lasting.tell,
        random=random.random,
    )
    return replace(gateway, guards=[*gateway.guards, mirroring])


def _lines(loaded: Loaded, lasting: Lasting) -> Mapping[str, Line]:
    upstreams = lasting.upstreams.take(loaded.providers)
    return {each.name: _line(each, upstreams[each.name], lasting) for each in loaded.providers}


def _line(provider: ActiveProvider, upstream: Upstream, lasting: Lasting) -> Line:
    budget = lasting.retry_budgets.setdefault(provider.name, RetryBudget())
    return Line(upstream, provider.timeouts, Patience(provider.retry, budget))


def _departure_policy(config: Config) -> Policy:
    if config.ledger.disconnect == "cancel":
        return Cancel()
    return Drain(config.ledger.drain_for, config.ledger.max_drains)


def _max_attempts(config: Config, model: str) -> int | None:
    settings = config.models.get(model)
    return settings.max_attempts if settings else None
