"""Model name → plan: which targets, in which order, and which fallbacks. Pure, but for what balancers know.

The rules, in order:

1. `provider/model` (split at the first `/`) names its target, where such a provider is on.
2. A bare name that stands under `models` is that public model.
3. A canonical name goes to all providers that are on and known to have the model, those that claim it first.
4. Else it goes to the provider, if only one is on,
5. else to the first provider, in the order of the file, whose patterns or configured list claim it,
6. else to the first that lists it itself.

Targets whose model is known not to take the call are passed over. Where it is the prompt that is too
long for all of them, the chain for that goes first, as after a provider's own refusal.

A key that is limited to models may use a public model it is given by name with all the targets and
fallbacks that the model itself names. A public model inside that one is another model, and needs
its own permission; it brings its targets, in its own balance, and not its fallbacks. A key that is
limited to regions uses no target of another one, whichever way it comes to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from app.auth.principal import Principal
from app.config.activation import ActiveProvider
from app.config.public_models import ModelSettings
from app.gateway import refusals
from app.gateway.balance import Ask, Option
from app.gateway.fitness import TOO_LONG, Fits, FitsAll
from app.gateway.model_lists import NO_MODELS
from app.gateway.plan import NONE, Cause, Plan
from app.gateway.public_model import MakesBalancer, PublicModel, in_order, public_model
from app.gateway.refusals import Asking
from providers.listing import Models
from providers.models import MODELS
from providers.types import Call, Operation, Target

TARGETS, LONGEST_NAME = 1_000, 200
"""Targets that are kept made, and characters of their names: clients may name any model of a provider."""
_WILD = frozenset("*?[")
OURS = "switchgear"
"""Who answers for a name that stands for several targets."""


class Router:
    """Knows the providers that are on and the public models."""

    def __init__(
        self,
        providers: Sequence[ActiveProvider],
        models: Mapping[str, ModelSettings],
        balancer_of: MakesBalancer = in_order,
        fits: Fits | None = None,
        listed: Callable[[str], Models] = lambda _: NO_MODELS,
    ) -> None:
        """`fits` judges whether models take a call; `listed` gives what a provider says it has."""
        self._fits = fits or FitsAll()
        self._listed = listed
        self._providers = {provider.name: provider for provider in providers}
        self._models = {
            name: public_model(settings, self._providers, balancer_of) for name, settings in models.items()
        }
        self._kept = lru_cache(TARGETS)(self._make)

    def plan(self, model: str, operation: Operation, principal: Principal, ask: Ask | None = None) -> Plan:
        """Plan a call. Raises `NotFound`, `PermissionDenied`, or `BadRequest` for an unserved operation.

        `ask` is what the balancers may look at. Without it, they get a typical call.
        """
        found, rule = self._resolve(model, principal)
        if model not in self._models:
            found = _permitted(found, model, principal)
        elif not principal.may_use(model):
            raise refusals.forbidden(model)
        asking = Asking(operation, principal, ask or Ask(Call(operation, model, {}), principal.name))
        targets = self._ordered(found, asking)
        fallbacks = {cause: self._chain(names, asking) for cause, names in found.fallback.items()}
        causes: tuple[Cause, ...] = (
            ("context_window", "default") if TOO_LONG in asking.misfits else ("default",)
        )
        for cause in causes:
            targets = targets or fallbacks.pop(cause, ())
        skipped = tuple(f"{name}: {reason}" for name, reason in asking.skipped.items())
        if not targets:
            raise refusals.nobody(model, asking, self._providers.values())
        return Plan(targets, rule, skipped, fallbacks, found.timeouts, asking.ask.reasons or NONE)

    def again(self, target: str, model: str, operation: Operation, principal: Principal) -> Plan:
        """Plan to go to a target where something was submitted under a model's name. Raises as `plan` does."""
        if not principal.may_use(model, target):
            raise refusals.forbidden(model)
        asking = Asking(operation, principal, Ask(Call(operation, model, {}), principal.name))
        if reason := self._unfit(target, asking):
            asking.skipped[target] = reason
            raise refusals.nobody(model, asking, self._providers.values())
        return Plan((self._made(target),), "it was submitted there")

    def names(self, principal: Principal) -> list[tuple[str, str]]:
        """List the models that can be named without guessing: (name, owner), public ones first."""
        listed: dict[str, str] = dict.fromkeys(self._models, OURS)
        for model in self._models.values():
            owned = ((name, name.partition("/")[0]) for name, _ in model.entries if "/" in name)
            listed.update({name: owner for name, owner in owned if owner in self._providers})
        several = (name for name in MODELS if len(list(self._at_providers(name))) > 1)
        for name in several:
            listed.setdefault(name, OURS)
        for provider in self._providers.values():
            plain = (pattern for pattern in provider.patterns if not set(pattern) & _WILD)
            for name in (*plain, *self._listed(provider.name)):
                if provider.has_credential_for(name) and principal.may_reach(provider.region):
                    listed.setdefault(f"{provider.name}/{name}", provider.name)
        return [(name, owner) for name, owner in listed.items() if principal.may_use(name)]

    def example(self) -> str:
        """Give a model that can be called, for a first try."""
        if self._models:
            return next(iter(self._models))
        name, provider = next(iter(self._providers.items()))
        return provider.example or f"{name}/MODEL"

    def behind(self, model: str, principal: Principal) -> tuple[str, tuple[str, ...]]:
        """Give who answers for a model, and the names of what stands behind it.

        Raises `NotFound`, `PermissionDenied`.
        """
        found, _ = self._resolve(model, principal)
        if model not in self._models:
            found = _permitted(found, model, principal)
        elif not principal.may_use(model):
            raise refusals.forbidden(model)
        names = tuple(name for name, _ in found.entries if self._is_in_reach(name, principal))
        if not names:
            raise refusals.forbidden(model)
        several = model in self._models or len(names) > 1
        return OURS if several else names[0].partition("/")[0], names

    def _is_in_reach(self, name: str, principal: Principal) -> bool:
        provider = self._provider_of(name)
        return name in self._models or (provider is not None and principal.may_reach(provider.region))

    def _resolve(self, model: str, principal: Principal) -> tuple[PublicModel, str]:
        provider, slash, rest = model.partition("/")
        if slash and rest and provider in self._providers:
            return _alone(model), f"`{provider}` is a provider, so the name is `provider/model`"
        if model in self._models:
            return self._models[model], f"`{model}` stands under `models`"
        if model in MODELS and (entries := tuple(self._at_providers(model))):
            return PublicModel(entries), f"`{model}` is a well-known model"
        if claim := self._claimed(model):
            return claim
        names = [name for name, _ in self.names(principal)]
        raise refusals.unknown(model, names, self._providers)

    def _claimed(self, model: str) -> tuple[PublicModel, str] | None:
        """Give the one provider that a bare name goes to, and why."""
        if len(self._providers) == 1:
            (only,) = self._providers
            return _alone(f"{only}/{model}"), f"`{only}` is the only provider"
        for candidate in self._providers.values():
            if pattern := _claiming(candidate, model):
                return _alone(f"{candidate.name}/{model}"), f"`{candidate.name}` claims `{pattern}`"
        for name in self._providers:
            if model in self._listed(name):
                return _alone(f"{name}/{model}"), f"`{name}` lists it"
        return None

    def _at_providers(self, model: str) -> Iterator[tuple[str, int]]:
        """Give the targets of a canonical name: first those of the providers that claim it."""
        ids = MODELS[model].ids
        known = [provider for provider in self._providers.values() if provider.name in ids]
        known.sort(key=lambda provider: _claiming(provider, model) is None)
        yield from ((f"{provider.name}/{ids[provider.name]}", 1) for provider in known)

    def _chain(self, names: Sequence[str], asking: Asking) -> tuple[Target, ...]:
        return self._ordered(PublicModel(tuple((name, 1) for name in names)), asking)

    def _ordered(self, model: PublicModel, asking: Asking) -> tuple[Target, ...]:
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

    def _inside(self, name: str, asking: Asking) -> tuple[Target, ...]:
        """Give what stands behind a name; nothing where it may not or cannot be used, which is noted."""
        if (model := self._models.get(name)) is not None:
            if asking.principal.may_use(name):
                return self._ordered(model, asking)
            asking.skipped[name] = "this key may not use it"
        elif reason := self._unfit(name, asking):
            asking.skipped[name] = reason
        else:
            return (self._made(name),)
        return ()

    def _unfit(self, name: str, asking: Asking) -> str:
        """Say why a target cannot be used, or nothing."""
        provider = self._provider_of(name)
        if provider is None:
            return "its provider is off"
        if not provider.serves(asking.operation, name.partition("/")[2]):
            return f"does not serve {asking.operation}"
        if not provider.has_credential_for(name.partition("/")[2]):
            return "none of its credentials is for this model"
        if not asking.principal.may_reach(provider.region):
            return refusals.REGION
        misfit = self._fits.misfit(provider.name, name.partition("/")[2], asking.ask)
        if misfit is None:
            return ""
        asking.misfits[misfit.code] = None
        return misfit.reason

    def _provider_of(self, name: str) -> ActiveProvider | None:
        return self._providers.get(name.partition("/")[0])

    def _made(self, name: str) -> Target:
        return self._kept(name) if len(name) <= LONGEST_NAME else self._make(name)

    def _make(self, name: str) -> Target:
        provider, _, model = name.partition("/")
        return _target(self._providers[provider], model)


def _alone(name: str) -> PublicModel:
    return PublicModel(((name, 1),))


def _explain(model: PublicModel, options: Sequence[Option], ask: Ask, reasons: dict[str, str]) -> None:
    for option in options:
        why = model.balancer.why(option, ask) if len(options) > 1 else "the only one"
        for target in option.targets:
            within = reasons.get(target.name)
            is_model = option.name != target.name
            reasons[target.name] = f"{why}; in {option.name}: {within}" if is_model else why


def _permitted(found: PublicModel, model: str, principal: Principal) -> PublicModel:
    """Give what a key may use of a model that is not public. Raises `PermissionDenied` where that is nothing."""
    if principal.may_use(model):
        return found
    entries = tuple(entry for entry in found.entries if principal.may_use(entry[0]))
    if not entries:
        raise refusals.forbidden(model)
    return PublicModel(entries)


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
