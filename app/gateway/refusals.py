"""Why a model name leads to no target, in words that help."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from app.auth.principal import Principal
from app.config.activation import ActiveProvider
from app.errors import BadRequest, NotFound, PermissionDenied
from app.gateway.balance import Ask
from app.gateway.fitness import NO_SUCH_OUTPUT
from providers.catalog import CATALOG
from providers.types import Operation

REGION = "is in no region that this key may use"


@dataclass(slots=True)
class Asking:
    """Who asks for what, and what was left out."""

    operation: Operation
    principal: Principal
    ask: Ask
    skipped: dict[str, str] = field(default_factory=dict)
    misfits: dict[str, None] = field(default_factory=dict)
    """The codes of why models cannot take the call."""


def forbidden(model: str) -> PermissionDenied:
    """Give the refusal of a model that a key may not use."""
    return PermissionDenied(f"This key may not use the model `{model}`.", param="model")


def unknown(model: str, names: Collection[str], providers: Iterable[str]) -> NotFound:
    """Give the refusal of a name that stands for nothing; `names` are those that can be listed."""
    near = get_close_matches(model, names, n=3, cutoff=0.5)
    if near:
        hint = f"Did you mean {', '.join(f'`{name}`' for name in near)}?"
    else:
        known = ", ".join(f"`{name}`" for name in providers)
        hint = f"Name it `provider/model`; the providers here are {known}."
    return NotFound(f"The model `{model}` does not exist here. {hint}", code="model_not_found", param="model")


def nobody(
    model: str, asking: Asking, providers: Collection[ActiveProvider]
) -> PermissionDenied | BadRequest:
    """Say why no target is left."""
    left_out = "; ".join(f"{name}: {reason}" for name, reason in asking.skipped.items())
    nobody_can = f"No provider behind `{model}` can take this: {left_out}."
    for code in asking.misfits:
        return BadRequest(nobody_can, code=code, param="model" if code == NO_SUCH_OUTPUT else "messages")
    if REGION in asking.skipped.values():
        return PermissionDenied(
            f"This key may not use any region where `{model}` is served: {left_out}.",
            code="region_not_allowed",
            param="model",
        )
    having = _having(asking.operation, providers)
    return BadRequest(f"{nobody_can} {having}", code="unsupported_operation", param="model")


def _having(operation: Operation, providers: Collection[ActiveProvider]) -> str:
    here = [provider.name for provider in providers if operation in provider.operations]
    if here:
        return f"Providers here that serve {operation}: {', '.join(here)}."
    known = [row.name for row in CATALOG.values() if operation in row.operations]
    return f"No provider here serves {operation}; {', '.join(known)} do."
