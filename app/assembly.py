"""Configuration → snapshot: everything that is built anew when the configuration changes.

What must survive that is in `Lasting`: connections, counters, breakers, what was learnt and spent.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.api.departure import Cancel, Drain, Policy
from app.api.snapshot import Snapshot
from app.auth.principal import Principal
from app.config.activation import ActiveProvider
from app.config.loader import Loaded
from app.config.models import Config
from app.gateway.breaker_gate import BreakerGate
from app.gateway.breakers import Breakers
from app.gateway.client_limits import ClientLimits
from app.gateway.forecast import Forecasts
from app.gateway.gateway import Gateway, Line
from app.gateway.inflight import InFlight
from app.gateway.notices import Notices
from app.gateway.pursuit import Patience
from app.gateway.retry import RetryBudget, attempts_of
from app.gateway.router import Router
from app.gateway.rules import BudgetRules, LimitRules
from app.gateway.spending import ClientBudgets, Prices, ProviderBudgets, Purse
from app.gateway.target_limits import TargetLimits
from app.gateway.upstream import Upstream
from app.gateway.upstreams import Upstreams
from app.limits.memory import MemoryLimits
from app.telemetry.clock import Clock
from app.telemetry.metrics import Metrics
from app.usage.budget_book import BudgetBook
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
    metrics: Metrics
    ledger: Ledger
    breakers: Breakers
    meters: MemoryLimits
    forecasts: Forecasts
    budgets: BudgetBook
    price_data: PriceData
    notices: Notices
    upstreams: Upstreams
    retry_budgets: dict[str, RetryBudget] = field(default_factory=dict)
    """By provider."""


def assemble(loaded: Loaded, lasting: Lasting) -> Snapshot:
    """Build the gateway for a configuration. It gives its connections back when it is no longer used."""
    config, clock = loaded.config, lasting.clock
    limit_rules, budget_rules = LimitRules(config), BudgetRules(config)
    stated = {
        name: {p: price.stated for p, price in each.prices.items()} for name, each in config.providers.items()
    }
    prices = Prices(PriceBook(stated, lasting.price_data), clock)
    purse = Purse(lasting.budgets, prices, lasting.notices, clock, unknown_price=config.ledger.unknown_price)
    router = Router(loaded.providers, config.chains)
    gateway = Gateway(
        router=router,
        lines=_lines(loaded, lasting),
        guards=[
            InFlight(lasting.metrics),
            ClientLimits(limit_rules, lasting.meters, lasting.forecasts, clock),
            ClientBudgets(budget_rules, purse),
        ],
        gates=[
            BreakerGate(lasting.breakers, clock),
            TargetLimits(limit_rules, lasting.meters, clock),
            ProviderBudgets(budget_rules, purse),
        ],
        forecasts=lasting.forecasts,
        prices=prices,
        ledger=lasting.ledger,
        max_attempts=lambda model, targets: attempts_of(_max_attempts(config, model), targets),
        random=random.random,
    )
    return Snapshot(
        config,
        gateway,
        router,
        _departure_policy(config),
        unused=lambda: lasting.upstreams.give_back(loaded.providers),
    )


def configured_keys(config: Config) -> list[tuple[Secret, Principal]]:
    """Give the keys of the configuration, each with who holds it."""
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
