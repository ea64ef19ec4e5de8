"""Money: what calls cost, and the guard and the gate of budgets.

A budget in `strict` mode is asked for a bound that the call cannot exceed, so that spending within
it is a theorem; one in `learned` mode for what calls like it cost, and what that lacks is a debt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from app.errors import DEGRADED, BadRequest, BudgetExceeded
from app.gateway.balance import Ask
from app.gateway.forecast import CAPS, Forecast, choices, input_bound
from app.gateway.guard import Admission, Passage, Spent, Ticket
from app.gateway.notices import Notices
from app.gateway.rules import BudgetRules, ClientBudget
from app.gateway.target_limits import OPEN
from app.gateway.units import NOTHING, WORDS, most
from app.store.money import dollars
from app.telemetry.clock import Clock
from app.telemetry.record import CallRecord, Charge
from app.usage.budgeting import Budgets, Reserved
from app.usage.budgets import Budget, BudgetRefusal
from app.usage.budgets import Charge as BudgetCharge
from app.usage.price_book import PriceBook
from app.usage.rates import FREE, NO_UNITS, Rates
from providers.types import Call, Target

MOST_OUTPUT = 1 << 20
"""Tokens. More than any model gives in one answer."""
SMALLEST_LIMIT = 4096
"""Tokens. Models refuse a `max_tokens` above what they can give; few can give less than this."""


class Prices:
    """What a target costs a call that begins now."""

    def __init__(self, book: PriceBook, clock: Clock) -> None:
        self._book = book
        self._now = clock.wall

    @property
    def version(self) -> str:
        """Which prices these are."""
        return self._book.version

    def of(self, target: Target, ticket: Ticket) -> Rates | None:
        """Give the rates; None is unknown, never free. The same ones throughout a call: prices change."""
        if ticket.call.job:
            # It was paid for when it was submitted.
            return FREE
        name = target.name
        if name not in ticket.rates:
            tier = ticket.call.body.get("service_tier")
            ticket.rates[name] = self._book.rates(
                target.provider, target.model, now=self._now(), tier=tier if isinstance(tier, str) else ""
            )
        return ticket.rates[name]

    def expected(self, target: Target, ask: Ask) -> int | None:
        """Give the nano-dollars that a call will probably cost there; None where no price is known."""
        tier = ask.call.body.get("service_tier")
        rates = self._book.rates(
            target.provider, target.model, now=self._now(), tier=tier if isinstance(tier, str) else ""
        )
        tokens = ask.forecast
        used = msgspec.structs.replace(
            tokens.beside, input_tokens=tokens.input_tokens, output_tokens=tokens.output_tokens
        )
        return None if rates is None else rates.cost(used)


class Purse:
    """Reserves for calls, and tells of budgets that are nearly spent."""

    def __init__(
        self, book: Budgets, prices: Prices, notices: Notices, clock: Clock, *, unknown_price: str
    ) -> None:
        """`unknown_price` is `refuse` or `allow`: what becomes of a call that nobody can price."""
        self._book = book
        self._refuses_unknown = unknown_price == "refuse"
        self._prices = prices
        self._notices = notices
        self._now = clock.wall

    async def reserve(
        self, budgets: Sequence[ClientBudget], ticket: Ticket, targets: Sequence[Target]
    ) -> Reserved:
        """Reserve in all budgets, or in none. Raises `BudgetExceeded`, `BadRequest`, `Unavailable`."""
        rates = self._known(targets, ticket)
        amounts = [self._amount(given.budget, ticket, targets, rates) for given in budgets]
        taken = await self._book.reserve([given.budget for given in budgets], amounts, self._now())
        if isinstance(taken, BudgetRefusal):
            raise _exceeded(taken)
        if taken.degraded and DEGRADED not in ticket.headers:
            ticket.headers.append(DEGRADED)
        return taken

    async def fit(self, budgets: Sequence[ClientBudget], ticket: Ticket, targets: Sequence[Target]) -> None:
        """Lower the call's `max_tokens` to what fits the budgets that ask for that."""
        for given in budgets:
            if not given.fit_max_tokens or ticket.call.operation not in WORDS:
                continue
            left = (await self._book.standing(given.budget, self._now())).left // len(targets)
            prompt = _prompt(given.budget, ticket.forecast, _with_cap(ticket.call, MOST_OUTPUT))
            cap = ticket.forecast.output_cap
            affordable = [_affordable(rates, prompt, left, cap) for rates in self._known(targets, ticket)]
            fits = min(affordable, default=0)
            each = fits // choices(ticket.call)
            if each and (each <= _highest_cap(given.budget) if cap is None else fits < cap):
                ticket.call = _with_cap(ticket.call, each)
                total = each * choices(ticket.call)
                expected = min(ticket.forecast.output_tokens, total)
                ticket.forecast = replace(ticket.forecast, output_cap=total, output_tokens=expected)

    def settle(self, reservation: Reserved, cost: int | None) -> list[Charge]:
        """Charge what a call has cost, and tell of the shares that it crosses."""
        settled = reservation.settle(cost)
        for crossing in settled.crossings:
            self._notices.budget_crossed(crossing)
        return _records(settled.charges)

    def _known(self, targets: Sequence[Target], ticket: Ticket) -> list[Rates]:
        """Give the rates of those targets that have any. Raises `BadRequest` where that is not enough."""
        rates = [(target, self._prices.of(target, ticket)) for target in targets]
        unknown = [target for target, known in rates if known is None]
        if unknown and self._refuses_unknown:
            target = unknown[0]
            raise BadRequest(
                f"No price is known for `{target.name}`, and this call is under a budget. "
                f"Set one under `providers.{target.provider}.prices`.",
                code="unknown_price",
                param="model",
            )
        return [known for _, known in rates if known is not None]

    def _amount(
        self, budget: Budget, ticket: Ticket, targets: Sequence[Target], rates: Sequence[Rates]
    ) -> int:
        forecast = ticket.forecast
        if budget.mode == "learned":
            tokens = forecast.input_tokens, forecast.output_tokens
            return max([each.bound(*tokens, forecast.beside) for each in rates], default=0)
        if ticket.call.operation not in WORDS:
            return _bound_beside_words(budget, ticket, rates)
        if forecast.output_cap is None:
            raise BadRequest(
                "This call is under a strict budget, which needs a bound: send `max_completion_tokens`.",
                code="unbounded_cost",
                param="max_completion_tokens",
            )
        if apart := next((target for target in targets if target.quirks.reasoning_apart), None):
            raise BadRequest(
                f"`{apart.name}` does not count reasoning against `max_completion_tokens`, so a strict "
                "budget cannot bound its cost; use a budget in `learned` mode.",
                code="unbounded_cost",
                param="model",
            )
        if deaf := next((target for target in targets if target.drop & CAPS & ticket.call.body.keys()), None):
            raise BadRequest(
                f"`drop` takes the cap on output out of what `{deaf.name}` is asked, so a strict budget cannot "
                "bound its cost; send the other of `max_completion_tokens` and `max_tokens`.",
                code="unbounded_cost",
                param="model",
            )
        # Every target of the plan may be tried, and bill, before one answers.
        prompt = _prompt(budget, forecast, ticket.call)
        return sum(each.bound(prompt, forecast.output_cap) for each in rates)


