"""The names that clients may ask for, and what stands behind each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, ModelWrapValidatorHandler, TypeAdapter, model_validator

from app.config.allowances import Budgets, Limiting, Limits
from app.config.scalars import Count, Duration, Listing, Maybe, Text, refuse
from app.config.section import Section


class Queue(Section):
    """Waiting for room where limits have none."""

    max_wait: Duration = 0.0
    """How long a call may wait before it is refused; `0s`: not at all."""


def _target(value: object) -> object:
    if isinstance(value, Mapping):
        refuse("the mapping form of a target is not available yet", "write provider/model alone")
    return value


Targets = Listing[Annotated[Text, BeforeValidator(_target)]]
_TARGETS: TypeAdapter[tuple[str, ...]] = TypeAdapter(Targets)


class ModelSettings(Section):
    """A public model: its targets alone as a list, or a mapping."""

    short: ClassVar[str] = "targets"
    later = frozenset(
        {
            *("balance", "fallback", "sticky"),
            *("mirror", "hedge", "single_flight", "timeouts"),
        }
    )

    targets: Targets = ()
    """What stands behind the name, tried in this order: provider/model, or another public model."""
    limits: Limiting = Limits()
    """How fast the model may be used, by all keys together: as under `plans`."""
    budget: Budgets = ()
    """How much may be spent on it, by all keys together: as under `plans`."""
    max_attempts: Maybe[Count] = None
    """Tries that a call may take, over all targets. Default: 3, or the number of targets if that is more."""
    queue: Queue = Queue()
    """Waiting for room where limits have none."""

    @model_validator(mode="wrap")
    @classmethod
    def _short_form(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, str):
            refuse("must be a list of targets", f"write `[{value}]`")
        if isinstance(value, list | tuple):
            return cls(targets=_TARGETS.validate_python(value))
        return handler(value)
