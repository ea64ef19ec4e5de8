"""The models that can be called here, with what is known of each: configured, well known and listed by providers.

Finding prices of a thousand models takes a part of a second, once: ask in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal

from app.auth.principal import Principal
from app.errors import GatewayError
from app.gateway.knowledge import Knowledge
from app.gateway.router import Router
from app.usage.price_book import PriceBook
from app.usage.rates import Band, Rates
from providers.facts import NOTHING, ModelFacts
from providers.types import JsonObject

_MTOK = Decimal(10) ** 18
"""Rate units in a dollar per million tokens."""
_PRICES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cached_mtok": "cached",
    "cache_write_mtok": "cache_write",
    "reasoning_mtok": "reasoning",
}


@dataclass(frozen=True, slots=True)
class Card:
    """One model as it is shown."""

    id: str
    owner: str
    """`switchgear` for a name that stands for several targets, else the provider."""
    facts: ModelFacts = NOTHING
    prices: Mapping[str, str] | None = None
    """Dollars per million tokens, named as in the configuration; None: not known."""
    targets: tuple[str, ...] = ()
    """What is tried, in order, where that is not the model itself."""
    listed: bool | None = None
    """Whether its provider names it now; None: that is not known."""


def described(card: Card) -> JsonObject:
    """Give a model as clients see it, without what is not known."""
    facts = card.facts
    known = {
        "context_window": facts.context_window,
        "max_output_tokens": facts.max_output,
        "input_modalities": facts.inputs and sorted(facts.inputs),
        "output_modalities": facts.outputs and sorted(facts.outputs),
        "capabilities": facts.capabilities and sorted(facts.capabilities),
        "pricing": card.prices and dict(card.prices),
        "targets": list(card.targets) or None,
        "listed": card.listed,
    }
    shown = {name: value for name, value in known.items() if value is not None}
    return {"id": card.id, "owned_by": card.owner, **shown}


@dataclass(slots=True)
class Catalogue:
    """Of one configuration."""

    router: Router
    knowledge: Knowledge
    prices: PriceBook
    now: Callable[[], float]
    """Unix seconds."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Knowledge and prices remember what they find."""

    def cards(self, principal: Principal) -> list[Card]:
        """List what a caller can name without guessing: public models, well-known ones, then those of providers."""
        with self._lock:
            return list(self._cards(principal))

    def card(self, model: str, principal: Principal) -> Card:
        """Describe one model, listed or not. Raises as the router does."""
        owner, names = self.router.behind(model, principal)
        with self._lock:
            return self._card(model, owner, names)

    def _cards(self, principal: Principal) -> Iterator[Card]:
        for name, owner in self.router.names(principal):
            # What stands behind a public model may be out of this caller's reach.
            with suppress(GatewayError):
                yield self._card(name, owner, self.router.behind(name, principal)[1])

    def _card(self, name: str, owner: str, names: Sequence[str]) -> Card:
        provider, slash, model = names[0].partition("/")
        targets = () if names == (name,) else tuple(names)
        if not slash:
            return Card(name, owner, targets=targets)
        return Card(
            id=name,
            owner=owner,
            facts=self.knowledge.of(provider, model).facts,
            prices=_shown(self.prices.rates(provider, model, now=self.now())),
            targets=targets,
            listed=self.knowledge.lists.names(provider, model),
        )


def _shown(rates: Rates | None) -> Mapping[str, str] | None:
    if rates is None:
        return None
    usual: Band = rates.bands[-1]
    return {name: _dollars(getattr(usual, rate)) for name, rate in _PRICES.items()}


def _dollars(units: int) -> str:
    return f"{(Decimal(units) / _MTOK).normalize():f}"
