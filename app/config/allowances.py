"""How fast and for how much: limits, budgets, the plans that name them, and prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from app.config.amounts import Capacity, Dollars, PriceText, Shares, Zone
from app.config.scalars import Flag, Listing, Maybe, Text, refuse
from app.config.section import Section
from app.config.state import OnStateLoss


class Limits(Section):
    """How fast something may be used. What is not there is not limited."""

    rpm: Capacity = None
    """Requests in any 60 seconds."""
    rpd: Capacity = None
    """Requests in any 24 hours."""
    tpm: Capacity = None
    """Tokens in any 60 seconds, of prompts and answers together."""
    itpm: Capacity = None
    """Tokens of prompts in any 60 seconds."""
    otpm: Capacity = None
    """Tokens of answers in any 60 seconds."""
    concurrency: Capacity = None
    """Requests that may be under way at once."""
    on_state_loss: Maybe[OnStateLoss] = None
    """What becomes of these while the Redis in `state` is lost. Default: as `on_state_loss` says for all."""

    @property
    def stated(self) -> Mapping[str, int]:
        """Give the limits that there are: kind → capacity."""
        values = {kind: getattr(self, kind) for kind in Limits.model_fields if kind != "on_state_loss"}
        return {kind: capacity for kind, capacity in values.items() if capacity is not None}


def _not_blank(value: object) -> object:
    if value is None:
        refuse("is blank, which is no limit at all", "write what is meant below it, or remove the key")
    return value


Limiting = Annotated[Limits, BeforeValidator(_not_blank)]
"""Limits that nobody takes away by leaving the key's value out."""


class Budget(Section):
    """How much may be spent in a period."""

    alone: ClassVar[bool] = True

    amount: Dollars
    """Dollars that may be spent in each period: a decimal number."""
    per: Literal["minute", "hour", "day", "week", "month", "total"]
    """How long the amount has to last. `total` is for good; the others follow the calendar, weeks begin on Monday."""
    timezone: Zone = "UTC"
    """Time zone of the calendar, by its IANA name such as `Europe/Berlin`."""
    mode: Literal["strict", "learned"] = "learned"
    """What a call reserves. `strict`: a bound that it cannot exceed. `learned`: what calls like it have cost."""
    notify: Shares = (Decimal("0.8"),)
    """Shares of the amount that are told of once a period when they are spent, in ascending order."""
    fit_max_tokens: Flag = False
    """Whether to lower the `max_tokens` that the provider gets to what the rest of the budget pays for."""
    on_state_loss: Maybe[OnStateLoss] = None
    """What becomes of it while the Redis in `state` is lost. Default: `closed` if strict, else as `on_state_loss`."""


def _one_or_several(
    value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> tuple[Budget, ...]:
    _not_blank(value)
    if isinstance(value, Mapping | Budget):
        return (Budget.model_validate(value, context=info.context),)
    budgets: tuple[Budget, ...] = handler(value)
    periods = [budget.per for budget in budgets]
    if twice := next((per for per in periods if periods.count(per) > 1), None):
        refuse(f"two budgets per {twice}", "a period takes one budget: keep one of them")
    return budgets


Budgets = Annotated[tuple[Budget, ...], WrapValidator(_one_or_several)]
"""A budget, or a list of budgets of different periods."""


class Plan(Section):
    """Limits and a budget under a name. Every key that has the plan has them for itself."""

    limits: Limiting = Limits()
    """How fast each key of the plan may call."""
    budget: Budgets = ()
    """How much each key of the plan may spend: a budget, or a list of budgets of different periods."""


def _not_empty(models: tuple[str, ...]) -> tuple[str, ...]:
    return models or refuse("has no models", "give patterns over provider/model: [anthropic/*]")


class LimitGroup(Limits):
    """Limits that several upstream models share."""

    models: Annotated[Listing[Text], AfterValidator(_not_empty)]
    """Patterns of the models that share the limits, over provider/model: `anthropic/*`."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        return self if self.stated else refuse("has no limits", "give at least one, such as `tpm: 400000`")


class Price(Section):
    """What a model costs, in dollars per million tokens. It stands in place of the published prices."""

    input_mtok: PriceText = None
    """Of prompts."""
    output_mtok: PriceText = None
    """Of answers."""
    cached_mtok: PriceText = None
    """Of what the provider had cached of a prompt. Default: as input."""
    cache_write_mtok: PriceText = None
    """Of what it wrote to its cache. Default: as input."""
    reasoning_mtok: PriceText = None
    """Of reasoning in answers. Default: as output."""
    audio_input_mtok: PriceText = None
    """Of audio in prompts. Default: as input."""
    audio_output_mtok: PriceText = None
    """Of audio in answers. Default: as output."""
    image_input_mtok: PriceText = None
    """Of images in prompts. Default: as input."""
    image_output_mtok: PriceText = None
    """Of images in answers. Default: as output."""
    request: PriceText = None
    """Of each request, in dollars, besides its tokens."""
    image: PriceText = None
    """Of each image that is made, in dollars, besides tokens."""
    audio_minute: PriceText = None
    """Of each minute of sound that is transcribed or translated, in dollars."""
    video_second: PriceText = None
    """Of each second of video that is ordered, in dollars."""
    mchars: PriceText = None
    """Of a million characters that are spoken, in dollars."""
    search: PriceText = None
    """Of each unit of reranking or searching that the provider reports, in dollars."""

    @property
    def stated(self) -> Mapping[str, str]:
        """Give the prices that there are: setting → dollars as they were written."""
        values = {name: getattr(self, name) for name in Price.model_fields}
        return {name: text for name, text in values.items() if text is not None}

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        stated = self.stated
        if not stated:
            refuse("has no prices", 'give input_mtok: "1.00" and output_mtok: "2.00"')
        for name in ("input_mtok", "output_mtok"):
            # Without it, such tokens would be free by an oversight.
            if name not in stated and any(given.endswith("_mtok") for given in stated):
                refuse(f"{name} is missing", f'write {name}: "0" if those tokens are free')
        return self


def told_apart(prices: Mapping[str, Price]) -> Mapping[str, Price]:
    """Take prices by model pattern, of which letter case tells none apart."""
    patterns = [pattern.lower() for pattern in prices]
    if twice := next((each for each in patterns if patterns.count(each) > 1), None):
        refuse(f"`{twice}` stands here twice, in different letter case", "keep one of them")
    return prices
