"""Which limits and budgets hold for whom: the configuration, turned into what the guards ask for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from app.auth.principal import Principal
from app.config.allowances import Budget as BudgetSettings
from app.config.allowances import Limits as LimitSettings
from app.config.models import Config
from app.gateway.subjects import REMEMBERED, Place, Places, holder_of, levels, plan_subject
from app.limits.ask import Limit
from app.limits.kinds import LimitKind
from app.usage.budgets import Budget
from app.usage.periods import Period, PeriodKind
from providers.types import Target

_Known = TypeVar("_Known")
_Asked = TypeVar("_Asked")


@dataclass(frozen=True, slots=True, eq=False)
class AnyCall:
    """The limits that hold for a caller, whatever it asks for. Two are equal if they are the same one."""

    every: tuple[Limit, ...] = ()
    of_requests: tuple[Limit, ...] = ()
    """Those of them that every call counts alike in."""


_NOT_KNOWN = AnyCall()


class LimitRules:
    """Finds the limits of a client or a target. Answers are kept: limits are built once and reused."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._levels = {subject: _limits(subject, level.limits) for subject, level in levels(config)}
        self._places = Places()
        self._of_client: dict[tuple[Place, str], tuple[Limit, ...]] = {}
        self._of_any_call: dict[Place, AnyCall] = {}
        # A model with limits has its part in every answer; in a queue, what has no room may wait for it.
        self._models_matter = any(
            model.limits.stated or model.queue.max_wait for model in config.models.values()
        )
        self._of_target: dict[tuple[str, str, int | None], tuple[Limit, ...]] = {}

    def of_client(self, principal: Principal, model: str) -> tuple[Limit, ...]:
        """Give the limits of the caller, of all above it, of its plan and of the public model."""
        place = self._places.of(principal)
        known = self._of_client.get((place, model))
        if known is None:
            known = self._find_client(place, model)
            _remember(self._of_client, (place, model), known)
        return known

    def of_any_call(self, principal: Principal) -> AnyCall:
        """Give the limits that hold whatever a call is; none where that depends on the model it names."""
        if self._models_matter:
            return _NOT_KNOWN
        place = self._places.of(principal)
        known = self._of_any_call.get(place)
        if known is None:
            every = self._find_client(place, "")
            known = AnyCall(every, tuple(each for each in every if each.rule.counts == "requests"))
            _remember(self._of_any_call, place, known)
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

    def _find_client(self, place: Place, model: str) -> tuple[Limit, ...]:
        limits = [limit for subject in place.levels for limit in self._stated(subject, place)]
        if place.plan and (plan := self._config.plans.get(place.plan)):
            limits += _limits(plan_subject(place.plan, place.plan_of), plan.limits)
        if settings := self._config.models.get(model):
            limits += _limits(f"model:{model}", settings.limits)
        return tuple(limits)

    def _stated(self, subject: str, place: Place) -> list[Limit]:
        if place.own and subject == place.itself:
            return _limits(subject, place.own.limits)
        return self._levels.get(subject, [])

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
        self._levels = {subject: _budgets(subject, level.budget) for subject, level in levels(config)}
        self._models = {
            name: _budgets(f"model:{name}", settings.budget) for name, settings in config.models.items()
        }
        self._providers = {
            name: _budgets(f"provider:{name}", settings.budget) for name, settings in config.providers.items()
        }
        self._places = Places()
        self._of_caller: dict[Place, tuple[ClientBudget, ...]] = {}

    def of_client(self, principal: Principal, model: str) -> tuple[ClientBudget, ...]:
        """Give the budgets of the caller, of all above it, of its plan and of the public model."""
        place = self._places.of(principal)
        known = self._of_caller.get(place)
        if known is None:
            known = self._find_caller(place)
            _remember(self._of_caller, place, known)
        of_model = self._models.get(model)
        return (*known, *of_model) if of_model else known

    def of_provider(self, provider: str) -> tuple[ClientBudget, ...]:
        """Give the budgets of a provider."""
        return self._providers.get(provider, ())

    def known(self, principals: Iterable[Principal]) -> list[Budget]:
        """Give every budget there is, for these callers and all levels, models and providers."""
        places = [Place.of(principal) for principal in principals]
        planned = [each for p in places if p.plan for each in self._planned(p.plan, p.plan_of)]
        own = [each for p in places if p.own for each in self._stated(p.itself, p)]
        stated = [*self._levels.values(), *self._models.values(), *self._providers.values(), planned, own]
        return [given.budget for each in stated for given in each]

    def of_plans(self, subjects: Iterable[str]) -> list[Budget]:
        """Give the budgets of plans that these subjects have, such as users that only tokens name."""
        holders = map(holder_of, subjects)
        return [given.budget for plan, holder in holders for given in self._planned(plan, holder)]

    def has_strict_plans(self) -> bool:
        """Whether the budget of some plan promises never to be exceeded."""
        return any(budget.mode == "strict" for plan in self._plans.values() for budget in plan.budget)

    def _find_caller(self, place: Place) -> tuple[ClientBudget, ...]:
        own = [given for subject in place.levels for given in self._stated(subject, place)]
        return (*own, *(self._planned(place.plan, place.plan_of) if place.plan else ()))

    def _stated(self, subject: str, place: Place) -> tuple[ClientBudget, ...]:
        if place.own and subject == place.itself:
            return _budgets(subject, place.own.budget)
        return self._levels.get(subject, ())

    def _planned(self, plan: str, holder: str) -> tuple[ClientBudget, ...]:
        settings = self._plans.get(plan)
        return _budgets(plan_subject(plan, holder), settings.budget) if settings else ()


def _limits(subject: str, settings: LimitSettings) -> list[Limit]:
    return [
        Limit(subject, LimitKind(kind), capacity, settings.on_state_loss)
        for kind, capacity in settings.stated.items()
    ]


def _budgets(subject: str, settings: Iterable[BudgetSettings]) -> tuple[ClientBudget, ...]:
    return tuple(
        ClientBudget(
            Budget(
                subject,
                given.amount,
                Period(PeriodKind(given.per), given.timezone),
                given.mode,
                given.notify,
                given.on_state_loss,
            ),
            given.fit_max_tokens,
        )
        for given in settings
    )


def _remember(known: dict[_Asked, _Known], asked: _Asked, found: _Known) -> None:
    if len(known) >= REMEMBERED:
        del known[next(iter(known))]
    known[asked] = found
