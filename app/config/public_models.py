"""The names that clients may ask for, and what stands behind each."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, TypeAdapter, model_validator

from app.config.allowances import Budgets, Limiting, Limits
from app.config.amounts import Share
from app.config.hedging import After
from app.config.scalars import Count, Duration, Flag, Listing, Maybe, Text, Wait, refuse
from app.config.section import Section

HEAVIEST = 1_000_000

Weight = Annotated[Count, Field(le=HEAVIEST)]
Names = Listing[Text]
_NAMES: TypeAdapter[tuple[str, ...]] = TypeAdapter(Names)


class Queue(Section):
    """Waiting for room where limits have none."""

    max_wait: Duration = 0.0
    """How long a call may wait before it is refused; `0s`: not at all."""


class WeightedTarget(Section):
    """A target of a public model: its name alone, or a mapping."""

    inline: ClassVar[bool] = True

    target: Text
    """What is asked: provider/model, or another public model, whose own `balance` holds in its place."""
    weight: Weight = 1
    """Its share of the calls, as against the other weights: with 95 and 5 they are percentages."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if value == "":
            refuse("must not be empty")
        return {"target": value} if isinstance(value, str) else value

    def __str__(self) -> str:
        return self.target if self.weight == 1 else f"{self.target} (weight {self.weight})"


class HedgeSettings(Section):
    """Trying a second target beside one that is slow."""

    after: After = "p95"
    """How long the first one is waited for: a duration, or `p95`, the time that 95 % of its latest calls kept to."""
    cap: Share = Decimal("0.05")
    """The share of calls that may be hedged at most."""


class Fallback(Section):
    """What is tried when no target has answered, by what has become of them; a plain list is `default`."""

    short: ClassVar[str] = "default"

    default: Names = ()
    """After every failure that another target may not have: provider/model, or public models."""
    context_window: Names = ()
    """After a prompt that was longer than the model's window. Without any, the client is told."""
    content_policy: Names = ()
    """After a prompt that a provider's policy has refused. Without any, the client is told."""
    rate_limit: Names = ()
    """Where all targets are at a limit, theirs or ours. Then `default`, as without any."""

    @model_validator(mode="wrap")
    @classmethod
    def _short_form(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, str):
            refuse("must be a list of targets, or a mapping of such lists", f"write `[{value}]`")
        if isinstance(value, list | tuple):
            return cls(default=_NAMES.validate_python(value))
        return handler(value)

    @property
    def chains(self) -> Mapping[str, tuple[str, ...]]:
        """Give the chains that there are, by their key."""
        chains = {cause: getattr(self, cause) for cause in type(self).model_fields}
        return {cause: names for cause, names in chains.items() if names}


class Mirror(Section):
    """A target that gets copies of calls. Its answers are thrown away; its costs are real."""

    target: Text
    """Who gets the copies: provider/model."""
    share: Share = Decimal("0.01")
    """The share of the calls that are copied, once they have been answered."""


class ModelTimeouts(Section):
    """How long a model's targets are waited for, where that is not as long as their providers say."""

    first_event: Maybe[Wait] = None
    """Until the first event of a stream."""
    response: Maybe[Wait] = None
    """Until the whole answer, where it is not streamed."""
    idle: Maybe[Wait] = None
    """Between two events of a stream."""
    stream_total: Maybe[Wait] = None
    """Until the end of a stream."""

    @property
    def stated(self) -> Mapping[str, float]:
        """Give those that are said."""
        return self.model_dump(exclude_none=True)


Targets = Listing[WeightedTarget]
_TARGETS: TypeAdapter[tuple[WeightedTarget, ...]] = TypeAdapter(Targets)


class ModelSettings(Section):
    """A public model: its targets alone as a list, or a mapping."""

    short: ClassVar[str] = "targets"

    targets: Targets = ()
    """What stands behind the name: provider/model, or another public model; each alone or with a weight."""
    balance: Literal["order", "weighted", "least_busy", "latency", "cost"] = "order"
    """Which target is tried first: the first, one drawn by weight, the least busy, the quickest or the cheapest."""
    sticky: Maybe[Literal["user", "session"]] = None
    """Who stays at one target, for its prompt cache: a `user`, or a session by the header x-switchgear-session."""
    fallback: Fallback = Fallback()
    """What is tried when no target has answered, by what has become of them; a plain list is `default`."""
    mirror: Mirror | None = None
    """A target that gets copies of calls. Its answers are thrown away; its costs are real."""
    timeouts: ModelTimeouts = ModelTimeouts()
    """How long the targets are waited for. Default: as their providers say."""
    limits: Limiting = Limits()
    """How fast the model may be used, by all keys together: as under `plans`."""
    budget: Budgets = ()
    """How much may be spent on it, by all keys together: as under `plans`."""
    max_attempts: Maybe[Count] = None
    """Tries that a call may take, over all targets. Default: 3, or the number of targets if that is more."""
    queue: Queue = Queue()
    """Waiting for room where limits have none."""
    hedge: Maybe[HedgeSettings] = None
    """Trying a second target beside one that is slow; the first content wins. Default: never."""
    single_flight: Flag = False
    """Whether equal calls of a key under way share one answer, where `temperature: 0` or a `seed` makes them repeatable."""

    @model_validator(mode="wrap")
    @classmethod
    def _short_form(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, str):
            refuse("must be a list of targets", f"write `[{value}]`")
        if isinstance(value, list | tuple):
            return cls(targets=_TARGETS.validate_python(value))
        return handler(value)

    @property
    def names(self) -> tuple[str, ...]:
        """Give the names of the targets."""
        return tuple(each.target for each in self.targets)
