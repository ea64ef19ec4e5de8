"""Model name → plan: which targets, in which order. Pure.

The rules, in order:

1. `provider/model` (split at the first `/`) names its target, where such a provider is on.
2. A bare name that stands under `models` is that chain.
3. Else it goes to the provider, if only one is on,
4. else to the first provider, in the order of the file, whose patterns or model list claim it.

A key that is limited to models may use a chain it is given by name with all the targets that the
chain itself names. A chain inside that chain is another model, and needs its own permission.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from app.auth.principal import Principal
from app.config.activation import ActiveProvider
from app.errors import BadRequest, NotFound, PermissionDenied
from providers.types import Operation, Target

_WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Plan:
    """The targets of one call, in the order in which they are tried."""

    targets: tuple[Target, ...]
    rule: str
    """Which rule chose them, for people."""
    skipped: tuple[str, ...] = ()
    """Targets that were left out, each with the reason."""


class Router:
    """Knows the providers that are on and the public models."""

    def __init__(self, providers: Sequence[ActiveProvider], models: Mapping[str, Sequence[str]]) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._models = models

    def plan(self, model: str, operation: Operation, principal: Principal) -> Plan:
        """Plan a call. Raises `NotFound`, `PermissionDenied`, or `BadRequest` for an unserved operation."""
        names, rule = self._resolve(model, principal)
        if not principal.may_use(model) and (model in self._models or not principal.may_use(names[0])):
            raise PermissionDenied(f"This key may not use the model `{model}`.", param="model")
        found = [
            (name, reason or self._unserved(name, operation))
            for name, reason in self._flatten(names, principal)
        ]
        skipped = tuple(f"{name}: {reason}" for name, reason in found if reason)
        if len(skipped) == len(found):
            raise BadRequest(
                f"No provider behind `{model}` can take this: {'; '.join(skipped)}.",
                code="unsupported_operation",
                param="model",
            )
        targets = (name.split("/", 1) for name, reason in found if not reason)
        return Plan(tuple(_target(self._providers[name], rest) for name, rest in targets), rule, skipped)

    def names(self, principal: Principal) -> list[tuple[str, str]]:
        """List the models that can be named without guessing: (name, owner), public ones first."""
        listed: dict[str, str] = dict.fromkeys(self._models, "switchgear")
        for chain in self._models.values():
            owned = ((name, name.partition("/")[0]) for name in chain if "/" in name)
            listed.update({name: owner for name, owner in owned if owner in self._providers})
        for provider in self._providers.values():
            for pattern in provider.patterns:
                if not set(pattern) & _WILD:
                    listed.setdefault(f"{provider.name}/{pattern}", provider.name)
        return [(name, owner) for name, owner in listed.items() if principal.may_use(name)]

    def example(self) -> str:
        """Give a model that can be called, for a first try."""
        if self._models:
            return next(iter(self._models))
        name, provider = next(iter(self._providers.items()))
        return provider.example or f"{name}/MODEL"

    def owner(self, model: str, principal: Principal) -> str:
        """Say who answers for a model: `switchgear` for a public one. Raises as `plan` does."""
        plan = self.plan(model, Operation.CHAT, principal)
        return "switchgear" if model in self._models else plan.targets[0].provider

    def _unserved(self, name: str, operation: Operation) -> str:
        """Say why a target cannot be used, or nothing."""
        provider = self._providers.get(name.partition("/")[0])
        if provider is None:
            return "its provider is off"
        return "" if operation in provider.operations else f"does not serve {operation}"

    def _resolve(self, model: str, principal: Principal) -> tuple[Sequence[str], str]:
        provider, slash, rest = model.partition("/")
        if slash and rest and provider in self._providers:
            return [model], f"`{provider}` is a provider, so the name is `provider/model`"
        if model in self._models:
            return self._models[model], f"`{model}` stands under `models`"
        if len(self._providers) == 1:
            (only,) = self._providers
            return [f"{only}/{model}"], f"`{only}` is the only provider"
        for candidate in self._providers.values():
            if pattern := _claiming(candidate, model):
                return [f"{candidate.name}/{model}"], f"`{candidate.name}` claims `{pattern}`"
        raise NotFound(
            f"The model `{model}` does not exist here.{self._nearest(model, principal)}",
            code="model_not_found",
            param="model",
        )

    def _flatten(self, names: Sequence[str], principal: Principal) -> Iterator[tuple[str, str]]:
        """Give each `provider/model` once, or a chain's name with the reason why it is left out."""
        seen: set[str] = set()
        for name in names:
            if name in self._models:
                if principal.may_use(name):
                    inner = self._flatten(self._models[name], principal)
                else:
                    inner = iter([(name, "this key may not use it")])
            else:
                inner = iter([(name, "")])
            for found, reason in inner:
                if found not in seen:
                    seen.add(found)
                    yield found, reason

    def _nearest(self, model: str, principal: Principal) -> str:
        names = [name for name, _ in self.names(principal)]
        near = get_close_matches(model, names, n=3, cutoff=0.5)
        if near:
            return f" Did you mean {', '.join(f'`{name}`' for name in near)}?"
        return f" Name it `provider/model`; the providers here are {', '.join(f'`{p}`' for p in self._providers)}."


def _claiming(provider: ActiveProvider, model: str) -> str | None:
    return next((p for p in provider.patterns if fnmatchcase(model, p)), None)


def _target(provider: ActiveProvider, model: str) -> Target:
    return Target(
        provider=provider.name,
        dialect=provider.dialect,
        base_url=provider.base_url,
        model=model,
        credential=provider.credential,
        quirks=provider.quirks,
        rename=provider.rename,
        drop=provider.drop,
        headers=provider.headers,
        max_tokens=provider.max_tokens,
    )
