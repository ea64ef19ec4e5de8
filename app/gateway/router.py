"""Model name → plan: which targets, in which order, and which fallbacks. Pure, but for what balancers know.

The rules, in order:

1. `provider/model` (split at the first `/`) names its target, where such a provider is on.
2. A bare name that stands under `models` is that public model.
3. Else it goes to the provider, if only one is on,
4. else to the first provider, in the order of the file, whose patterns or model list claim it.

A key that is limited to models may use a public model it is given by name with all the targets and
fallbacks that the model itself names. A public model inside that one is another model, and needs
its own permission; it brings its targets, in its own balance, and not its fallbacks. A key that is
limited to regions uses no target of another one, whichever way it comes to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase

from app.auth.principal import Principal
from app.config.activation import ActiveProvider
from app.config.public_models import ModelSettings
from app.errors import BadRequest, NotFound, PermissionDenied
from app.gateway.balance import Ask, Option
from app.gateway.plan import NONE, Plan
from app.gateway.public_model import MakesBalancer, PublicModel, in_order, public_model
from providers.catalog import CATALOG
from providers.types import Call, Operation, Target

_WILD = frozenset("*?[")
_REGION = "is in no region that this key may use"


@dataclass(slots=True)
class _Asking:
    """Who asks for what, and what was left out."""

    operation: Operation
    principal: Principal
    ask: Ask
    skipped: dict[str, str] = field(default_factory=dict)


class Router:
    """Knows the providers that are on and the public models."""

    def __init__(
        self,
        providers: Sequence[ActiveProvider],
        models: Mapping[str, ModelSettings],
        balancer_of: MakesBalancer = in_order,
    ) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._models = {
            name: public_model(settings, self._providers, balancer_of) for name, settings in models.items()
        }
        configured = (name for model in self._models.values() for name in model.every if "/" in name)
        self._targets = {name: self._made(name) for name in configured if self._provider_of(name)}

    def plan(self, model: str, operation: Operation, principal: Principal, ask: Ask | None = None) -> Plan:
        """Plan a call. Raises `NotFound`, `PermissionDenied`, or `BadRequest` for an unserved operation.

        `ask` is what the balancers may look at. Without it, they get a typical call.
        """
        found, rule = self._resolve(model, principal)
        spelt = (model,) if model in self._models else (model, found.entries[0][0])
        if not principal.may_use(*spelt):
            raise PermissionDenied(f"This key may not use the model `{model}`.", param="model")
        asking = _Asking(operation, principal, ask or Ask(Call(operation, model, {}), principal.name))
        targets = self._ordered(found, asking)
        fallbacks = {cause: self._chain(names, asking) for cause, names in found.fallback.items()}
        if not targets:
            targets = fallbacks.pop("default", ())
        skipped = tuple(f"{name}: {reason}" for name, reason in asking.skipped.items())
        if not targets:
            raise self._nobody(model, asking)
        return Plan(targets, rule, skipped, fallbacks, found.timeouts, asking.ask.reasons or NONE)

    def again(self, target: str, model: str, operation: Operation, principal: Principal) -> Plan:
        """Plan to go to a target where something was submitted under a model's name. Raises as `plan` does."""
        if not principal.may_use(model, target):
            raise PermissionDenied(f"This key may not use the model `{model}`.", param="model")
        asking = _Asking(operation, principal, Ask(Call(operation, model, {}), principal.name))
        if reason := self._unfit(target, asking):
            asking.skipped[target] = reason
            raise self._nobody(model, asking)
        return Plan((self._made(target),), "it was submitted there")

    def names(self, principal: Principal) -> list[tuple[str, str]]:
        """List the models that can be named without guessing: (name, owner), public ones first."""
        listed: dict[str, str] = dict.fromkeys(self._models, "switchgear")
        for model in self._models.values():
            owned = ((name, name.partition("/")[0]) for name, _ in model.entries if "/" in name)
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

    def _resolve(self, model: str, principal: Principal) -> tuple[PublicModel, str]:
        provider, slash, rest = model.partition("/")
        if slash and rest and provider in self._providers:
            return _alone(model), f"`{provider}` is a provider, so the name is `provider/model`"
        if model in self._models:
            return self._models[model], f"`{model}` stands under `models`"
        if len(self._providers) == 1:
            (only,) = self._providers
            return _alone(f"{only}/{model}"), f"`{only}` is the only provider"
        for candidate in self._providers.values():
            if pattern := _claiming(candidate, model):
                return _alone(f"{candidate.name}/{model}"), f"`{candidate.name}` claims `{pattern}`"
        raise NotFound(
            f"The model `{model}` does not exist here.{self._nearest(model, principal)}",
            code="model_not_found",
            param="model",
        )

    def _chain(self, names: Sequence[str], asking: _Asking) -> tuple[Target, ...]:
        return self._ordered(PublicModel(tuple((name, 1) for name in names)), asking)

    def _ordered(self, model: PublicModel, asking: _Asking) -> tuple[Target, ...]:
        """Give the targets that may be used, each once, in the order of the model's balance."""
        inside = ((name, weight, self._inside(name, asking)) for name, weight in model.entries)
        options: Sequence[Option] = [Option(*each) for each in inside if each[2]]
        if len(options) > 1:
            options = model.balancer.order(options, asking.ask)
        if asking.ask.reasons is not None:
            _explain(model, options, asking.ask, asking.ask.reasons)
        if len(options) == 1:
            return options[0].targets
        return tuple({target.name: target for option in options for target in option.targets}.values())

    def _inside(self, name: str, asking: _Asking) -> tuple[Target, ...]:
        """Give what stands behind a name; nothing where it may not or cannot be used, which is noted."""
        if (model := self._models.get(name)) is not None:
            if asking.principal.may_use(name):
                return self._ordered(model, asking)
            asking.skipped[name] = "this key may not use it"
        elif reason := self._unfit(name, asking):
            asking.skipped[name] = reason
        else:
            return (self._targets.get(name) or self._made(name),)
        return ()

    def _unfit(self, name: str, asking: _Asking) -> str:
        """Say why a target cannot be used, or nothing."""
        provider = self._provider_of(name)
        if provider is None:
            return "its provider is off"
        if not provider.serves(asking.operation, name.partition("/")[2]):
            return f"does not serve {asking.operation}"
        if not provider.has_credential_for(name.partition("/")[2]):
            return "none of its credentials is for this model"
        return "" if asking.principal.may_reach(provider.region) else _REGION

    def _provider_of(self, name: str) -> ActiveProvider | None:
        return self._providers.get(name.partition("/")[0])

    def _made(self, name: str) -> Target:
        provider, _, model = name.partition("/")
        return _target(self._providers[provider], model)

    def _nobody(self, model: str, asking: _Asking) -> PermissionDenied | BadRequest:
        """Say why no target is left."""
        left_out = "; ".join(f"{name}: {reason}" for name, reason in asking.skipped.items())
        if _REGION in asking.skipped.values():
            return PermissionDenied(
                f"This key may not use any region where `{model}` is served: {left_out}.",
                code="region_not_allowed",
                param="model",
            )
        return BadRequest(
            f"No provider behind `{model}` can take this: {left_out}. {self._having(asking.operation)}",
            code="unsupported_operation",
            param="model",
        )

    def _having(self, operation: Operation) -> str:
        here = [name for name, provider in self._providers.items() if operation in provider.operations]
        if here:
            return f"Providers here that serve {operation}: {', '.join(here)}."
        known = [row.name for row in CATALOG.values() if operation in row.operations]
        return f"No provider here serves {operation}; {', '.join(known)} do."

    def _nearest(self, model: str, principal: Principal) -> str:
        names = [name for name, _ in self.names(principal)]
        near = get_close_matches(model, names, n=3, cutoff=0.5)
        if near:
            return f" Did you mean {', '.join(f'`{name}`' for name in near)}?"
        return f" Name it `provider/model`; the providers here are {', '.join(f'`{p}`' for p in self._providers)}."


def _alone(name: str) -> PublicModel:
    return PublicModel(((name, 1),))


def _explain(model: PublicModel, options: Sequence[Option], ask: Ask, reasons: dict[str, str]) -> None:
    for option in options:
        why = model.balancer.why(option, ask) if len(options) > 1 else "the only one"
        for target in option.targets:
            within = reasons.get(target.name)
            is_model = option.name != target.name
            reasons[target.name] = f"{why}; in {option.name}: {within}" if is_model else why


def _claiming(provider: ActiveProvider, model: str) -> str | None:
    return next((p for p in provider.patterns if fnmatchcase(model, p)), None)


def _target(provider: ActiveProvider, model: str) -> Target:
    return Target(
        provider=provider.name,
        dialect=provider.dialect_of(model),
        base_url=provider.base_url,
        model=model,
        quirks=provider.quirks,
        rename=provider.rename,
        drop=provider.drop,
        headers=provider.headers,
        max_tokens=provider.max_tokens,
        paths=provider.paths,
        options=provider.options,
    )
