"""Which limits and budgets hold for whom: the configuration, turned into what the guards ask for.

Subjects: `key:NAME`, `plan:PLAN/KEY` (each key of a plan has the plan's allowance for itself),
`model:NAME`, `group:NAME`, `provider:NAME`, `credential:PROVIDER/POSITION`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from app.auth.principal import Principal
from app.config.allowances import Budget as BudgetSettings
from app.config.allowances import Limits as LimitSettings
from app.config.models import Config
from app.limits.ask import Limit
from app.limits.kinds import LimitKind
from app.usage.budgets import Budget
from app.usage.periods import Period, PeriodKind
from providers.types import Target

Asked = TypeVar("Asked")
REMEMBERED = 10_000
"""Answers kept for pairs of key and model: names come from clients, so there is a bound."""


class LimitRules:
    """Finds the limits of a client or a target. Answers are kept: limits are built once and reused."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._keys = {key.name: _limits(f"key:{key.name}", key.limits) for key in config.auth.keys}
        self._of_client: dict[tuple[str, str], tuple[Limit, ...]] = {}
        self._of_target: dict[tuple[str, str, int | None], tuple[Limit, ...]] = {}

    def of_client(self, principal: Principal, model: str) -> tuple[Limit, ...]:
        """Give the limits of the key, its plan and the public model."""
        known = self._of_client.get((principal.name, model))
        if known is None:
            known = self._find_client(principal, model)
            _remember(self._of_client, (principal.name, model), known)
        return known

    def of_target(self, target: Target) -> tuple[Limit, ...]:
        """Give the limits of the provider, the credential and the groups that the model belongs to."""
        key = target.provider, target.model, target.credential_position
        known = self._of_target.get(key)
        if known is None:
            known = self._find_target(target)
            _remember(self._of_target, key, known)
        return known

    def max_wait(self, model: str) -> float:
        """Give how many seconds a call of a public model may wait for room."""
        settings = self._config.models.get(model)
        return settings.queue.max_wait if settings else 0.0

    def _find_client(self, principal: Principal, model: str) -> tuple[Limit, ...]:
        limits = list(self._keys.get(principal.name, ()))
        if plan := self._config.plans.get(principal.plan or ""):
            limits += _limits(f"plan:{principal.plan}/{principal.name}", plan.limits)
        if settings := self._config.models.get(model):
            limits += _limits(f"model:{model}", settings.limits)
        return tuple(limits)

    def _find_target(self, target: Target) -> tuple[Limit, ...]:
        limits: list[Limit] = []
        if settings := self._config.providers.get(target.provider):
            limits += _limits(f"provider:{target.provider}", settings.limits)
            position = target.credential_position
            if position is not None and position < len(settings.keys):
                subject = f"credential:{target.provider}/{position}"
                limits += _limits(subject, settings.keys[position].limits)
        for name, group in self._config.limit_groups.items():
            if any(fnmatchcase(target.name, pattern) for pattern in group.models):
                limits += _limits(f"group:{name}", group)
        return tuple(limits)


@dataclass(frozen=True, slots=True)
class ClientBudget:
    """A budget, and whether calls are made to fit it."""

    budget: Budget
    fit_max_tokens: bool


class BudgetRules:
    """Finds the budgets of a client or a provider."""

    def __init__(self, config: Config) -> None:
        self._plans = config.plans
        self._keys = {key.name: _budgets(f"key:{key.name}", key.budget) for key in config.auth.keys}
        self._models = {
            name: _budgets(f"model:{name}", settings.budget) for name, settings in config.models.items()
        }
        self._providers = {
            name: _budgets(f"provider:{name}", settings.budget) for name, settings in config.providers.items()
        }
        self._of_plan: dict[tuple[str, str], tuple[ClientBudget, ...]] = {}

    def of_client(self, principal: Principal, model: str) -> tuple[ClientBudget, ...]:
        """Give the budgets of the key, its plan and the public model."""
        return (
            *self._keys.get(principal.name, ()),
            *(self._planned(principal.plan, principal.name) if principal.plan else ()),
            *self._models.get(model, ()),
        )

    def of_provider(self, provider: str) -> tuple[ClientBudget, ...]:
        """Give the budgets of a provider."""
        return self._providers.get(provider, ())

    def known(self, principals: Iterable[Principal]) -> list[Budget]:
        """Give every budget there is, for these callers and all models and providers."""
        planned = [given for p in principals if p.plan for given in self._planned(p.plan, p.name)]
        stated = [*self._keys.values(), *self._models.values(), *self._providers.values(), planned]
        return [given.budget for each in stated for given in each]

    def _planned(self, plan: str, key: str) -> tuple[ClientBudget, ...]:
        if (plan, key) not in self._of_plan:
            settings = self._plans.get(plan)
            self._of_plan[plan, key] = _budgets(f"plan:{plan}/{key}", settings.budget if settings else ())
        return self._of_plan[plan, key]


def _limits(subject: str, settings: LimitSettings) -> list[Limit]:
    return [Limit(subject, LimitKind(kind), capacity) for kind, capacity in settings.stated.items()]


def _budgets(subject: str, settings: Iterable[BudgetSettings]) -> tuple[ClientBudget, ...]:
    return tuple(
        ClientBudget(
            Budget(
                subject,
                given.amount,
                Period(PeriodKind(given.per), given.timezone),
                given.mode,
                given.notify,
            ),
            given.fit_max_tokens,
        )
        for given in settings
    )


def _remember(known: dict[Asked, tuple[Limit, ...]], key: Asked, limits: tuple[Limit, ...]) -> None:
    if len(known) >= REMEMBERED:
        del known[next(iter(known))]
    known[key] = limits
