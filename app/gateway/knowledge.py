"""What is known of models, put together: the configuration's word, the provider's own, and what is published.

What does not come from whoever serves the model may be out of date, so it only counts where it is
surely exceeded: see `fitness.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from app.gateway.model_lists import ModelLists
from app.usage.price_overrides import spellings
from providers.facts import NOTHING, ModelFacts
from providers.models import known_as

KEPT = 4_096
"""Models of which the facts are kept: a bound for names that clients make up."""


class Known(NamedTuple):
    """What is known of a model."""

    facts: ModelFacts
    first_hand: ModelFacts
    """Only what the configuration or the provider says."""


class Knowledge:
    """Of the models at all providers."""

    def __init__(
        self,
        stated: Mapping[str, Mapping[str, ModelFacts]],
        lists: ModelLists,
        window: Callable[[str, str], int | None],
    ) -> None:
        """`stated` is by provider and pattern of the model; `window` gives the published tokens of a model's."""
        self.lists = lists
        self._stated_facts = stated
        self._window = window
        self._kept: dict[tuple[str, str], Known] = {}
        self._version = self.lists.version

    def of(self, provider: str, model: str) -> Known:
        """Give what is known of a model."""
        if self._version != self.lists.version:
            self._kept.clear()
            self._version = self.lists.version
        key = (provider, model)
        known = self._kept.get(key)
        if known is None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            known = self._kept[key] = self._find(provider, model)
        return known

    def _find(self, provider: str, model: str) -> Known:
        first_hand = self._stated(provider, model).over(self._listed(provider, model))
        rows = (known_as(provider, name) for name in (model, *spellings(model)))
        row = next((row for row in rows if row is not None), None)
        published = row.facts if row else ModelFacts(self._window(provider, model))
        return Known(first_hand.over(published), first_hand)

    def _listed(self, provider: str, model: str) -> ModelFacts:
        models = self.lists.of(provider)
        return models.get(model, NOTHING) if models else NOTHING

    def _stated(self, provider: str, model: str) -> ModelFacts:
        """Find what the configuration says: an exact name wins over a pattern, a longer one over a shorter one."""
        patterns = self._stated_facts.get(provider)
        if not patterns:
            return NOTHING
        fitting = [pattern for pattern in patterns if pattern == model or fnmatchcase(model, pattern)]
        best = max(fitting, key=lambda pattern: (pattern == model, len(pattern)), default=None)
        return NOTHING if best is None else patterns[best]