@dataclass(frozen=True, slots=True)
class ClientBudgets:
    """The guard of what a client may spend: the budgets of its key, its plan and the model it names."""

    rules: BudgetRules
    purse: Purse

    async def admit(self, ticket: Ticket) -> Admission:
        """Reserve for the call at the dearest target of its plan. Raises `BudgetExceeded`, `BadRequest`."""
        budgets = self.rules.of_client(ticket.principal, ticket.call.model)
        if not budgets:
            return _FREE
        targets = ticket.plan.every
        if any(given.fit_max_tokens for given in budgets):
            await self.purse.fit(budgets, ticket, targets)
        reservation = await self.purse.reserve(budgets, ticket, targets)
        ticket.strict = any(given.budget.mode == "strict" for given in budgets)
        ticket.charges += _records(reservation.charges())
        return _Reserved(self.purse, reservation)


@dataclass(frozen=True, slots=True)
class ProviderBudgets:
    """The gate of what may be spent at a provider."""

    rules: BudgetRules
    purse: Purse

    async def take(self, ticket: Ticket, target: Target) -> Passage:
        """Reserve for one attempt. Raises `BudgetExceeded`, `BadRequest`."""
        budgets = self.rules.of_provider(target.provider)
        if not budgets:
            return OPEN
        return _Paid(self.purse, await self.purse.reserve(budgets, ticket, [target]))


class _Free:
    """The admission where there is no budget."""

    def settle(self, record: CallRecord, /) -> CallRecord:
        return record


_FREE = _Free()


@dataclass(slots=True)
class _Reserved:
    purse: Purse
    reservation: Reserved

    def settle(self, record: CallRecord, /) -> CallRecord:
        charges = self.purse.settle(self.reservation, record.cost_nano)
        return msgspec.structs.replace(record, charges=[*record.charges, *charges])


@dataclass(frozen=True, slots=True)
class _Paid:
    purse: Purse
    reservation: Reserved

    def charges(self) -> Sequence[Charge]:
        return _records(self.reservation.charges())

    def settle(self, spent: Spent, /) -> Sequence[Charge]:
        return self.purse.settle(self.reservation, spent.cost_nano)


def _bound_beside_words(budget: Budget, ticket: Ticket, rates: Sequence[Rates]) -> int:
    """Bound a call that is billed by pictures, seconds or characters. Raises `BadRequest` where that is not possible."""
    forecast, call = ticket.forecast, ticket.call
    units = most(call)
    tokens = forecast.output_cap is None and any(each.bills_output for each in rates)
    if tokens or (units is None and any(each.units is not NO_UNITS for each in rates)):
        raise BadRequest(
            f"A strict budget cannot bound what this costs, for {call.operation} is billed here by "
            f"{'tokens' if tokens else 'what the answer says'}; use a budget in `learned` mode.",
            code="unbounded_cost",
            param="model",
        )
    prompt = _prompt(budget, forecast, call)
    return sum(each.bound(prompt, 0, units or NOTHING) for each in rates)


def _records(charges: Sequence[BudgetCharge]) -> list[Charge]:
    return [
        Charge(subject=c.subject, period=c.period, period_start=c.period_start, nano=c.nano) for c in charges
    ]


def _prompt(budget: Budget, forecast: Forecast, call: Call) -> int:
    return input_bound(call) if budget.mode == "strict" else forecast.input_tokens


def _highest_cap(budget: Budget) -> int:
    """Give the highest cap that a call is given which came without one."""
    return MOST_OUTPUT if budget.mode == "strict" else SMALLEST_LIMIT


def _affordable(rates: Rates, prompt: int, left: int, cap: int | None) -> int:
    """Give the most output tokens that fit, by halving: prices may come in bands."""
    low, high = 0, MOST_OUTPUT if cap is None else cap
    while low < high:
        middle = (low + high + 1) // 2
        if rates.bound(prompt, middle) <= left:
            low = middle
        else:
            high = middle - 1
    return low


def _with_cap(call: Call, tokens: int) -> Call:
    """Lower the cap, in the fields that the client used."""
    used = CAPS & call.body.keys() or {"max_completion_tokens" if call.operation == "chat" else "max_tokens"}
    return replace(call, body={**call.body, **dict.fromkeys(used, tokens)})


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _exceeded(refusal: BudgetRefusal) -> BudgetExceeded:
    budget, standing = refusal.budget, refusal.standing
    until = "" if standing.ends is None else f" It begins anew at {_moment(standing.ends)}."
    return BudgetExceeded(
        f"The budget of {budget.subject}, ${dollars(budget.amount)} a {budget.period.kind}, has "
        f"${dollars(standing.left)} left, and this call needs up to ${dollars(refusal.asked)}.{until}"
    )
